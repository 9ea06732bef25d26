"""What a tenant's own record says of its limits, beside its tier."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

_LEAST_PER_MINUTE = 0.001  # a call in 16 hours; with less, the times that a ledger counts in would overflow
_MOST = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Quotas:
    """Calls a minute, calls at once after a pause, calls side by side; None where the tier decides, 0 for no calls."""

    per_minute: float | None = None
    burst: int | None = None
    concurrent: int | None = None

    @property
    def allow_no_calls(self) -> bool:
        """Whether one of them is 0."""
        return 0 in (self.per_minute, self.burst, self.concurrent)


NO_QUOTAS = Quotas()


def quotas_of(item: Mapping[str, Any]) -> Quotas:
    """The quotas of calls in a registry record as DynamoDB spells it; what is no number there is not there."""
    found = item.get("quotas")
    kept = cast("dict[str, Any]", found).get("M") if isinstance(found, dict) else None
    if not isinstance(kept, dict):
        return NO_QUOTAS
    numbers = {name: _number(value) for name, value in cast("dict[str, Any]", kept).items()}
    per_minute = numbers.get("requests_per_minute")
    return Quotas(
        per_minute=None if per_minute is None else per_minute and max(_LEAST_PER_MINUTE, per_minute),
        burst=_whole(numbers.get("requests_burst")),
        concurrent=_whole(numbers.get("concurrent_requests")),
    )


def _number(value: object) -> float | None:
    text = cast("dict[str, Any]", value).get("N") if isinstance(value, dict) else None
    try:
        number = float(str(text)) if text is not None else None
    except ValueError:
        return None
    # Less than nothing is nothing; NaN, which compares with nothing, is no number.
    return None if number is None or number != number else min(float(_MOST), max(0.0, number))


def _whole(number: float | None) -> int | None:
    """Whole calls: a part of one is one, for only 0 means none."""
    return None if number is None else int(number) or int(number > 0)
