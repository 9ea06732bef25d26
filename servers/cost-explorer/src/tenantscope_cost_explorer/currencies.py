"""Which currency an answer is in: currencies are never added up, so it is of one."""

from collections.abc import Mapping
from decimal import Decimal

from tenantscope_core.results.errors import NotFound


def choose_currency(amounts: Mapping[str, Decimal], asked: str | None, *, noun: str) -> str:
    """The currency asked for, or the one with the highest amount; `noun` is what there is of it (`cost`).

    Raises:
        NotFound: There is nothing in that currency, or nothing at all.
    """
    if asked is not None and asked not in amounts:
        listed = ", ".join(sorted(amounts)) or "none"
        raise NotFound(f"No {noun} is in that currency; there is {listed}.", parameter="currency")
    if not amounts:
        raise NotFound(f"There is no {noun} in this period.", parameter="period")
    return asked or max(sorted(amounts), key=lambda name: amounts[name])
