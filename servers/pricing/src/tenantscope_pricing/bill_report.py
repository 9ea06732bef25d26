"""Bills made presentable: lines with how they came about, the rest as one row, everything adding up."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from tenantscope_core.results.money import round_to_total
from tenantscope_core.results.periods import Month

from tenantscope_pricing.book import ZERO, Book
from tenantscope_pricing.charging import Step
from tenantscope_pricing.models import (
    BillLine,
    CreditRow,
    Estimate,
    EstimateLine,
    OtherLines,
    RatedTerm,
    StepRow,
    TenantBill,
)
from tenantscope_pricing.plan_list import trimmed
from tenantscope_pricing.rating import Bill, Line

MAX_LINES = 20


def tenant_bill(
    book: Book,
    bill: Bill,
    *,
    estimate: Estimate | None,
    missing: Mapping[Month, Sequence[str]],
) -> TenantBill:
    """A bill as it is shown; `missing` are the datasets that have nothing committed, by month."""
    shown, rest = bill.lines[:MAX_LINES], bill.lines[MAX_LINES:]
    return TenantBill(
        terms=[
            RatedTerm(
                plan=part.plan.id,
                first=part.start,
                last=part.end.fromordinal(part.end.toordinal() - 1),
                version=part.version.name,
                hash=part.version.hash,
            )
            for part in bill.segments
        ],
        lines=[_line(book, line) for line in shown],
        other=OtherLines(lines=len(rest), amount=sum((line.amount for line in rest), ZERO)) if rest else None,
        subtotal=_whole(book, bill.subtotal),
        minimum_top_up=_whole(book, sum((line.amount for line in bill.lines if line.kind == "minimum"), ZERO)),
        credits=[
            CreditRow(
                name=use.credit.name,
                paid=_whole(book, use.applied),
                left=_whole(book, use.after),
                expires=None if use.credit.expires is None else str(use.credit.expires),
            )
            for use in bill.credits
        ],
        credits_paid=_whole(book, sum((use.applied for use in bill.credits), ZERO)),
        estimate=estimate,
        nothing_committed_of=list(missing.get(bill.month, ())) or None,
        credits_without_use_of=[str(month) for month in sorted(missing) if month != bill.month] or None,
    )


def estimated(book: Book, bill: Bill, method: str) -> Estimate:
    """A bill of what a month may come to."""
    shown, rest = bill.lines[:MAX_LINES], bill.lines[MAX_LINES:]
    lines = [
        EstimateLine(
            line=line.name,
            quantity=trimmed(line.charge.quantity) if line.charge is not None and line.kind == "usage" else None,
            amount=_whole(book, line.amount),
        )
        for line in shown
    ]
    if rest:
        lines.append(EstimateLine(line="(other)", amount=sum((line.amount for line in rest), ZERO)))
    return Estimate(total=_whole(book, bill.total), lines=lines, method=method)


def _line(book: Book, line: Line) -> BillLine:
    charge = line.charge
    metered = charge is not None and line.kind in ("usage", "percentage")
    steps = charge.steps if charge is not None and metered else ()
    unit = book.meters[line.meter].unit if line.meter is not None else None
    one = steps[0] if len(steps) == 1 else None
    price = one.unit_price if one and charge and not one.fee and one.quantity == charge.billable else None
    return BillLine(
        line=line.name,
        kind=line.kind,
        plan=line.plan,
        quantity=trimmed(charge.quantity) if charge is not None and metered else None,
        unit=unit,
        included=trimmed(charge.included) if charge is not None and charge.included else None,
        unit_price=trimmed(price) if price is not None and line.kind == "usage" else None,
        percent=trimmed(price * 100) if price is not None and line.kind == "percentage" else None,
        steps=None if price is not None else _steps(book, steps, None if line.capped else line.amount + line.discount),
        discount=_whole(book, line.discount) if line.discount else None,
        capped=True if line.capped else None,
        amount=_whole(book, line.amount),
    )


def _steps(book: Book, steps: Sequence[Step], total: Decimal | None) -> list[StepRow] | None:
    """Steps whose amounts sum to the line before its discount; to more where its maximum holds."""
    if not steps:
        return None
    amounts = round_to_total([step.amount for step in steps], unit=book.minor_unit, total=total)
    return [
        StepRow(
            quantity=trimmed(step.quantity), unit_price=trimmed(step.unit_price), fee=step.fee or None, amount=amount
        )
        for step, amount in zip(steps, amounts, strict=True)
    ]


def _whole(book: Book, amount: Decimal) -> Decimal:
    return amount.quantize(book.minor_unit)
