"""The same bill in every format: the same charges, and the same invoices after it is allocated."""

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from cost_explorer.exports import (
    BEDROCK,
    FORMATS,
    KINDS,
    MONTH,
    PLAN,
    Line,
    Part,
    bills,
    sums,
    write,
)
from hypothesis import HealthCheck, given, settings
from tenantscope_core.results.periods import Month
from tenantscope_cost_explorer.allocation.rules_file import parse_rules
from tenantscope_cost_explorer.sources.exports import BillFile, create_charges, require_readable
from tenantscope_cost_explorer.sources.workbench import Workbench

RULES = """
format: 1
rules:
  - {name: own, match: {tag: {tenant: "*"}}, allocate: {method: direct, tenant: {tag: tenant}}}
  - name: callers
    match: {iam_principal: "/tenant="}
    allocate: {method: direct, tenant: {column: iam_principal, after: "/tenant="}}
  - name: shared
    match: {tag: {shared: platform}}
    allocate: {method: driver, metric: usage.requests, fallback: [llm_usage.tokens]}
  - {name: taxes, match: {charge_category: [Tax, Credit]}, allocate: {method: proxy}}
  - {name: unused, match: {commitment_status: Unused}, allocate: {method: residual}}
"""
SLOW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


Sums = dict[tuple[str, str], tuple[Decimal, Decimal]]


def charged(database: duckdb.DuckDBPyConnection, file: BillFile) -> Sums:
    create_charges(database, [file], MONTH)
    rows = database.execute(
        "SELECT invoice, currency, sum(effective), sum(billed) FROM charges GROUP BY ALL"
    ).fetchall()
    assert database.execute("SELECT bool_and(readable) FROM charges").fetchall() == [(True,)]
    return {(row[0], row[1]): (row[2], row[3]) for row in rows}


@SLOW
@given(bills())
def test_every_format_gives_the_same_invoices(lines: list[Line]) -> None:
    with duckdb.connect() as database, tempfile.TemporaryDirectory() as folder:
        database.execute("SET TimeZone = 'UTC'")
        for form in FORMATS:
            expected = sums(lines, by_payer=form == "FOCUS 1.0")
            for kind in KINDS:
                assert charged(database, write(Path(folder), lines, form, kind)) == expected, (form, kind)


@pytest.mark.requirement("sums-to-the-invoice")
@pytest.mark.parametrize("form", FORMATS)
@settings(SLOW, max_examples=8)
@given(bills())
async def test_tenants_and_residual_are_the_invoice_whatever_the_format(form: str, lines: list[Line]) -> None:
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        file = write(Path(folder), lines, form, "parquet")
        done = await Workbench(Path(folder) / "work").allocate(
            parse_rules(RULES), Month.parse(MONTH), [file], {"usage": [_nothing_used(connection, Path(folder))]}
        )
        found = connection.execute(
            f"""SELECT "InvoiceId", "BillingCurrency", sum("EffectiveCost"), sum("BilledCost")
            FROM '{done.fleet.path}' GROUP BY ALL"""
        ).fetchall()
    expected = {key: both for key, both in sums(lines, by_payer=form == "FOCUS 1.0").items() if any(both)}
    assert {(row[0], row[1]): (row[2], row[3]) for row in found if any(row[2:])} == expected


def _nothing_used(connection: duckdb.DuckDBPyConnection, folder: Path) -> Path:
    """A driver that measured nothing of anybody."""
    path = folder / "usage.parquet"
    connection.execute(
        f"""COPY (SELECT DATE '2026-09-01' AS day, 'requests' AS metric, 0::DECIMAL(38,6) AS quantity,
        'Requests' AS unit, 't1' AS tenant_id) TO '{path}' (FORMAT parquet)"""
    )
    return path


@pytest.mark.parametrize(
    ("form", "tags"),
    [(form, tags) for form in FORMATS for tags in ("map", "json", "pairs")] + [("FOCUS 1.2", "struct")],
)
def test_a_tag_is_found_however_it_is_written(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, form: str, tags: str
) -> None:
    line = Line("Usage", Decimal(3), service=BEDROCK, tags={"tenant": "acme", "shared": "platform"})
    create_charges(database, [write(tmp_path, [line], form, "parquet", tags=tags)], MONTH)
    found = database.execute("SELECT tags['tenant'], tags['shared'], service, readable FROM charges").fetchall()
    assert found == [("acme", "platform", "Amazon Bedrock", True)]


