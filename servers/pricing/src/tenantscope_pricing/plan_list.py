"""The price book made presentable: plans with their prices, versions, one tenant's contract."""

from collections.abc import Mapping
from decimal import Decimal

from tenantscope_core.results.errors import NotFound
from tenantscope_core.results.names import hint
from tenantscope_core.results.periods import Month

from tenantscope_pricing.book import (
    Book,
    Contract,
    Credit,
    Flat,
    Package,
    Percentage,
    PerUnit,
    Plan,
    Price,
    Term,
    Tiered,
    Version,
)
from tenantscope_pricing.models import (
    ContractRow,
    CreditTerms,
    PlanRow,
    PriceRow,
    TermRow,
    TierRow,
    VersionRow,
)
from tenantscope_pricing.price_file import kind_of
from tenantscope_pricing.segments import segments
from tenantscope_pricing.words import differences, plain, price_in_words

MAX_PRICES_SHOWN, MAX_TERMS_SHOWN, MAX_VERSIONS_SHOWN = 24, 6, 8
MAX_AGREED_SHOWN = 24
"""Of what is agreed apart from the plans, over all terms, that of the newest first."""


def trimmed(value: Decimal) -> Decimal:
    """A number without needless zeros and without an exponent."""
    return Decimal(f"{value:f}".rstrip("0").rstrip(".") or "0") if value != value.to_integral_value() else value // 1


def version_rows(book: Book, now: Month) -> list[VersionRow]:
    """The newest versions, in order of time."""
    current = book.version_in(now)
    return [
        VersionRow(
            version=one.name,
            hash=one.hash,
            effective=str(one.effective),
            status="current" if one == current else "coming" if one.effective > now else "past",
        )
        for one in book.versions[-MAX_VERSIONS_SHOWN:]
    ]


def plans_in(book: Book, month: Month, contract: Contract | None) -> tuple[Version | None, dict[str, Plan], set[str]]:
    """The version and the plans of a month, as the tenant of a contract has them, and which of them are its own."""
    version = book.version_in(month)
    plans = dict(version.plans) if version is not None else {}
    own: set[str] = set()
    for part in segments(book, contract, month) if contract is not None else ():
        plans[part.plan.id] = part.plan
        own.add(part.plan.id)
    return version, plans, own


def plan_rows(
    book: Book, month: Month, contract: Contract | None, *, asked: str | None, fleet: bool
) -> tuple[list[PlanRow], list[str]]:
    """The plans of a month, the tenant's own first, as far as there is room; and the names of the others.

    Raises:
        NotFound: The plan that is asked for is not there; the nearest are named.
    """
    _, plans, own = plans_in(book, month, contract)
    if asked is not None:
        if asked not in plans:
            raise NotFound(f"There is no plan {asked!r} in {month}; {hint(asked, list(plans))}.", parameter="plan")
        plans = {asked: plans[asked]}
    after = _next_version(book, month)
    counts = _counts(book, month) if fleet else None
    units = {name: meter.unit for name, meter in book.meters.items()}
    rows: list[PlanRow] = []
    others: list[str] = []
    room = MAX_PRICES_SHOWN
    for plan in sorted(plans.values(), key=lambda plan: plan.id not in own):
        if rows and (others or len(plan.prices) + 1 > room):
            others.append(plan.id)
            continue
        room -= len(plan.prices) + 1
        row = _plan(plan, units)
        rows.append(
            row.model_copy(
                update={
                    "yours": True if plan.id in own else None,
                    "tenants": None if counts is None else counts.get(plan.id, 0),
                    "coming": _coming(book, month, plan, after, contract if plan.id in own else None, units) or None,
                }
            )
        )
    return rows, others


def contract_row(book: Book, contract: Contract) -> ContractRow:
    """A contract, its newest terms and its credits."""
    units = {name: meter.unit for name, meter in book.meters.items()}
    terms: list[TermRow] = []
    room = MAX_AGREED_SHOWN
    for term in contract.terms[: -MAX_TERMS_SHOWN - 1 : -1]:
        agreed = _agreed(term, units)
        more = [f"and {len(agreed) - room} more"] if len(agreed) > room else []
        terms.append(_term(term, [*agreed[:room], *more]))
        room = max(0, room - len(agreed))
    return ContractRow(
        tenant_id=contract.tenant,
        terms=terms[::-1],
        term_count=len(contract.terms),
        credits=[_credit(credit) for credit in contract.credits[-MAX_TERMS_SHOWN:]],
        credit_count=len(contract.credits),
    )


