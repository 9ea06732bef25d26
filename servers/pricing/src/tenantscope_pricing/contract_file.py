"""Contracts as the price book's file writes them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from tenantscope_core.results.documents import DocumentFault, capital, listing, mapping, only, sequence
from tenantscope_core.results.periods import Month

from tenantscope_pricing.book import MINIMUM, Contract, Credit, Discount, Meter, Percentage, Plan, Term, Version
from tenantscope_pricing.fields import QUANTITY_PLACES, day, month, name, needed, number, positive
from tenantscope_pricing.price_file import parse_prices

MAX_TERMS, MAX_CREDITS = 120, 60


def parse_contract(
    tenant: str, value: object, versions: Sequence[Version], meters: Mapping[str, Meter], digits: int
) -> Contract:
    """One entry of `contracts`. A term without `through` lasts until the next one, or without end.

    Raises:
        DocumentFault: It says something that is not understood, or needs a plan that the book does not have.
    """
    at = f"contract `{tenant}`"
    given = mapping(value, at)
    only(given, {"terms", "credits"}, at)
    entries = sequence(needed(given, "terms", at), f"`terms` of {at}")
    if not 1 <= len(entries) <= MAX_TERMS:
        raise DocumentFault(f"{capital(at)} has {len(entries)} terms; it must have 1 to {MAX_TERMS}.")
    terms = _in_order([_term(each, meters, digits, f"term {n} of {at}") for n, each in enumerate(entries, 1)], at)
    lines = {MINIMUM}
    for number_, term in enumerate(terms, start=1):
        for plan in _plans(term, versions, f"term {number_} of {at}"):
            lines |= set(plan.lines)
    sold = sequence(given.get("credits", []), f"`credits` of {at}")
    if len(sold) > MAX_CREDITS:
        raise DocumentFault(f"{capital(at)} has {len(sold)} credits; at most {MAX_CREDITS} are read.")
    made = tuple(_credit(each, lines, digits, f"credit {n} of {at}") for n, each in enumerate(sold, 1))
    if len({credit.name for credit in made}) != len(made):
        raise DocumentFault(f"{capital(at)} has two credits of one name.")
    for credit in made:
        if not any(_has_days_in(term, credit.granted) for term in terms):
            raise DocumentFault(f"{capital(at)} has the credit `{credit.name}` from a month without a term.")
    return Contract(tenant, terms, made)


def _in_order(terms: Sequence[Term], at: str) -> tuple[Term, ...]:
    ended: list[Term] = []
    for term, following in zip(terms, [*terms[1:], None], strict=True):
        if following is not None:
            if following.since <= (term.through or term.since):
                raise DocumentFault(
                    f"{capital(at)} has a term since {following.since}, when the one before still runs."
                )
            term = replace(term, through=term.through or following.since - timedelta(days=1))
        ended.append(term)
    return tuple(ended)


def _term(value: object, meters: Mapping[str, Meter], digits: int, at: str) -> Term:
    given = mapping(value, at)
    only(given, {"plan", "since", "through", "version", "fee", "minimum", "prices", "discount"}, at)
    since = day(needed(given, "since", at), f"`since` of {at}")
    through = day(given["through"], f"`through` of {at}") if "through" in given else None
    if through is not None and through < since:
        raise DocumentFault(f"{capital(at)} ends before it begins.")
    plan = name(needed(given, "plan", at), f"`plan` of {at}")
    pinned = given.get("version")
    if pinned is not None and not isinstance(pinned, str):
        raise DocumentFault(f"`version` of {at} is {pinned!r}; it must be the name of a version, in quotes.")
    fee, minimum = (
        number(given[key], f"`{key}` of {at}", places=digits) if key in given else None for key in ("fee", "minimum")
    )
    prices = (
        parse_prices(given["prices"], meters, digits, f"`prices` of {at}", alone=False) if "prices" in given else ()
    )
    discount = None
    if "discount" in given:
        of = f"`discount` of {at}"
        asked = mapping(given["discount"], of)
        only(asked, {"percent", "lines"}, of)
        percent = positive(needed(asked, "percent", of), f"`percent` of {of}", places=QUANTITY_PLACES)
        if percent > 100:
            raise DocumentFault(f"{capital(of)} is more than 100 percent.")
        discount = Discount(percent, _names(asked.get("lines", []), f"`lines` of {of}"))
    return Term(since, through, plan, pinned, fee, minimum, prices, discount)


def _plans(term: Term, versions: Sequence[Version], at: str) -> list[Plan]:
    """The plan, as it is agreed, in every version that the term is rated by."""
    if term.pinned is not None:
        rated_by = [one for one in versions if one.name == term.pinned]
        if not rated_by:
            raise DocumentFault(f"{capital(at)} is of the version {term.pinned!r}, which the book does not have.")
    else:
        ends = [*(one.effective for one in versions[1:]), None]
        reigns = zip(versions, ends, strict=True)
        rated_by = [one for one, end in reigns if _overlaps(term, one.effective, end)]
    first = min((one.effective for one in rated_by), default=None)
    if first is None or first.first_day > term.since:
        raise DocumentFault(f"{capital(at)} begins on {term.since}, before any version that it could be rated by.")
    plans: list[Plan] = []
    for version in rated_by:
        if term.plan not in version.plans:
            raise DocumentFault(
                f"{capital(at)} needs the plan `{term.plan}`, and version {version.name!r} does not have it: "
                "keep it there, or name another `version`."
            )
        plans.append(term.resolved(version.plans[term.plan]))
        _require_lines(plans[-1], term.discount, f"{at} with version {version.name!r}")
    return plans


def _require_lines(plan: Plan, discount: Discount | None, at: str) -> None:
    """Every line that is named exists, and comes before the one that takes a percentage of it."""
    before = {plan.lines[0]}
    for price in plan.prices:
        named = price.model.of if isinstance(price.model, Percentage) else ()
        if unknown := [line for line in named if line not in before]:
            raise DocumentFault(f"`{price.line}` of {at} is of `{unknown[0]}`, which is no line before it.")
        before.add(price.line)
    if discount is not None and (unknown := [line for line in discount.lines if line not in before]):
        raise DocumentFault(f"`discount` of {at} is of `{unknown[0]}`; the plan has {listing(sorted(before))}.")


def _credit(value: object, lines: set[str], digits: int, at: str) -> Credit:
    given = mapping(value, at)
    only(given, {"name", "amount", "price", "granted", "expires", "lines", "priority"}, at)
    amount = positive(needed(given, "amount", at), f"`amount` of {at}", places=digits)
    granted = month(needed(given, "granted", at), f"`granted` of {at}")
    expires = month(given["expires"], f"`expires` of {at}") if "expires" in given else None
    if expires is not None and expires < granted:
        raise DocumentFault(f"{capital(at)} expires before it is granted.")
    named = _names(given.get("lines", []), f"`lines` of {at}")
    if unknown := [line for line in named if line not in lines]:
        raise DocumentFault(f"{capital(at)} pays for `{unknown[0]}`; the lines are {listing(sorted(lines))}.")
    return Credit(
        name=name(needed(given, "name", at), f"`name` of {at}"),
        amount=amount,
        granted=granted,
        expires=expires,
        price=number(given.get("price", 0), f"`price` of {at}", places=digits),
        lines=named,
        priority=int(number(given.get("priority", 0), f"`priority` of {at}", places=0)),
    )


def _names(value: object, at: str) -> tuple[str, ...]:
    return tuple(name(each, f"an entry of {at}") for each in sequence(value, at))


def _overlaps(term: Term, first: Month, end: Month | None) -> bool:
    begun = term.through is None or term.through >= first.first_day
    return begun and (end is None or term.since < end.first_day)


def _has_days_in(term: Term, month: Month) -> bool:
    return _overlaps(term, month, month.shift(1))