@pytest.mark.parametrize(
    ("column", "found"),
    [
        (
            "MAP {'resourceTag/tenant': 'a', 'iamPrincipal/team': 'b'} AS tags",
            {"tenant": "a", "iamPrincipal/team": "b"},
        ),
        ("MAP {'user_tenant': 'a', 'aws_createdBy': 'b'} AS resource_tags", {"tenant": "a", "aws_createdBy": "b"}),
        ("MAP {'user_a': 'a', 'user:a': 'b'} AS resource_tags", {"user_a": "a", "user:a": "b"}),
        ('\'{"user_tenant": "a"}\' AS resource_tags', {"tenant": "a"}),
        ("'a' AS resource_tags_user_tenant, '' AS resource_tags_user_shared", {"tenant": "a", "shared": None}),
        ("NULL::MAP(VARCHAR, VARCHAR) AS resource_tags", None),
        ("1 AS no_tags", {}),
    ],
)
def test_tags_of_cur_go_by_the_names_that_they_were_given(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, column: str, found: dict[str, str | None] | None
) -> None:
    path = tmp_path / "cur.parquet"
    database.execute(
        f"""COPY (SELECT 1.5 AS line_item_unblended_cost, 'Usage' AS line_item_line_item_type, 'AWSLambda' AS
        line_item_product_code, 'USD' AS line_item_currency_code, TIMESTAMP '2026-09-03' AS line_item_usage_start_date,
        {column}) TO '{path}'"""
    )
    create_charges(database, [BillFile("cur.parquet", path, MONTH)], MONTH)
    assert database.execute("SELECT tags, readable, service FROM charges").fetchall() == [(found, True, "AWS Lambda")]