def _next_version(book: Book, month: Month) -> Version | None:
    return next((one for one in book.versions if one.effective > month), None)


def _coming(
    book: Book, month: Month, plan: Plan, after: Version | None, contract: Contract | None, units: dict[str, str]
) -> list[str]:
    if after is None:
        return []
    if contract is not None:
        later = {part.plan.id: part.plan for part in segments(book, contract, after.effective)}
        changed = later.get(plan.id)
    else:
        changed = after.plans.get(plan.id)
        if changed is None:
            return [f"from {after.effective}: no longer offered"]
    if changed is None or changed == plan:
        return []
    return [f"from {after.effective}: {each}" for each in differences(plan, changed, units)]


def _counts(book: Book, month: Month) -> dict[str, int]:
    counts: dict[str, int] = {}
    for contract in book.contracts.values():
        for plan in {part.plan.id for part in segments(book, contract, month)}:
            counts[plan] = counts.get(plan, 0) + 1
    return counts


def _plan(plan: Plan, units: Mapping[str, str]) -> PlanRow:
    return PlanRow(
        plan=plan.id,
        name=plan.name,
        public=plan.public,
        fee=plan.fee,
        minimum=plan.minimum or None,
        proration="day" if plan.prorated else "none",
        features=list(plan.features),
        prices=[_price(price, units.get(price.meter or "")) for price in plan.prices],
    )


def _price(price: Price, unit: str | None) -> PriceRow:
    model = price.model
    tiers = (
        [_tier(tier.up_to, tier.unit_price, tier.fee) for tier in model.tiers] if isinstance(model, Tiered) else None
    )
    return PriceRow(
        line=price.line,
        words=price_in_words(price, unit or "unit"),
        model=kind_of(model),
        meter=price.meter if price.meter != price.line else None,
        unit=unit,
        included=trimmed(price.included) if price.included else None,
        amount=model.amount if isinstance(model, Flat) else None,
        unit_price=trimmed(model.unit_price) if isinstance(model, PerUnit) else None,
        tiers=tiers,
        package_size=trimmed(model.size) if isinstance(model, Package) else None,
        package_price=trimmed(model.price) if isinstance(model, Package) else None,
        percent=trimmed(model.percent) if isinstance(model, Percentage) else None,
        of=list(model.of) or None if isinstance(model, Percentage) else None,
        minimum=price.minimum or None,
        maximum=price.maximum,
    )


def _tier(up_to: Decimal | None, unit_price: Decimal, fee: Decimal) -> TierRow:
    return TierRow(up_to=None if up_to is None else trimmed(up_to), unit_price=trimmed(unit_price), fee=fee or None)


def _agreed(term: Term, units: Mapping[str, str]) -> list[str]:
    agreed = [f"fee {term.fee}"] if term.fee is not None else []
    agreed += [f"minimum {term.minimum}"] if term.minimum is not None else []
    agreed += [f"{one.line}: {price_in_words(one, units.get(one.meter or '', 'unit'))}" for one in term.prices]
    if term.discount is not None:
        off = ", ".join(term.discount.lines) or "every line but minimums"
        agreed.append(f"{plain(term.discount.percent)} % off {off}")
    return agreed


def _term(term: Term, agreed: list[str]) -> TermRow:
    return TermRow(
        plan=term.plan, since=term.since, through=term.through, pinned_version=term.pinned, agreed=agreed or None
    )


def _credit(credit: Credit) -> CreditTerms:
    return CreditTerms(
        name=credit.name,
        amount=credit.amount,
        price=credit.price or None,
        granted=str(credit.granted),
        expires=None if credit.expires is None else str(credit.expires),
        pays_for=list(credit.lines) or None,
    )
