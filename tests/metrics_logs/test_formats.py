"""Each format's lines as their source writes them, and what is no line of it."""

from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics_logs.logs import (
    ALB,
    ALB_UNANSWERED,
    API_GATEWAY,
    CLOUDFRONT,
    CLOUDFRONT_FIELDS,
    COMBINED,
    COMMON,
    NGINX_TIMED,
    ONE_TENANT,
    line,
    read,
)
from tenantscope_core.results.documents import DocumentFault
from tenantscope_metrics_logs.log_formats import LogFormat, recognise
from tenantscope_metrics_logs.log_rules_file import parse_log_rules
from tenantscope_metrics_logs.settings import AccessLogFormat

TOLD = ("fault", "at_utc", "method", "target", "status", "bytes", "us")


def told(found: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(found[name] for name in TOLD)


def rules(text: str) -> Any:
    return parse_log_rules("{format: 1, " + text + "}")


def test_settings_know_the_formats():
    assert set(get_args(AccessLogFormat)) == {"auto", *LogFormat}


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (
            LogFormat.COMBINED,
            COMBINED,
            (datetime(2015, 5, 17, 8, 5, 3), "GET", "/trips/7?tenant=globex", 200, 2326, None),
        ),
        (LogFormat.COMBINED, COMMON, (datetime(2015, 5, 18, 0, 30), "POST", "/trips", 503, 0, None)),
        (
            LogFormat.ALB,
            ALB,
            (
                datetime(2026, 10, 2, 22, 23, 0, 186641),
                "GET",
                "https://acme.example.com:443/v1/trips/7?x=1",
                200,
                366,
                171_000,
            ),
        ),
        (
            LogFormat.ALB,
            ALB_UNANSWERED,
            (
                datetime(2026, 10, 2, 22, 23, 0, 186641),
                "GET",
                "https://acme.example.com:443/v1/trips/7?x=1",
                502,
                272,
                None,
            ),
        ),
        (
            LogFormat.API_GATEWAY,
            API_GATEWAY,
            (datetime(2026, 10, 9, 12, 34, 56), "POST", "/v1/trips/7", 201, 1024, 87_000),
        ),
    ],
    ids=["combined", "common", "load balancer", "load balancer without an answer", "API Gateway"],
)
def test_a_real_line_is_read(kind: LogFormat, text: str, expected: tuple[Any, ...]):
    assert told(read(kind, text)) == (None, *expected)


def test_a_cloudfront_file_says_where_its_fields_are():
    found = read(LogFormat.CLOUDFRONT, CLOUDFRONT, rules("tenant: {query: tenant}"), CLOUDFRONT_FIELDS)
    assert told(found) == (None, datetime(2026, 10, 4, 21, 2, 31), "GET", "/v1/trips/7", 200, 392, 1_000)
    assert found["tenant"] == "globex"
    turned = "#Fields: sc-status cs-uri-stem time date cs-method x-host-header"
    text = "000\t/x\t00:00:01\t2026-10-04\tGET\tglobex.example.com"
    found = read(LogFormat.CLOUDFRONT, text, rules('tenant: {host: "{tenant}.example.com"}'), turned)
    assert told(found) == (None, datetime(2026, 10, 4, 0, 0, 1), "GET", "/x", 0, None, None)
    assert found["tenant"] == "globex"
    assert read(LogFormat.CLOUDFRONT, CLOUDFRONT_FIELDS, header=CLOUDFRONT_FIELDS)["fault"] == "comment"
    assert read(LogFormat.CLOUDFRONT, CLOUDFRONT + "\tmore", header=CLOUDFRONT_FIELDS)["fault"] == "unreadable"
    assert read(LogFormat.CLOUDFRONT, CLOUDFRONT, header=None)["fault"] == "unreadable"