def test_what_the_generator_split_itself_is_told_by_what_it_came_to(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "focus.parquet"
    database.execute(
        f"""COPY (SELECT 1.5 AS "BilledCost", 1.25 AS "EffectiveCost", 'USD' AS "BillingCurrency",
          TIMESTAMP '2026-09-03' AS "ChargePeriodStart", 'node' AS "ResourceId", MAP {{'a': '1', 'b': '2'}} AS "Tags",
          unnest(['pod', NULL]) AS "AllocatedResourceId",
          unnest([MAP {{'tenant': 'acme', 'b': '3'}}, NULL]) AS "AllocatedTags") TO '{path}'"""
    )
    create_charges(database, [BillFile("focus.parquet", path, MONTH)], MONTH)
    assert database.execute("SELECT resource, tags, readable FROM charges ORDER BY 1").fetchall() == [
        ("node", {"a": "1", "b": "2"}, True),
        ("pod", {"a": "1", "b": "3", "tenant": "acme"}, True),
    ]


def test_cur_says_in_focus_terms_what_a_line_is(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    lines = [
        Line("Usage", Decimal(4), discount=Decimal("0.5"), tags={"tenant": "acme"}),
        Line("SavingsPlanCoveredUsage", Decimal(9), Decimal(6)),
        Line("SavingsPlanRecurringFee", Decimal(8), Decimal(2)),
        Line("RIFee", Decimal(7), Decimal(3)),
        Line("ReservedFee", Decimal(500)),
        Line("Refund", Decimal(-1)),
        Line("Tax", Decimal(2)),
    ]
    create_charges(database, [write(tmp_path, lines, "CUR 2.0", "parquet")], MONTH)
    found = database.execute(
        "SELECT charge_category, charge_class, commitment_status, pricing_category, charge_frequency, effective, billed"
        " FROM charges ORDER BY billed"
    ).fetchall()
    assert found == [
        ("Usage", None, None, None, "Usage-Based", 0, -9),
        ("Adjustment", "Correction", None, None, "One-Time", -1, -1),
        ("Adjustment", None, None, None, "One-Time", Decimal("-0.5"), Decimal("-0.5")),
        ("Tax", None, None, None, "One-Time", 2, 2),
        ("Usage", None, None, "Standard", "Usage-Based", 4, 4),
        ("Purchase", None, "Unused", None, "Recurring", 3, 7),
        ("Purchase", None, "Unused", None, "Recurring", 2, 8),
        ("Usage", None, "Used", "Committed", "Usage-Based", 6, 9),
        ("Purchase", None, None, None, "One-Time", 0, 500),
    ]
    assert database.execute("SELECT DISTINCT commitment FROM charges WHERE effective = 6").fetchall() == [(PLAN,)]
    assert database.execute("SELECT DISTINCT service FROM charges").fetchall() == [("Amazon Elastic Compute Cloud",)]


def test_a_task_takes_its_part_of_the_instance_that_it_ran_on(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    parts = (
        Part({"tenant": "acme"}, Decimal(2), Decimal("0.5")),
        Part({"tenant": "globex"}, Decimal(3), Decimal("1.5")),
    )
    lines = [
        Line("Usage", Decimal(10), resource="i-1", parts=parts),
        Line("SavingsPlanCoveredUsage", Decimal(20), Decimal(10), resource="i-2", parts=parts[:1]),
        Line("Usage", Decimal(5), resource="i-1", day=date(2026, 9, 2)),
    ]
    create_charges(database, [write(tmp_path, lines, "CUR 2.0", "parquet")], MONTH)
    found = database.execute(
        "SELECT resource, day, tags['tenant'], effective, billed, service, commitment_status FROM charges"
        " WHERE resource IS NOT NULL ORDER BY resource, day"
    ).fetchall()
    ec2, first = "Amazon Elastic Compute Cloud", date(2026, 9, 1)
    assert found == [
        ("i-1", first, None, 3, 3, ec2, None),
        ("i-1", date(2026, 9, 2), None, 5, 5, ec2, None),
        ("i-1-task-0", first, "acme", Decimal("2.5"), Decimal("2.5"), ec2, None),
        ("i-1-task-1", first, "globex", Decimal("4.5"), Decimal("4.5"), ec2, None),
        ("i-2", first, None, Decimal("7.5"), 15, ec2, "Used"),
        ("i-2-task-0", first, "acme", Decimal("2.5"), 5, ec2, "Used"),
    ]


def test_rows_of_one_instance_give_in_proportion_and_to_the_last_digit(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    lines = [
        Line("Usage", Decimal(1), resource="i-1", parts=(Part({"tenant": "acme"}, Decimal("0.1")),)),
        Line("DiscountedUsage", Decimal(0), Decimal(1), resource="i-1"),
        Line("SavingsPlanCoveredUsage", Decimal(2), Decimal(1), resource="i-1"),
    ]
    create_charges(database, [write(tmp_path, lines, "CUR 2.0", "parquet")], MONTH)
    rows = database.execute("SELECT effective FROM charges WHERE resource = 'i-1' ORDER BY 1").fetchall()
    assert rows == [(Decimal("0.966666666666"),), (Decimal("0.966666666667"),), (Decimal("0.966666666667"),)]
    assert database.execute("SELECT sum(effective), sum(billed) FROM charges").fetchall() == [(3, 1)]


def test_parts_never_take_more_than_there_is(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    parts = (Part({"tenant": "acme"}, Decimal(3)), Part({"tenant": "globex"}, Decimal(3)), Part({}, Decimal(3)))
    file = write(tmp_path, [Line("Usage", Decimal(1), resource="i-1", parts=parts)], "CUR 2.0", "parquet")
    create_charges(database, [file], MONTH)
    third = Decimal("0.333333333333")
    rows = database.execute("SELECT effective FROM charges ORDER BY effective").fetchall()
    assert rows == [(Decimal("0.000000000001"),), (third,), (third,), (third,)]
    database.execute(
        f"COPY (FROM '{file.path}' WHERE line_item_resource_id <> 'i-1') TO '{tmp_path}/lost.parquet' (FORMAT parquet)"
    )
    create_charges(database, [BillFile("lost.parquet", tmp_path / "lost.parquet", MONTH)], MONTH)
    assert database.execute("SELECT sum(effective), sum(billed), count(*) FROM charges").fetchall() == [(0, 0, 3)]


async def test_a_callers_session_name_can_be_the_tenant(tmp_path: Path) -> None:
    role = "arn:aws:sts::210000000002:assumed-role/App/"
    lines = [
        Line("Usage", Decimal(4), service=BEDROCK, principal=f"{role}tenant=acme"),
        Line("Usage", Decimal(2), service=BEDROCK, principal=f"{role}tenant="),
        Line("Usage", Decimal(1), service=BEDROCK, principal=f"{role}i-0abc"),
    ]
    file = write(tmp_path, lines, "CUR 2.0", "csv.gz")
    done = await Workbench(tmp_path / "work").allocate(parse_rules(RULES), Month.parse(MONTH), [file], {})
    found: dict[tuple[str | None, str | None], Decimal] = defaultdict(Decimal)
    with duckdb.connect() as connection:
        for tenant, rule, cost in connection.execute(
            f"""SELECT tenant_id, "x_Rule", "EffectiveCost" FROM '{done.fleet.path}'"""
        ).fetchall():
            found[tenant, rule] += cost
    assert found == {("acme", "callers"): 4, (None, "callers"): 2, (None, None): 1}


@pytest.mark.parametrize(
    ("column", "line"),
    [
        ("reservation_effective_cost", Line("DiscountedUsage", Decimal(0), Decimal(1))),
        ("savings_plan_savings_plan_effective_cost", Line("SavingsPlanCoveredUsage", Decimal(1), Decimal(1))),
        ("savings_plan_used_commitment", Line("SavingsPlanRecurringFee", Decimal(1), Decimal(1))),
    ],
)
def test_a_column_that_an_exports_query_left_out_is_no_cost_of_nothing(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, column: str, line: Line
) -> None:
    whole = write(tmp_path, [line], "CUR 2.0", "parquet")
    database.execute(
        f"COPY (SELECT * EXCLUDE ({column}) FROM '{whole.path}') TO '{tmp_path}/less.parquet' (FORMAT parquet)"
    )
    less = BillFile("less.parquet", tmp_path / "less.parquet", MONTH)
    create_charges(database, [less], MONTH)
    assert database.execute("SELECT count(*) FILTER (NOT readable) FROM charges").fetchall()[0][0] == 1
    with pytest.raises(Exception, match=r"less\.parquet of 2026-09 has a row whose (reservation|savings)_"):
        require_readable(database, [less])
