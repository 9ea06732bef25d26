"""What a bill leaves out where it is too large: each kind counted, and amounts still summing to the total."""

from collections.abc import Callable

from tenantscope_pricing.book import ZERO
from tenantscope_pricing.models import BillLine, BillReport, OtherCredits, OtherLines, TenantBill
from tenantscope_pricing.room import ROOM_BYTES, Less, fitted


def fitted_bill(answer: BillReport, *, room: int = ROOM_BYTES) -> BillReport:
    """The bill within its room, `truncated` where anything was left out.

    In this order: steps, earlier months that credits lack use of, the first of the terms, the last of the credits, the
    last of the lines.
    """
    return fitted(answer, _ORDER, room=room)


def _without_steps(line: BillLine) -> BillLine:
    if line.steps is None:
        return line
    return line.model_copy(update={"steps": None, "step_count": len(line.steps)})


def _steps(bill: TenantBill) -> TenantBill:
    return bill.model_copy(update={"lines": [_without_steps(line) for line in bill.lines]})


def _months(bill: TenantBill) -> TenantBill:
    months = bill.credits_without_use_of
    if months is None:
        return bill
    return bill.model_copy(update={"credits_without_use_of": None, "credits_without_use_count": len(months)})


def _first_term(bill: TenantBill) -> TenantBill:
    if len(bill.terms) < 2:
        return bill
    return bill.model_copy(
        update={"terms": bill.terms[1:], "term_count": len(bill.terms) if bill.term_count is None else bill.term_count}
    )


def _last_credit(bill: TenantBill) -> TenantBill:
    if not bill.credits:
        return bill
    *shown, last = bill.credits
    before = bill.other_credits or OtherCredits(credits=0, paid=ZERO, left=ZERO)
    other = OtherCredits(credits=before.credits + 1, paid=before.paid + last.paid, left=before.left + last.left)
    return bill.model_copy(update={"credits": shown, "other_credits": other})


def _last_line(bill: TenantBill) -> TenantBill:
    if len(bill.lines) < 2:
        return bill
    *shown, last = bill.lines
    before = bill.other or OtherLines(lines=0, amount=ZERO)
    other = OtherLines(lines=before.lines + 1, amount=before.amount + last.amount)
    return bill.model_copy(update={"lines": shown, "other": other})


def _in_bill(change: Callable[[TenantBill], TenantBill]) -> Less[BillReport]:
    def less(answer: BillReport) -> BillReport | None:
        if answer.tenant is None or (bill := change(answer.tenant)) == answer.tenant:
            return None
        return answer.model_copy(update={"tenant": bill, "truncated": True})

    return less


_ORDER: tuple[Less[BillReport], ...] = tuple(
    _in_bill(change) for change in (_steps, _months, _first_term, _last_credit, _last_line)
)