@pytest.mark.parametrize(
    ("kind", "text", "source", "tenant"),
    [
        (LogFormat.API_GATEWAY, API_GATEWAY, "{field: tenantId}", "acme"),
        (LogFormat.API_GATEWAY, line(tenantId=None, a={"b": {"c": "deep"}}), "{field: a.b.c}", "deep"),
        (LogFormat.API_GATEWAY, line(tenantId=7), "{field: tenantId}", "7"),
        (LogFormat.API_GATEWAY, API_GATEWAY, '{host: "{tenant}.example.com"}', "acme"),
        (LogFormat.API_GATEWAY, line(path="/T/Acme-2/trips?t=1"), '{path: "/t/{tenant}"}', "Acme-2"),
        (LogFormat.API_GATEWAY, line(path="/tx/acme/trips"), '{path: "/t/{tenant}"}', None),
        (LogFormat.ALB, ALB, '{host: "{tenant}.example.com"}', "acme"),
        (LogFormat.ALB, ALB_UNANSWERED, '{host: "{tenant}.example.com"}', "acme"),
        (LogFormat.ALB, ALB.replace("/v1/", "/acme_corp/"), '{path: "/{tenant}"}', "acme_corp"),
        (LogFormat.ALB, ALB, '{host: "{tenant}.evil.com"}', None),
        (LogFormat.ALB, ALB.replace('"acme.example.com"', '"x.example.com.evil.com"'),
         '{host: "{tenant}.example.com"}', None),
        (LogFormat.COMBINED, COMBINED, "{query: tenant}", "globex"),
        (LogFormat.COMBINED, COMBINED.replace("?tenant=", "?a=1&tenant=acme&tenant="), "{query: tenant}", "acme"),
        (LogFormat.COMBINED, COMBINED.replace("?tenant=", "#?tenant="), "{query: tenant}", None),
        (LogFormat.COMBINED, COMBINED.replace("?tenant=", "?a=1#&tenant="), "{query: tenant}", None),
        (LogFormat.COMBINED, COMBINED.replace("?tenant=", "&tenant="), "{query: tenant}", None),
        (LogFormat.COMBINED, COMBINED, "{field: user}", "alice"),
        (LogFormat.COMBINED, NGINX_TIMED, "{field: extra_1}", "acme"),
        (LogFormat.COMBINED, NGINX_TIMED, "[{field: extra_2}, {field: user}]", "alice"),
        (LogFormat.COMBINED, COMMON, "{constant: acme}", "acme"),
        (LogFormat.COMBINED, COMMON, "{field: user}", None),
    ],
)  # fmt: skip
def test_a_tenant_is_found_where_the_rules_say(kind: LogFormat, text: str, source: str, tenant: str | None):
    assert read(kind, text, rules(f"tenant: {source}"))["tenant"] == tenant


def test_a_time_after_the_user_agent_is_the_requests():
    assert read(LogFormat.COMBINED, NGINX_TIMED, rules("tenant: {constant: a}, fields: {seconds: after_agent}"))[
        "us"
    ] == (134_000)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-10-05T10:00:00.250Z", datetime(2026, 10, 5, 10, 0, 0, 250_000)),
        ("2026-10-05T10:00:00+05:30", datetime(2026, 10, 5, 4, 30)),
        ("2026-10-05 10:00:00", datetime(2026, 10, 5, 10)),
        ("05/Oct/2026:10:00:00 -0100", datetime(2026, 10, 5, 11)),
        (1_791_194_400, datetime(2026, 10, 5, 10)),
        ("1791194400123", datetime(2026, 10, 5, 10, 0, 0, 123_000)),
        (1_791_194_400.5, datetime(2026, 10, 5, 10, 0, 0, 500_000)),
        ("infinity", None), ("1e400", None), ("now", None), ("0001-01-01T00:00:00Z", None), ("9999-12-31", None),
        ("2026-02-30T00:00:00Z", None), ("290000-01-01", None), ("-5", None), ("", None), (None, None), ([1], None),
    ],
)  # fmt: skip
def test_times_come_in_several_forms_and_within_a_century(written: Any, expected: datetime | None):
    assert read(LogFormat.API_GATEWAY, line(requestTime=written))["at_utc"] == expected
    if expected is not None:
        assert datetime(2026, 1, 1, tzinfo=UTC) < expected.replace(tzinfo=UTC)


@pytest.mark.parametrize("absurd", [-1, "1e30", "NaN", "inf", "-", "x", 10**15 + 1, "9" * 400, {"a": 1}, None, ""])
def test_absurd_numbers_are_not_known_and_the_line_still_counts(absurd: Any):
    found = read(LogFormat.API_GATEWAY, line(responseLength=absurd, responseLatency=absurd))
    assert (found["bytes"], found["us"], found["fault"], found["status"]) == (None, None, None, 200)


