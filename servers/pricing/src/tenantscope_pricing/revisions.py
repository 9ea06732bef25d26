"""What a new book changes of the published one, and whether it leaves the past as it was."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from tenantscope_core.results.periods import Month

from tenantscope_pricing.book import Book, Contract, Credit, Term, Version
from tenantscope_pricing.words import differences

MOST_NAMES = 10


@dataclass(frozen=True, slots=True)
class Revision:
    """What a book would do: changes in sentences, and sentences on closed months that it would alter."""

    changes: tuple[str, ...]
    faults: tuple[str, ...]


def compare(old: Book | None, new: Book, running: Month) -> Revision:
    """A new book against the published one. Months before `running` are closed: what bills them may not change."""
    if old is None:
        plans = {plan for version in new.versions for plan in version.plans}
        return Revision(
            (f"first book: {len(new.versions)} versions, {len(plans)} plans, {len(new.contracts):,} contracts",), ()
        )
    return Revision(tuple(_changes(old, new)), tuple(_faults(old, new, running)))


def _changes(old: Book, new: Book) -> list[str]:
    said: list[str] = []
    if (old.currency, old.rounding) != (new.currency, new.rounding):
        said.append(f"currency and rounding: {old.currency} {old.rounding} → {new.currency} {new.rounding}")
    units = {name: meter.unit for name, meter in new.meters.items()}
    before = {version.name: version for version in old.versions}
    for version in new.versions:
        was = before.pop(version.name, None)
        if was is None:
            said.append(f"version {version.name}: new, effective {version.effective}")
            was = new.version_in(version.effective.shift(-1))
        elif was == version:
            continue
        else:
            said.append(f"version {version.name}: changed" + _moved(was, version))
        said += [f"  {line}" for line in plan_changes(was, version, units)]
    said += [f"version {name}: gone" for name in before]
    said += _named("new contract", [name for name in new.contracts if name not in old.contracts])
    both = [name for name in new.contracts if name in old.contracts]
    said += _named("changed contract", [name for name in both if old.contracts[name] != new.contracts[name]])
    return said + _named("contract gone", [name for name in old.contracts if name not in new.contracts])


def plan_changes(old: Version | None, new: Version, units: dict[str, str]) -> list[str]:
    """What a version changes of the plans of another, plan by plan."""
    before = dict(old.plans) if old is not None else {}
    said: list[str] = []
    for plan_id, plan in new.plans.items():
        was = before.pop(plan_id, None)
        if was is None:
            said.append(f"{plan_id}: new plan")
        elif was != plan:
            said.append(f"{plan_id}: {'; '.join(differences(was, plan, units))}")
    return said + [f"{plan_id}: no longer offered" for plan_id in before]


def _moved(old: Version, new: Version) -> str:
    return "" if old.effective == new.effective else f", effective {old.effective} → {new.effective}"


def _named(what: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return [f"{what}{'' if len(names) == 1 else 's'} ({len(names):,}): {', '.join(names[:MOST_NAMES])}{more}"]


def _faults(old: Book, new: Book, running: Month) -> list[str]:
    """Sentences on what differs for the months before `running`."""
    said: list[str] = []
    if not any(version.effective < running for version in (*old.versions, *new.versions)):
        return said
    if (old.currency, old.rounding) != (new.currency, new.rounding):
        said.append("currency and rounding are those of closed months and cannot change")
    past = {version.name: version for version in old.versions if version.effective < running}
    for version in new.versions:
        was = past.pop(version.name, None)
        if was is None and version.effective < running:
            said.append(f"version {version.name} would be effective {version.effective}, in a closed month")
        elif was is not None and was != version:
            said.append(f"version {version.name} rated closed months and cannot change; make a new one")
    said += [f"version {name} rated closed months and is missing" for name in past]
    of_terms = {price.meter for one in old.contracts.values() for term in one.terms for price in term.prices}
    changed = [name for name in of_terms if name is not None and old.meters[name] != new.meters.get(name)]
    said += [f"meter {name} is one that contracts were rated by and cannot change" for name in sorted(changed)]
    touched = [
        tenant
        for tenant in dict.fromkeys([*old.contracts, *new.contracts])
        if _closed(old.contracts.get(tenant), running) != _closed(new.contracts.get(tenant), running)
    ]
    return said + [f"{line} would change bills of closed months" for line in _named("contract", touched)]


def _closed(contract: Contract | None, running: Month) -> tuple[tuple[Term, ...], tuple[Credit, ...]]:
    """The part of a contract that closed months are billed by."""
    if contract is None:
        return (), ()
    last = running.first_day - timedelta(days=1)
    terms = [
        replace(term, through=last if term.through is None else min(term.through, last))
        for term in contract.terms
        if term.since <= last
    ]
    return tuple(terms), tuple(one for one in contract.credits if one.granted < running)
