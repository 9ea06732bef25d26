"""What one process has counted of each tenant since it last told Valkey."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tenantscope_core.identity.caller import Audience
from tenantscope_core.metering.calls import CallRecord

MINUTES_KEPT = 10
FIELDS = ("calls", "refused", "failed", "milliseconds", "answer_bytes", "answer_tokens")
"""What is summed up over a month, in this order."""

_SWITCHED_OFF = frozenset({"tenant_suspended", "tenant_not_registered"})
_OUR_FAULTS = frozenset({"unavailable", "internal_error", "data_fault", "not_set_up"})
_UNSETTLED = frozenset({"ok", "cancelled"})


def month_of(now: datetime) -> str:
    """`2026-11`, in UTC as `now` is."""
    return f"{now:%Y-%m}"


def minute_of(now: datetime) -> int:
    """Whole minutes since 1970."""
    return int(now.timestamp() // 60)


@dataclass(slots=True)
class Tally:
    """One tenant's calls: sums of each month, calls let in each minute, and when the last one came."""

    months: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    minutes: dict[int, int] = field(default_factory=dict[int, int])
    last: datetime | None = None

    def add(self, record: CallRecord, now: datetime) -> None:
        """Count a call that has ended now."""
        failed = record.outcome in _OUR_FAULTS
        refused = not failed and record.outcome not in _UNSETTLED
        call = (1, refused, failed, record.milliseconds, record.answer_bytes, record.answer_tokens)
        sums = self.months.setdefault(month_of(now), [0.0] * len(FIELDS))
        for place, amount in enumerate(call):
            sums[place] += amount
        if record.audience != Audience.TENANT:
            return  # the provider at work on a tenant does not make it an active one
        self.last = now
        if record.outcome != "rate_limited":
            minute = minute_of(now)
            self.minutes[minute] = self.minutes.get(minute, 0) + 1
            for old in [known for known in self.minutes if known <= minute - MINUTES_KEPT]:
                del self.minutes[old]


class Tallies:
    """The tallies of many tenants. Once there are `max_tenants`, others are not counted until these are taken."""

    def __init__(self, max_tenants: int) -> None:
        self._max_tenants = max_tenants
        self._of: dict[str, Tally] = {}
        self.left_out = 0
        """Calls that were not counted for want of room, since the last `take`."""

    def __len__(self) -> int:
        return len(self._of)

    def add(self, record: CallRecord, now: datetime) -> None:
        """Count a call of a tenant; a tenant that the registry has switched off leaves no trace."""
        if record.tenant is None or record.outcome in _SWITCHED_OFF:
            return
        tally = self._of.get(record.tenant)
        if tally is None:
            if len(self._of) >= self._max_tenants:
                self.left_out += 1
                return
            tally = self._of[record.tenant] = Tally()
        tally.add(record, now)

    def take(self) -> Iterable[tuple[str, Tally]]:
        """All of them by tenant, which from now on are counted anew."""
        taken, self._of, self.left_out = self._of, {}, 0
        return taken.items()


def last_full_minute(now: datetime) -> int:
    """The minute before the one that runs."""
    return minute_of(now - timedelta(minutes=1))
