"""Cost Explorer's API over HTTP: what leaves the process names one tenant, is signed by its session, is paid once."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import anyio
import pytest
from cost_explorer.explorer_server import Charge, Explorer, refusal, tenant_filter
from fixtures.clock import Clock
from fixtures.grants import OpenVault, grant
from fixtures.sts_server import SECRET_TEXT, Received, Reply, StsServer
from fixtures.vaults import clients as clients
from fixtures.vaults import clock as clock
from fixtures.vaults import open_vault as open_vault
from fixtures.vaults import process_identity as process_identity
from fixtures.vaults import server as server
from fixtures.vaults import sts as sts
from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.results.errors import (
    DataFault,
    InvalidArgument,
    NotFound,
    NotPermitted,
    NotSetUp,
    RateLimited,
    ToolFailure,
    Unavailable,
)
from tenantscope_cost_explorer.breakdown import CostSum
from tenantscope_cost_explorer.sources.explorer import api
from tenantscope_cost_explorer.sources.explorer.api import CostExplorerApi, Views
from tenantscope_cost_explorer.sources.explorer.costs import TaggedCosts
from tenantscope_cost_explorer.sources.explorer.kept import Kept, KeptAnswers
from tenantscope_cost_explorer.tagged import TaggedCost, Tags

pytestmark = pytest.mark.requirement("tagged-cost-of-one-tenant")

S3, EC2 = "Amazon Simple Storage Service", "Amazon Elastic Compute Cloud - Compute"
TAGS = Tags("TenantId", feature="feature")
VIEW = "arn:aws:billing::210000000001:billingview/custom-46f47cb2-a11d-43f3-983d-470b5708a899"
OTHER_VIEW = "arn:aws:billing::210000000001:billingview/custom-d3f9c7e4-8b2f-4a6e-9d3b-2f7c8a1e5f6d"
Session = Callable[..., AbstractAsyncContextManager[TenantSession]]


def charge(day: str, service: str, amount: str, tenant: str | None = None, **more: Any) -> Charge:
    tags = {"TenantId": tenant} if tenant else {}
    tags |= {"feature": more.pop("feature")} if "feature" in more else {}
    return Charge(date.fromisoformat(day), service, Decimal(amount), tags, **more)


BILL = [
    charge("2026-08-03", S3, "10.10", "acme"),
    charge("2026-08-20", EC2, "4.405", "acme", feature="search"),
    charge("2026-09-01", S3, "12.305", "acme"),
    charge("2026-09-15", EC2, "7.70", "acme", feature="search"),
    charge("2026-09-16", EC2, "-1.20", "acme", feature="search", record="Credit"),
    charge("2026-09-16", EC2, "900", "Acme"),
    charge("2026-09-20", S3, "80.01", "globex"),
    charge("2026-09-21", S3, "33.33"),
    charge("2026-10-02", S3, "1.00", "acme"),
]
"""The clock of these tests stands on the fifth of October 2026."""


@pytest.fixture
def explorer(server: StsServer, clock: Clock) -> Explorer:
    """The service, behind the address that everything but STS has."""
    explorer = server.on_s3 = Explorer(BILL, today=clock().date())
    return explorer


@pytest.fixture
def session(open_vault: OpenVault) -> Session:
    @asynccontextmanager
    async def opened(tenant: str | None = "acme") -> AsyncGenerator[TenantSession]:
        of_provider = {"is_provider": True, "subject": "staff"} if tenant is None else {}
        async with open_vault() as vault:
            yield await vault.session_for(grant(tenant, **of_provider))

    return opened


def costs(clock: Clock, views: Views | None = None, *, tags: Tags = TAGS, **changes: Any) -> TaggedCosts:
    given: dict[str, Any] = {"budget_usd": Decimal(5), "most_requests": 10, "clock": clock, **changes}
    return TaggedCosts(CostExplorerApi(tags, "AmortizedCost", views or Views(), **given), clock=clock)


def by_name(sums: list[CostSum]) -> dict[str, tuple[Decimal, Decimal]]:
    return {one.name: (one.cost, one.before) for one in sums}


async def test_a_tenant_without_an_export_is_told_what_its_tagged_charges_cost_and_what_asking_did(
    session: Session, explorer: Explorer, clock: Clock
):
    async with session() as aws:
        sums, known = await costs(clock).sums(aws, "2026-09", "service", {})
    assert by_name(sums) == {
        S3: (Decimal("12.305"), Decimal("10.10")),
        EC2: (Decimal("6.50"), Decimal("4.405")),
    }
    assert {one.method for one in sums} == {"direct"}
    assert (str(known.period), str(known.before), known.metric) == ("2026-09", "2026-08", "AmortizedCost")
    source = known.source
    assert (source.api_requests, source.api_cost_usd, source.cached_at) == (1, Decimal("0.01"), None)
    assert not source.estimated
    assert "nothing that tenants share is allocated" in source.covers
    assert known.freshness.may_be_restated
    assert known.freshness.data_through == date(2026, 9, 30)


QUESTIONS: list[tuple[str, str, dict[str, str]]] = [
    ("latest", "service", {}),
    ("2026-09", "day", {}),
    ("2026-08..2026-09", "month", {"service": S3}),
    ("2026-09-01..2026-09-15", "feature", {}),
    ("2026-09", "charge_category", {"feature": "search", "service": EC2}),
    ("2026-09", "service", {"feature": "(none)"}),
    ("2026-09", "service", {"charge_category": "Credit"}),
]


@pytest.mark.parametrize(("period", "group_by", "filters"), QUESTIONS, ids=lambda part: str(part))
async def test_every_request_of_a_tenants_call_asks_for_its_tag_alone_and_is_signed_by_its_session(
    period: str, group_by: str, filters: dict[str, str], session: Session, explorer: Explorer, server: StsServer,
    clock: Clock,
):  # fmt: skip
    async with session() as aws:
        await costs(clock).sums(aws, period, group_by, filters)
    assert explorer.asked
    for body, request in zip(explorer.asked, explorer.requests, strict=True):
        assert tenant_filter(body, "TenantId") == ["acme"]
        assert body["GroupBy"][0] == {"Type": "TAG", "Key": "TenantId"}
        assert body["Metrics"] == ["AmortizedCost"]
        assert request.access_key is not None
        assert server.issued[request.access_key].tags["TenantId"] == "acme"


async def test_a_callers_words_cannot_widen_the_filter(session: Session, explorer: Explorer, clock: Clock):
    """A value is one value, also where it reads like another tenant or an expression."""
    for value in ("globex", "TenantId$globex", '{"Or": []}'):
        async with session() as aws:
            with pytest.raises(NotFound):
                await costs(clock).sums(aws, "2026-09", "service", {"feature": value})
    with pytest.raises(InvalidArgument):
        async with session() as aws:
            await costs(clock).sums(aws, "2026-09", "service", {"service": "*"})
    assert all(tenant_filter(body, "TenantId") == ["acme"] for body in explorer.asked if "And" not in body["Filter"])
    for body in explorer.asked:
        assert {"Key": "TenantId", "Values": ["acme"], "MatchOptions": ["EQUALS", "CASE_SENSITIVE"]} in [
            one.get("Tags") for one in body["Filter"].get("And", [body["Filter"]])
        ]


async def test_an_answer_with_another_tenants_sum_in_it_is_shown_to_nobody(
    session: Session, explorer: Explorer, clock: Clock
):
    """As if AWS took no notice of the filter, or of the case of a value."""

    def widen(answer: dict[str, Any]) -> None:
        answer["ResultsByTime"][-1]["Groups"].append(
            {"Keys": ["TenantId$Acme", S3], "Metrics": {"AmortizedCost": {"Amount": "900", "Unit": "USD"}}}
        )

    explorer.change = widen
    tagged = costs(clock)
    async with session() as aws:
        with pytest.raises(DataFault, match="not of the tenant"):
            await tagged.sums(aws, "2026-09", "service", {})
        explorer.change = None
        sums, known = await tagged.sums(aws, "2026-09", "service", {})
    assert known.source.api_requests == 1
    assert by_name(sums)[S3][0] == Decimal("12.305")


async def test_what_was_answered_is_answered_again_for_nothing_until_it_can_have_changed(
    session: Session, explorer: Explorer, clock: Clock
):
    tagged, first = costs(clock), clock()
    async with session() as aws:
        await tagged.sums(aws, "2026-09", "service", {})
        clock.advance(3_600)
        again, known = await tagged.sums(aws, "2026-09", "service", {})
        assert (known.source.api_requests, known.source.api_cost_usd) == (0, Decimal(0))
        assert known.source.cached_at == first
        assert by_name(again)[S3][0] == Decimal("12.305")
        await tagged.sums(aws, "2026-09", "feature", {})
        assert len(explorer.asked) == 2
        clock.advance(8 * 3_600)
        _, known = await tagged.sums(aws, "2026-09", "service", {})
    assert known.source.api_requests == 1
    assert len(explorer.asked) == 3


async def test_a_month_whose_bill_is_closed_is_kept_for_a_week(session: Session, explorer: Explorer, clock: Clock):
    tagged = costs(clock)
    async with session() as aws:
        for days, asked in ((0, 1), (6, 1), (2, 2)):
            clock.advance(days * 86_400)
            await tagged.sums(aws, "2026-08", "service", {})
            assert len(explorer.asked) == asked


async def test_no_tenant_is_served_by_what_another_paid_for(session: Session, explorer: Explorer, clock: Clock):
    """`acme` and `Acme` are two; the fleet is a third."""
    tagged = costs(clock)
    found: dict[str | None, Decimal] = {}
    for tenant in ("acme", "Acme", "globex", None):
        async with session(tenant) as aws:
            sums, known = await tagged.sums(aws, "2026-09", "month", {})
            assert known.source.api_requests == 1
            found[tenant] = by_name(sums)["2026-09"][0]
    assert found == {
        "acme": Decimal("18.805"), "Acme": Decimal(900), "globex": Decimal("80.01"), None: Decimal("1032.145")
    }  # fmt: skip
    assert [tenant_filter(body, "TenantId") for body in explorer.asked] == [["acme"], ["Acme"], ["globex"], []]


async def test_those_who_ask_the_same_at_once_ask_once(session: Session, explorer: Explorer, clock: Clock):
    tagged = costs(clock)
    asked: list[int] = []

    async def ask(aws: TenantSession) -> None:
        _, known = await tagged.sums(aws, "2026-09", "service", {})
        asked.append(known.source.api_requests)

    async with session() as aws, anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(ask, aws)
    assert sorted(asked) == [0] * 19 + [1]
    assert len(explorer.asked) == 1


async def test_who_waited_for_one_that_was_cancelled_asks_itself(
    session: Session, explorer: Explorer, server: StsServer, clock: Clock
):
    tagged, first = costs(clock), anyio.Event()

    async def slow(request: Received) -> Reply:
        if not first.is_set():
            first.set()
            await anyio.sleep_forever()
        return await explorer(request)

    server.on_s3 = slow
    got: list[int] = []

    async def ask(aws: TenantSession) -> None:
        got.append((await tagged.sums(aws, "2026-09", "service", {}))[1].source.api_requests)

    async with session() as aws, anyio.create_task_group() as group:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as leading:
                leading.start_soon(ask, aws)
                await first.wait()
                group.start_soon(ask, aws)
                await anyio.lowlevel.checkpoint()
                scope.cancel()
    assert got == [1]


async def test_pages_are_followed_and_each_is_counted(session: Session, explorer: Explorer, clock: Clock):
    explorer.per_page = 1
    async with session() as aws:
        sums, known = await costs(clock).sums(aws, "2026-09", "service", {})
    assert (known.source.api_requests, known.source.api_cost_usd) == (4, Decimal("0.04"))
    assert [body.get("NextPageToken") for body in explorer.asked] == [None, "page-1", "page-2", "page-3"]
    assert by_name(sums)[EC2] == (Decimal("6.50"), Decimal("4.405"))


async def test_a_question_takes_no_more_requests_than_it_may_and_is_then_refused_whole(
    session: Session, explorer: Explorer, clock: Clock
):
    explorer.per_page = 1
    async with session() as aws:
        with pytest.raises(InvalidArgument, match="3 paid requests"):
            await costs(clock, most_requests=3).sums(aws, "2026-09", "service", {})
    assert len(explorer.asked) == 3


async def test_a_days_budget_is_not_exceeded_and_says_when_it_begins_anew(
    session: Session, explorer: Explorer, clock: Clock
):
    tagged = costs(clock, budget_usd=Decimal("0.02"))
    async with session(None) as aws:
        await tagged.sums(aws, "2026-08", "service", {})
        await tagged.sums(aws, "2026-09", "service", {})
        with pytest.raises(RateLimited, match="budget") as refused:
            await tagged.sums(aws, "2026-09", "month", {})
        assert refused.value.remedy.retry_after_seconds == 12 * 3_600
        assert (await tagged.sums(aws, "2026-09", "service", {}))[1].source.api_requests == 0
        assert len(explorer.asked) == 2
        clock.advance(12 * 3_600)
        await tagged.sums(aws, "2026-09", "month", {})
    assert len(explorer.asked) == 3


async def test_one_tenant_cannot_spend_everybodys_budget(session: Session, explorer: Explorer, clock: Clock):
    tagged = costs(clock, budget_usd=Decimal("0.10"))
    async with session() as aws:
        await tagged.sums(aws, "2026-09", "service", {})
        await tagged.sums(aws, "2026-09", "month", {})
        with pytest.raises(RateLimited, match="this tenant's part"):
            await tagged.sums(aws, "2026-09", "day", {})
    async with session("globex") as aws:
        await tagged.sums(aws, "2026-09", "day", {})


async def test_the_fleet_is_ranked_by_the_tag_and_what_bears_none_is_the_residual(
    session: Session, explorer: Explorer, clock: Clock
):
    explorer.bill.append(charge("2026-09-22", S3, "5.00", "not a tenant"))
    async with session(None) as aws:
        found, known = await costs(clock).by_tenant(aws, "2026-09")
    totals = {one.tenant: (one.total, one.direct, one.before) for one in found["USD"]}
    assert totals == {
        "acme": (Decimal("18.805"), Decimal("18.805"), Decimal("14.505")),
        "Acme": (Decimal(900), Decimal(900), Decimal(0)),
        "globex": (Decimal("80.01"), Decimal("80.01"), Decimal(0)),
        None: (Decimal("38.33"), Decimal(0), Decimal(0)),
    }
    assert known.source.api_requests == 1
    assert explorer.asked[0]["GroupBy"] == [{"Type": "TAG", "Key": "TenantId"}]


async def test_a_tenants_session_cannot_ask_for_the_fleet(session: Session, explorer: Explorer, clock: Clock):
    async with session() as aws:
        with pytest.raises(ValueError, match="itself"):
            await costs(clock).by_tenant(aws, "2026-09")
    assert explorer.asked == []


async def test_each_tenant_is_asked_for_through_its_own_view_and_one_without_is_refused_unasked(
    session: Session, explorer: Explorer, clock: Clock
):
    tagged = costs(clock, Views(OTHER_VIEW, {"acme": VIEW}, required=True))
    async with session() as aws:
        await tagged.sums(aws, "2026-09", "service", {})
    async with session("globex") as aws:
        with pytest.raises(NotSetUp, match="billing view"):
            await tagged.sums(aws, "2026-09", "service", {})
    async with session(None) as aws:
        await tagged.sums(aws, "2026-09", "service", {})
    assert [body.get("BillingViewArn") for body in explorer.asked] == [VIEW, OTHER_VIEW]
    assert tenant_filter(explorer.asked[0], "TenantId") == ["acme"]


FAILURES: list[tuple[str, int, type[ToolFailure], str]] = [
    ("BillExpirationException", 400, InvalidArgument, "13 months"),
    ("ValidationException", 400, InvalidArgument, "13 months"),
    ("DataUnavailableException", 400, NotFound, "no data for this yet"),
    ("RequestChangedException", 400, Unavailable, "ask again"),
    ("InvalidNextTokenException", 400, Unavailable, "ask again"),
    ("ResourceNotFoundException", 400, NotSetUp, "billing view"),
    ("BillingViewHealthStatusException", 400, Unavailable, "billing view"),
    ("LimitExceededException", 400, Unavailable, "how often"),
    ("ThrottlingException", 400, Unavailable, "limiting"),
    ("AccessDeniedException", 400, NotPermitted, "ce:GetCostAndUsage"),
    ("InternalFailure", 500, Unavailable, "did not answer"),
]


@pytest.mark.parametrize(("code", "status", "kind", "words"), FAILURES)
async def test_a_failure_of_the_service_says_what_to_do_and_nothing_of_awss_own_words(
    code: str, status: int, kind: type[ToolFailure], words: str, session: Session, explorer: Explorer, clock: Clock
):
    explorer.replies = [refusal(code, status)] * 3
    async with session() as aws:
        with pytest.raises(kind, match=words) as raised:
            await costs(clock).sums(aws, "2026-09", "service", {})
    assert SECRET_TEXT not in raised.value.sentence
    assert explorer.asked


async def test_a_service_that_breaks_off_or_never_answers_is_unavailable(
    session: Session, explorer: Explorer, server: StsServer, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    explorer.replies = [Reply(dropped=True)] * 3
    async with session() as aws:
        with pytest.raises(Unavailable, match="did not answer"):
            await costs(clock).sums(aws, "2026-09", "service", {})

        async def silent(request: Received) -> Reply:
            await anyio.sleep_forever()
            raise AssertionError

        server.on_s3 = silent
        monkeypatch.setattr(api, "WAIT_SECONDS", 0.05)
        with pytest.raises(Unavailable, match="took too long"):
            await costs(clock).sums(aws, "2026-09", "service", {})


def test_what_is_kept_is_bounded_in_answers_and_in_sums_and_the_longest_unused_goes_first(clock: Clock):
    kept = KeptAnswers(clock=clock, max_answers=3, max_sums=5)
    until = clock() + timedelta(hours=1)
    one = TaggedCost(date(2026, 9, 1), "acme", S3, "USD", Decimal(1), estimated=False)

    def put(name: str, sums: int) -> None:
        kept.put(("acme", name), Kept((one,) * sums, clock(), until))

    def there() -> str:
        return "".join(name for name in "abcde" if kept.get(("acme", name)) is not None)

    put("a", 1)
    put("b", 1)
    put("c", 1)
    assert kept.get(("acme", "a"))
    put("d", 1)
    assert there() == "acd"
    put("e", 4)  # five sums at most: c and a are the longest unused now
    assert there() == "de"
    put("b", 6)
    assert there() == "de"
    clock.advance(3_600)
    assert there() == ""


async def test_the_bill_that_changes_between_pages_is_not_shown_in_part(
    session: Session, explorer: Explorer, clock: Clock
):
    explorer.per_page = 1
    tagged = costs(clock)
    async with session() as aws:
        answer = explorer.answer
        pages = 0

        def change(found: dict[str, Any]) -> None:
            nonlocal pages
            pages += 1
            if pages == 1:
                explorer.replies = [refusal("RequestChangedException")]

        explorer.change = change
        with pytest.raises(Unavailable):
            await tagged.sums(aws, "2026-09", "service", {})
        assert answer == explorer.answer
        sums, _ = await tagged.sums(aws, "2026-09", "service", {})
    assert by_name(sums)[S3] == (Decimal("12.305"), Decimal("10.10"))


async def test_without_a_tag_for_features_they_cannot_be_asked_for(session: Session, explorer: Explorer, clock: Clock):
    async with session() as aws:
        for group_by, filters in (("feature", {}), ("service", {"feature": "search"}), ("environment", {})):
            with pytest.raises(NotSetUp, match="_TAG"):
                await costs(clock, tags=Tags("TenantId")).sums(aws, "2026-09", group_by, filters)
    assert explorer.asked == []


async def test_a_running_month_is_asked_for_up_to_today_and_called_an_estimate(
    session: Session, explorer: Explorer, clock: Clock
):
    async with session() as aws:
        sums, known = await costs(clock).sums(aws, "latest", "service", {})
        assert explorer.asked[0]["TimePeriod"] == {"Start": "2026-09-01", "End": "2026-10-06"}
        assert by_name(sums)[S3] == (Decimal("1.00"), Decimal("12.305"))
        assert known.source.estimated
        assert known.freshness.data_through is None
        with pytest.raises(NotFound, match="has not begun"):
            await costs(clock).sums(aws, "2026-11", "service", {})


async def test_a_month_at_the_edge_of_what_aws_keeps_is_compared_with_nothing(
    session: Session, explorer: Explorer, clock: Clock
):
    async with session() as aws:
        _, known = await costs(clock).sums(aws, "2025-09", "service", {})
        assert known.before is None
        assert "There are none in this period" in known.source.covers
        _, known = await costs(clock).sums(aws, "2025-10", "service", {})
        assert str(known.before) == "2025-09"
    assert [body["TimePeriod"]["Start"] for body in explorer.asked] == ["2025-09-01", "2025-09-01"]


async def test_days_are_compared_with_as_many_days_before_in_one_request(
    session: Session, explorer: Explorer, clock: Clock
):
    async with session() as aws:
        sums, known = await costs(clock).sums(aws, "2026-09-15..2026-09-16", "service", {})
    assert by_name(sums) == {EC2: (Decimal("6.50"), Decimal(0))}
    assert known.freshness.data_through == date(2026, 9, 16)
    assert (explorer.asked[0]["Granularity"], len(explorer.asked)) == ("DAILY", 1)


async def test_a_value_that_occurs_nowhere_names_the_nearest(session: Session, explorer: Explorer, clock: Clock):
    async with session() as aws:
        with pytest.raises(NotFound, match=S3):
            await costs(clock).sums(aws, "2026-09", "day", {"service": "S3"})
    assert len(explorer.asked) == 2


def test_the_clock_of_these_tests_is_where_they_take_it_to_be(clock: Clock):
    assert clock().date() - timedelta(days=4) == date(2026, 10, 1)
