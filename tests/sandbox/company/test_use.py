"""What the tenants did: the log, the datasets made of it, and what was planted in them."""

import re
from typing import Any

import duckdb
from tenantscope_sandbox.company.features import FEATURES

TENANT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


def test_the_log_has_a_million_lines_of_every_day(sql: duckdb.DuckDBPyConnection) -> None:
    assert sql.execute("SELECT count(*) >= 1000000, count(DISTINCT day) FROM log").fetchall() == [(True, 365)]


def test_every_request_has_an_id_of_its_own(sql: duckdb.DuckDBPyConnection) -> None:
    assert sql.execute("SELECT count(*) - count(DISTINCT requestId) FROM log").fetchall() == [(0,)]


def test_usage_is_what_the_log_says(sql: duckdb.DuckDBPyConnection) -> None:
    counted = sql.execute(
        "SELECT tenantId, day, count(*), sum(responseLatency), sum(responseLength), count(*) FILTER (status >= 500),"
        ' count(*) FILTER (status = 429), count(DISTINCT "user") FROM log GROUP BY ALL ORDER BY ALL'
    ).fetchall()
    metered = sql.execute(
        "SELECT tenant_id, day, sum(quantity) FILTER (metric = 'requests'),"
        " sum(quantity) FILTER (metric = 'request_ms'), sum(quantity) FILTER (metric = 'bytes'),"
        " sum(quantity) FILTER (metric = 'errors'), sum(quantity) FILTER (metric = 'throttled'),"
        " sum(quantity) FILTER (metric = 'users')"
        " FROM usage WHERE metric <> 'monthly_users' GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    assert counted == metered


def test_feature_usage_is_what_the_logs_paths_say(sql: duckdb.DuckDBPyConnection) -> None:
    """Each feature is its route template, each action its method; other paths are no feature."""
    for feature in FEATURES:
        pattern = "^" + re.sub(r"\{[a-z_]+\}", "[^/]+", feature.route) + "$"
        for action in feature.actions:
            counted = sql.execute(
                "SELECT count(*), sum(responseLength), count(*) FILTER (status >= 500) FROM log"
                " WHERE httpMethod = ? AND regexp_full_match(path, ?)",
                [action.method, pattern],
            ).fetchall()
            metered = sql.execute(
                "SELECT sum(calls), sum(bytes), sum(errors) FROM feature_usage WHERE feature = ? AND action = ?",
                [feature.name, action.name],
            ).fetchall()
            assert counted == metered, (feature.name, action.name)
    assert sql.execute("SELECT count(*) - (SELECT sum(calls) FROM feature_usage) FROM log").fetchall()[0][0] > 0


def test_the_truth_counts_what_the_log_counts(sql: duckdb.DuckDBPyConnection, truth: dict[str, Any]) -> None:
    rows = sql.execute(
        "SELECT strftime(day, '%Y-%m'), tenantId, count(*), sum(responseLength)::BIGINT FROM log GROUP BY ALL"
    ).fetchall()
    assert len(rows) == sum(len(tenants) for tenants in truth["usage"].values())
    for month, tenant, requests, size in rows:
        assert (truth["usage"][month][tenant]["requests"], truth["usage"][month][tenant]["bytes"]) == (requests, size)


def test_ids_are_of_every_allowed_form_and_of_no_other(truth: dict[str, Any]) -> None:
    ids = set(truth["tenants"])
    assert len(ids) == 40
    assert all(TENANT_ID.fullmatch(one) for one in ids)
    assert {"acme", "acme_corp", "Acme-2", "globex", "org_01HZX4T9Q2M7V5R8K3N6P1W0YB"} <= ids
    assert "initech" not in ids


def test_both_personas_live_in_each_tier(truth: dict[str, Any]) -> None:
    kinds = {(one["tier"], one["persona"]) for one in truth["tenants"].values()}
    assert len(kinds) == 6


def test_personas_differ_in_what_they_use(sql: duckdb.DuckDBPyConnection, truth: dict[str, Any]) -> None:
    shares = dict(
        sql.execute(
            "SELECT tenant_id, sum(calls) FILTER (feature LIKE 'search_%') / sum(calls) FROM feature_usage GROUP BY ALL"
        ).fetchall()
    )
    searchers = [share for tenant, share in shares.items() if truth["tenants"][tenant]["persona"] == "searchers"]
    bookers = [share for tenant, share in shares.items() if truth["tenants"][tenant]["persona"] == "bookers"]
    assert min(searchers) > max(bookers)


def test_the_churner_fades_to_nothing(sql: duckdb.DuckDBPyConnection, truth: dict[str, Any]) -> None:
    churner = truth["planted"]["churner"]
    by_month = dict(
        sql.execute(
            "SELECT month, sum(quantity) FROM usage WHERE metric = 'requests' AND tenant_id = ? GROUP BY ALL",
            [churner["tenant"]],
        ).fetchall()
    )
    falling = [by_month[month] for month in ("2026-03", "2026-05", "2026-06", "2026-07", "2026-08")]
    assert falling == sorted(falling, reverse=True)
    assert falling[-1] < falling[0] / 10
    assert not {"2026-09", "2026-10"} & set(by_month)


def test_the_noisy_neighbour_harms_the_others(sql: duckdb.DuckDBPyConnection, truth: dict[str, Any]) -> None:
    noisy = truth["planted"]["noisy_neighbour"]
    window = f"hour(requestTime AT TIME ZONE 'UTC') BETWEEN {noisy['hours_utc'][0]} AND {noisy['hours_utc'][-1]}"
    days = ", ".join(f"DATE '{day}'" for day in noisy["days"])
    median: dict[bool, float] = dict(
        sql.execute(
            f"SELECT day IN ({days}), median(responseLatency) FROM log WHERE tenantId <> ? AND {window}"
            " AND path = '/v1/flights/search' GROUP BY ALL",
            [noisy["tenant"]],
        ).fetchall()
    )
    assert median[True] > 2 * median[False]
    load: dict[bool, float] = dict(
        sql.execute(
            f"SELECT day IN ({days}), count(*) / count(DISTINCT day) FROM log"
            f" WHERE tenantId = ? AND {window} GROUP BY ALL",
            [noisy["tenant"]],
        ).fetchall()
    )
    assert load[True] > 10 * load[False]


def test_tokens_exist_from_the_assistants_launch_on(sql: duckdb.DuckDBPyConnection, truth: dict[str, Any]) -> None:
    first, days = sql.execute("SELECT min(day)::VARCHAR, count(DISTINCT day) FROM llm_usage").fetchall()[0]
    assert first == truth["planted"]["assistant_launch"]
    assert days == 273
