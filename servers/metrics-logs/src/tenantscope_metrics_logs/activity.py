"""Whether a tenant is active, fading, dormant, new or back, judged against its own past; every verdict says why.

Weeks are seven days that end on the day judged from. The last four stand against the eight before them, each by its
median, so that one burst or one quiet week decides nothing; a fall has to be large, beyond the usual spread, and beyond
what the fleet fell by. The spread is that of the changes from week to week, so that a steady decline is not taken for
it: 1.4826 times their median absolute deviation, over the square root of two; at least the root that a count varies by.
Silence is measured in the tenant's own rhythm: the mean number of days from one day of use to the next.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from statistics import median

from tenantscope_metrics_logs.models import State

RECENT_WEEKS, BASELINE_WEEKS, LEAST_BASELINE_WEEKS = 4, 8, 4
WEEKS = 26
"""How many weeks back are looked at, so that a silent tenant's usual use is known."""
FALL = 0.3
SPREADS = 2.0
LEAST_WEEKLY = 5.0
LEAST_DAYS = 5
NEW_DAYS = 28
QUIET_DAYS, QUIET_RHYTHMS = 7, 5
DORMANT_DAYS, DORMANT_DAYS_MOST, DORMANT_RHYTHMS = 21, 60, 3
FLEET_TENANTS = 10
"""Fewer tenants than this say nothing about a season."""

MEANS: Mapping[State, str] = {
    "fading": f"fell by {FALL * 100:.0f} % or more against its own {BASELINE_WEEKS}-week median, beyond its usual "
    f"spread and the fleet's fall; or silent for {QUIET_RHYTHMS} of its usual intervals, {QUIET_DAYS} days at least",
    "dormant": f"silent for {DORMANT_RHYTHMS} of its usual intervals, {DORMANT_DAYS} days at least, and "
    f"{DORMANT_DAYS_MOST} in any case",
    "unclear": f"too short to tell: less than {RECENT_WEEKS + LEAST_BASELINE_WEEKS} weeks of history",
    "returning": f"back within {NEW_DAYS} days after a silence that made it dormant",
    "new": f"first request within {NEW_DAYS} days, after {DORMANT_DAYS} or more days of data without it",
    "active": "none of these",
}
"""The states, the most worrying first, and the rule of each."""
_ORDER = {state: place for place, state in enumerate(MEANS)}


@dataclass(frozen=True, slots=True)
class History:
    """What is known of a tenant up to the day judged from.

    `first` and `last` are its first and last day with a request, `days` how many such days there are. `pause` is its
    longest silence, in days from one request to the next, that ended in the last 28 days, on the day `back`. `weeks`
    are requests, the newest week first.
    """

    tenant: str
    first: date
    last: date
    days: int
    weeks: Sequence[float]
    pause: int = 0
    back: date | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A tenant's state and why; `recent` and `usual` are requests a week, `usual` None where it is not known."""

    history: History
    state: State
    rule: str
    recent: float
    usual: float | None

    @property
    def lost(self) -> float:
        """How many requests a week fewer than usual; what worry is measured in."""
        return 0.0 if self.usual is None else self.usual - self.recent


def judge_all(histories: Sequence[History], *, as_of: date, known_from: date) -> list[Verdict]:
    """Every tenant's verdict, the most worrying first."""
    season = _season(histories, as_of)
    verdicts = [judge(one, as_of=as_of, known_from=known_from, season=season) for one in histories]
    return sorted(verdicts, key=lambda one: (_ORDER[one.state], -one.lost, one.history.tenant))


