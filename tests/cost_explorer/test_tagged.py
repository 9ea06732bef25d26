"""Requests to Cost Explorer and what is read of its answers, for any bill, tenant and question."""

from datetime import date, timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest
from cost_explorer.explorer_server import Charge, Explorer, fits, matches
from hypothesis import given
from hypothesis import strategies as st
from tenantscope_core.credentials.clients import new_session
from tenantscope_core.results.periods import Month, Period
from tenantscope_cost_explorer.tagged import (
    NONE,
    Question,
    Tags,
    Unreadable,
    cost_sums,
    costs_of,
    latest_month,
    period_before,
    request_of,
    tenant_sums,
)

pytestmark = pytest.mark.requirement("tagged-cost-of-one-tenant")

TAGS = Tags("TenantId", "feature", "env")
TODAY = date(2026, 10, 5)
TENANTS = ["acme", "Acme", "acme_corp", "globex"]
PERIOD = Period.of_months(Month(2026, 9), Month(2026, 9))
NAMES = {
    "service": ["S3", "EC2"],
    "charge_category": ["Usage", "Credit"],
    "feature": ["search", NONE],
    "environment": ["prod", NONE],
}
VALUES = [(name, value) for name, values in NAMES.items() for value in values]

charges = st.builds(
    Charge,
    day=st.dates(date(2026, 8, 1), date(2026, 9, 30)),
    service=st.sampled_from(NAMES["service"]),
    amount=st.decimals(-1_000, 1_000, places=6),
    tags=st.fixed_dictionaries(
        {}, optional={"TenantId": st.sampled_from(TENANTS), "feature": st.just("search"), "env": st.just("prod")}
    ),
    record=st.sampled_from(NAMES["charge_category"]),
)
questions = st.builds(
    Question,
    st.just(date(2026, 8, 1)),
    st.just(date(2026, 10, 1)),
    st.booleans(),
    st.sampled_from([None, *NAMES]),
    st.lists(st.sampled_from(VALUES), max_size=4, unique_by=itemgetter(0)).map(tuple),
)


def label(charge: Charge, group: str) -> str:
    told = {"service": charge.service, "charge_category": charge.record}
    return told.get(group) or charge.tags.get("env" if group == "environment" else group) or NONE


@given(bill=st.lists(charges, max_size=30), tenant=st.sampled_from(TENANTS), question=questions)
def test_a_tenants_answer_is_the_sum_of_its_own_charges_that_match_and_of_no_other(
    bill: list[Charge], tenant: str, question: Question
):
    request = request_of(question, TAGS, "AmortizedCost", tenant=tenant, view=None)
    taken = [one for one in bill if matches(one, request["Filter"])]
    assert {one.tags["TenantId"] for one in taken} <= {tenant}
    answer = Explorer(bill, today=TODAY).answer(request)
    costs = costs_of(answer, question, TAGS, "AmortizedCost", tenant=tenant)
    group = question.group or "month"
    wanted: dict[str, list[Decimal]] = {}
    for one in bill:
        told = all(label(one, name) == value for name, value in question.filters)
        if one.tags.get("TenantId") == tenant and told:
            name = label(one, question.group) if question.group else f"{one.day:%Y-%m}"
            wanted.setdefault(name, [Decimal(0), Decimal(0)])[one.day < PERIOD.start] += one.amount
    found = {one.name: [one.cost, one.before] for one in cost_sums(costs, PERIOD, group, method="direct")}
    assert {name: sums for name, sums in found.items() if any(sums)} == {
        name: sums for name, sums in wanted.items() if any(sums)
    }


@given(bill=st.lists(charges, max_size=30))
def test_tenants_and_residual_sum_to_the_bill(bill: list[Charge]):
    question = Question(date(2026, 8, 1), date(2026, 10, 1), daily=False, by_tenant=True)
    request = request_of(question, TAGS, "AmortizedCost", tenant=None, view=None)
    costs = costs_of(Explorer(bill, today=TODAY).answer(request), question, TAGS, "AmortizedCost", tenant=None)
    sums = tenant_sums(costs, PERIOD).get("USD", [])
    assert sum(one.total for one in sums) == sum(one.amount for one in bill if one.day >= PERIOD.start)
    assert sum(one.before for one in sums) == sum(one.amount for one in bill if one.day < PERIOD.start)