@pytest.mark.parametrize("status", ["abc", "", -1, 1000, "99999999999", None, "2 00"])
def test_a_status_that_is_none_is_not_known(status: Any):
    assert read(LogFormat.API_GATEWAY, line(status=status))["status"] is None


@pytest.mark.parametrize(
    "agent",
    [
        r"evil \"quoted\" agent",
        r"ends with a backslash \\",
        r"\x22 \x00 \x1b[31m",
        r"\" 200 1 \"-\" \"-",
        "ünïcödé \u202e\u2028",
    ],
)
def test_what_a_user_agent_says_does_not_move_the_fields(agent: str):
    text = COMBINED.replace("Mozilla/5.0 (X11; Linux x86_64)", agent) + ' 0.5 "acme"'
    found = read(LogFormat.COMBINED, text, rules("tenant: {field: extra_1}, fields: {seconds: after_agent}"))
    assert (found["status"], found["bytes"], found["us"], found["tenant"]) == (200, 2326, 500_000, "acme")


def test_a_quote_in_the_request_itself_does_not_end_it():
    found = read(LogFormat.COMBINED, COMBINED.replace("/trips/7", r"/trips/\"\\x"))
    assert (found["fault"], found["status"], found["method"]) == (None, 200, "GET")


@pytest.mark.parametrize("kind", list(LogFormat))
@settings(max_examples=30, deadline=None)
@given(
    text=st.one_of(
        st.text(max_size=300),
        st.sampled_from([COMBINED, ALB, CLOUDFRONT, API_GATEWAY]).flatmap(
            lambda good: st.tuples(st.integers(0, len(good)), st.text(max_size=5)).map(
                lambda cut: good[: cut[0]] + cut[1] + good[cut[0] + len(cut[1]) :]
            )
        ),
    )
)
def test_any_text_is_read_or_refused_and_never_an_error(kind: LogFormat, text: str):
    whatever = text.replace("\0", "").encode("utf-8", "ignore").decode().strip() or "x"  # an empty line is none
    fields = parse_log_rules(
        "{format: 1, tenant: {constant: a},"
        " fields: {time: requestTime, method: httpMethod, path: path, status: status}}"
    )
    found = read(kind, whatever, fields if kind is LogFormat.JSON else ONE_TENANT, CLOUDFRONT_FIELDS)
    assert found["fault"] in (None, "comment", "unreadable")


@pytest.mark.parametrize("text", ['{"a":', "not json", "[1, 2]", '"x"', "5", "{}x", '{"path": "\x1b"}', '{"a":' * 3000])
def test_what_is_no_json_object_is_unreadable(text: str):
    assert read(LogFormat.API_GATEWAY, text)["fault"] == "unreadable"


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ([COMBINED, COMMON, "garbage"], LogFormat.COMBINED),
        ([ALB, ALB_UNANSWERED], LogFormat.ALB),
        (["#Version: 1.0", CLOUDFRONT_FIELDS, *[CLOUDFRONT] * 8], LogFormat.CLOUDFRONT),
        ([API_GATEWAY, line()], LogFormat.API_GATEWAY),
        (['{"ts": 1, "verb": "GET"}'], LogFormat.JSON),
        (["garbage", "more", COMBINED], None),
        (["{broken"], None),
        ([], None),
    ],
)
def test_a_format_is_recognised_by_its_first_lines(lines: list[str], kind: LogFormat | None):
    assert recognise(lines) is kind


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        (LogFormat.ALB, "tenant: {field: tenantId}", "has no field `tenantId`"),
        (LogFormat.ALB, "tenant: {constant: a}, fields: {time: t}", "is fixed"),
        (LogFormat.COMBINED, 'tenant: {host: "{tenant}.example.com"}', "does not say which host"),
        (LogFormat.JSON, "tenant: {field: t}", "need `fields.time`"),
        (LogFormat.API_GATEWAY, "tenant: {field: path.x}", "within it"),
        (LogFormat.API_GATEWAY, "tenant: {field: Path}", "differs in case"),
    ],
)
def test_rules_that_a_format_cannot_follow_are_refused(kind: LogFormat, text: str, words: str):
    with pytest.raises(DocumentFault, match=words):
        read(kind, "x", rules(text))