def judge(history: History, *, as_of: date, known_from: date, season: float = 1.0) -> Verdict:
    """The verdict on one tenant.

    Args:
        history: What is known of it.
        as_of: The day judged from; nothing in the history is later.
        known_from: The first day of which anything is known of anybody.
        season: What the median tenant's use came to, as a multiple of its usual.
    """
    silent, rhythm = (as_of - history.last).days, _rhythm(history)
    dormant_after = round(min(max(DORMANT_DAYS, DORMANT_RHYTHMS * rhythm), DORMANT_DAYS_MOST))
    recent, usual = _recent(history, as_of), _usual(history, as_of)

    def verdict(state: State, rule: str) -> Verdict:
        return Verdict(history, state, rule, recent, usual)

    if silent >= dormant_after:
        rule = f"no request for {silent} days; {dormant_after} make it dormant, for it used to come {_every(rhythm)}"
        return Verdict(history, "dormant", rule, recent, _usual_before_silence(history, as_of))
    if (as_of - history.first).days < NEW_DAYS and (history.first - known_from).days >= DORMANT_DAYS:
        quiet = f", silent for {silent} days since" if silent >= QUIET_DAYS else ""
        return verdict("new", f"first request {_ago(as_of, history.first)}{quiet}")
    if history.back is not None and history.pause >= dormant_after and (as_of - history.back).days < NEW_DAYS:
        return verdict("returning", f"back {_ago(as_of, history.back)}, after {history.pause} days of silence")
    if history.days >= LEAST_DAYS and silent >= min(max(QUIET_DAYS, QUIET_RHYTHMS * rhythm), dormant_after):
        return verdict("fading", f"no request for {silent} days; it used to come {_every(rhythm)}")
    if usual is None:
        weeks = _whole_weeks(history, as_of)
        needed = RECENT_WEEKS + LEAST_BASELINE_WEEKS
        return verdict("unclear", f"too short to tell: {weeks} whole weeks of history, {needed} are needed")
    if usual < LEAST_WEEKLY:
        return verdict(
            "active", f"too little use to compare: {usual:g} requests a week is its {_median(history, as_of)}"
        )
    change = f"{_change(recent / usual)} against its own {_median(history, as_of)}"
    if _has_fallen(history, as_of, recent, usual, season):
        fleet = f"; the median tenant {_change(season)}" if season != 1.0 else ""
        return verdict("fading", f"requests {change}{fleet}")
    return verdict("active", f"requests {change}")


def counts(verdicts: Iterable[Verdict]) -> dict[State, int]:
    """How many tenants are in each state, all states in order."""
    found = dict.fromkeys(MEANS, 0)
    for one in verdicts:
        found[one.state] += 1
    return found


def _season(histories: Sequence[History], as_of: date) -> float:
    """What the median tenant's recent weeks are to its usual ones; 1 where too few can be compared."""
    compared = [(_recent(one, as_of), _usual(one, as_of)) for one in histories]
    ratios = [recent / usual for recent, usual in compared if usual is not None and usual >= LEAST_WEEKLY]
    return median(ratios) if len(ratios) >= FLEET_TENANTS else 1.0


def _has_fallen(history: History, as_of: date, recent: float, usual: float, season: float) -> bool:
    expected = usual * min(season, 1.0)
    large = recent <= (1 - FALL) * expected
    return large and expected - recent > SPREADS * max(_spread(_baseline(history, as_of)), math.sqrt(usual))


def _spread(weeks: Sequence[float]) -> float:
    """By how much a week differs from what the others lead one to expect; robust, and blind to a steady trend."""
    changes = [later - earlier for later, earlier in pairwise(weeks)]
    usual = median(changes)
    return 1.4826 * median(abs(change - usual) for change in changes) / math.sqrt(2)


def _whole_weeks(history: History, as_of: date) -> int:
    """Whole weeks up to a day that lie within what is known of the tenant."""
    return max((as_of - history.first).days + 1, 0) // 7


def _recent(history: History, as_of: date) -> float:
    return median(history.weeks[: max(1, min(RECENT_WEEKS, _whole_weeks(history, as_of)))])


def _baseline(history: History, as_of: date, after: int = RECENT_WEEKS) -> Sequence[float]:
    """The weeks that count as usual: those before the `after` newest, as far as the tenant was known."""
    return history.weeks[after : min(after + BASELINE_WEEKS, _whole_weeks(history, as_of))]


def _usual(history: History, as_of: date, after: int = RECENT_WEEKS) -> float | None:
    baseline = _baseline(history, as_of, after)
    return median(baseline) if len(baseline) >= LEAST_BASELINE_WEEKS else None


def _usual_before_silence(history: History, as_of: date) -> float | None:
    return _usual(history, as_of, (as_of - history.last).days // 7 + 1)


def _rhythm(history: History) -> float:
    """Days from one day of use to the next, in the mean; 1 where there is only one."""
    return (history.last - history.first).days / (history.days - 1) if history.days > 1 else 1.0


def _median(history: History, as_of: date) -> str:
    return f"{len(_baseline(history, as_of))}-week median"


def _every(rhythm: float) -> str:
    return "daily" if rhythm < 1.5 else f"every {rhythm:.0f} days"


def _ago(as_of: date, day: date) -> str:
    days = (as_of - day).days
    return f"{days} day{'' if days == 1 else 's'} ago"


def _change(ratio: float) -> str:
    percent = round((ratio - 1) * 100)
    return "unchanged" if percent == 0 else f"{'rose' if percent > 0 else 'fell'} {abs(percent)} %"