PAGE: dict[str, Any] = {
    "ResultsByTime": [
        {
            "TimePeriod": {"Start": "2026-09-01", "End": "2026-10-01"},
            "Groups": [
                {"Keys": ["TenantId$acme", "S3"], "Metrics": {"AmortizedCost": {"Amount": "1.5E-7", "Unit": "USD"}}}
            ],
        }
    ]
}


def page(**changes: Any) -> dict[str, Any]:
    (result,) = PAGE["ResultsByTime"]
    (group,) = result["Groups"]
    return {"ResultsByTime": [{**result, "Groups": [{**group, **changes}]}]}


QUESTION = Question(date(2026, 9, 1), date(2026, 10, 1), daily=False, group="service")


def test_amounts_are_read_exactly_however_they_are_written():
    (cost,) = costs_of(page(), QUESTION, TAGS, "AmortizedCost", tenant="acme")
    assert (cost.amount, cost.name, cost.currency) == (Decimal("0.00000015"), "S3", "USD")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        page(Keys=["TenantId$globex", "S3"]),
        page(Keys=["TenantId$", "S3"]),
        page(Keys=["TenantId$ACME", "S3"]),
        page(Keys=["OtherTag$acme", "S3"]),
        page(Keys=["S3"]),
        page(Keys=["TenantId$acme"]),
        page(Keys=["TenantId$acme", "S3", "more"]),
        page(Keys=None),
        page(Metrics={}),
        page(Metrics={"AmortizedCost": {"Amount": "NaN", "Unit": "USD"}}),
        page(Metrics={"AmortizedCost": {"Amount": "much", "Unit": "USD"}}),
    ],
)
def test_an_answer_that_is_not_to_the_question_is_not_read(answer: dict[str, Any]):
    with pytest.raises(Unreadable):
        costs_of(answer, QUESTION, TAGS, "AmortizedCost", tenant="acme")


@pytest.mark.parametrize(("today", "latest"), [(date(2026, 10, 1), "2026-09"), (date(2026, 10, 2), "2026-10")])
def test_the_latest_month_is_the_one_of_yesterday(today: date, latest: str):
    assert str(latest_month(today)) == latest


def test_no_period_is_compared_with_one_that_aws_threw_away():
    of_month = Period.of_months(Month(2025, 10), Month(2025, 10))
    assert str(period_before(of_month, TODAY)) == "2025-09"
    assert period_before(Period.of_months(Month(2025, 9), Month(2025, 9)), TODAY) is None


class Sent(Exception):
    """Where a request would have gone; nothing is sent."""


def test_wherever_the_server_is_the_request_goes_to_the_one_region_of_the_service_and_is_signed_for_it():
    def send(request: AWSPreparedRequest, **_: Any) -> None:
        raise Sent(request.url, str(request.headers["Authorization"]))

    client: Any = new_session().create_client(
        "ce", region_name="eu-central-1", aws_access_key_id="AKIA", aws_secret_access_key="secret"
    )
    client.meta.events.register("before-send.cost-explorer.GetCostAndUsage", send)
    with pytest.raises(Sent) as sent:
        client.get_cost_and_usage(**request_of(QUESTION, TAGS, "AmortizedCost", tenant="acme", view=None))
    url, signature = sent.value.args
    assert url == "https://ce.us-east-1.amazonaws.com/"
    assert "/us-east-1/ce/aws4_request" in signature


@given(question=questions, tenant=st.sampled_from([None, *TENANTS]))
def test_every_request_fits_the_services_model(question: Question, tenant: str | None):
    request = request_of(question, TAGS, "NetAmortizedCost", tenant=tenant, view=None)
    model = new_session().get_service_model("ce").operation_model("GetCostAndUsage")
    fits(request, model.input_shape)
    assert len(request.get("GroupBy", [])) <= 2
    assert timedelta(0) < question.end - question.start
