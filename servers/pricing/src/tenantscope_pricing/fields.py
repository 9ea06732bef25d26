"""Single values of the price book's file: money, quantities, names, months, days."""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from tenantscope_core.results.documents import DocumentFault, capital, listing, sequence
from tenantscope_core.results.periods import Month

UNIT_PLACES = 12
"""Decimal places that a price of one unit may have."""
QUANTITY_PLACES = 6
"""Decimal places that a quantity may have, as in the datasets."""
_MOST = Decimal(10) ** 15
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_LABEL = re.compile(r"[^\x00-\x1f]{1,80}")


def number(value: object, at: str, *, places: int, least: Decimal | None = Decimal(0)) -> Decimal:
    """A decimal number with at most so many places.

    Raises:
        DocumentFault: It is a float, no number, too small, too large or too fine.
    """
    if isinstance(value, float):
        raise DocumentFault(f"{capital(at)} is the float {value!r}; put numbers with a decimal point in quotes.")
    found = _decimal(value)
    if found is None:
        raise DocumentFault(f"{capital(at)} is {value!r}; it must be a number.")
    if abs(found) > _MOST or (least is not None and found < least):
        raise DocumentFault(f"{capital(at)} is {found}; it must be from {least} to 10^15.")
    if found != round(found, places):
        raise DocumentFault(f"{capital(at)} is {found}; it may have {places} decimal places at most.")
    return found


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,24}(\.[0-9]{1,24})?", value) is None:
        return None
    try:
        return Decimal(value)
    except InvalidOperation:
        return None


def positive(value: object, at: str, *, places: int) -> Decimal:
    """A number above zero.

    Raises:
        DocumentFault: It is not.
    """
    found = number(value, at, places=places)
    if found == 0:
        raise DocumentFault(f"{capital(at)} must be above zero.")
    return found


def name(value: object, at: str) -> str:
    """A name of lower-case letters, digits and `_`.

    Raises:
        DocumentFault: It is none.
    """
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise DocumentFault(f"{capital(at)} is {value!r}; it must be lower-case letters, digits and `_`, at most 63.")


def label(value: object, at: str) -> str:
    """A line of text for people.

    Raises:
        DocumentFault: It is none.
    """
    if isinstance(value, str) and _LABEL.fullmatch(value):
        return value
    raise DocumentFault(f"{capital(at)} is {value!r}; it must be one line of text, at most 80 characters; quote it.")


def labels(value: object, at: str) -> tuple[str, ...]:
    """A list of lines of text, each once.

    Raises:
        DocumentFault: It is none.
    """
    found = tuple(label(each, f"an entry of {at}") for each in sequence(value, at))
    if len(set(found)) != len(found):
        raise DocumentFault(f"{capital(at)} names something twice.")
    return found


def one_of(value: object, allowed: tuple[str, ...], at: str) -> str:
    """One of a few words.

    Raises:
        DocumentFault: It is none of them.
    """
    if isinstance(value, str) and value in allowed:
        return value
    raise DocumentFault(f"{capital(at)} is {value!r}; it must be one of {listing(allowed)}.")


def boolean(value: object, at: str) -> bool:
    """True or false.

    Raises:
        DocumentFault: It is neither.
    """
    if isinstance(value, bool):
        return value
    raise DocumentFault(f"{capital(at)} is {value!r}; it must be true or false.")


def month(value: object, at: str) -> Month:
    """A month as `YYYY-MM`.

    Raises:
        DocumentFault: It is none.
    """
    try:
        return Month.parse(value if isinstance(value, str) else "")
    except ValueError:
        raise DocumentFault(f"{capital(at)} is {str(value)!r}; it must be a month such as 2026-09.") from None


def day(value: object, at: str) -> date:
    """A day as `YYYY-MM-DD`.

    Raises:
        DocumentFault: It is none.
    """
    if type(value) is date:
        return value
    try:
        if isinstance(value, str) and len(value) == 10:
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise DocumentFault(f"{capital(at)} is {str(value)!r}; it must be a day such as 2026-09-15.")


def needed(given: Mapping[str, Any], key: str, at: str) -> Any:
    """The value of a key that has to be there.

    Raises:
        DocumentFault: It is not.
    """
    if key not in given:
        raise DocumentFault(f"{capital(at)} needs `{key}`.")
    return given[key]
