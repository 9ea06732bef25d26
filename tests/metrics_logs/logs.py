"""Log lines as each source writes them, and counting them without a bucket."""

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
from tenantscope_core.results.periods import Month
from tenantscope_metrics_logs.log_formats import LogFormat, read_sql
from tenantscope_metrics_logs.log_rules import LogRules
from tenantscope_metrics_logs.log_rules_file import parse_log_rules
from tenantscope_metrics_logs.sources.raw_log import LogFile, Span
from tenantscope_metrics_logs.sources.workbench import Counted, LogWorkbench

OCTOBER = Month(2026, 10)
ONE_TENANT = parse_log_rules("{format: 1, tenant: {constant: acme}}")
ROUTED = """
format: 1
tenant: {field: tenantId}
user: {field: user}
routes:
  - {feature: booking, route: "/v1/trips/{id}/booking", actions: {GET: view, POST: book}}
  - {feature: search, route: "/v1/search"}
"""

COMBINED = (
    '203.0.113.9 - alice [17/May/2015:10:05:03 +0200] "GET /trips/7?tenant=globex HTTP/1.1" 200 2326'
    ' "https://example.com/" "Mozilla/5.0 (X11; Linux x86_64)"'
)
COMMON = '203.0.113.9 - - [17/May/2015:23:30:00 -0100] "POST /trips HTTP/1.0" 503 -'
NGINX_TIMED = COMBINED + ' 0.134 "acme" "-"'
ALB = (
    "h2 2026-10-02T22:23:00.186641Z app/wayfarer/50dc6c495c0c9188 192.0.2.39:2817 10.0.0.1:80 0.086 0.048 0.037 200 200"
    ' 34 366 "GET https://acme.example.com:443/v1/trips/7?x=1 HTTP/2.0" "curl/7.46.0" ECDHE-RSA-AES128-GCM-SHA256'
    " TLSv1.2 arn:aws:elasticloadbalancing:us-east-2:111122223333:targetgroup/web/73e2d6bc24d8a067"
    ' "Root=1-58337262-36d228ad5d99923122bbe354" "acme.example.com"'
    ' "arn:aws:acm:us-east-2:111122223333:certificate/12345678-1234-1234-1234-123456789012" 1'
    ' 2026-10-02T22:22:48.364000Z "waf,forward" "-" "-" "10.0.0.1:80" "200" "-" "-" TID_1234abcd5678ef90 "-" "-" "-"'
)
ALB_UNANSWERED = ALB.replace("0.086 0.048 0.037 200 200 34 366", "-1 -1 -1 502 - 34 272").replace(
    '"acme.example.com"', '"-"'
)
CLOUDFRONT_FIELDS = (
    "#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer)"
    " cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes"
    " time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status"
    " fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len"
    " sc-range-start sc-range-end"
)
CLOUDFRONT = (
    "2026-10-04 21:02:31 LAX1 392 192.0.2.100 GET d111111abcdef8.cloudfront.net /v1/trips/7 200 -"
    " Mozilla/5.0%20(Windows%20NT%2010.0) tenant=globex&page=2 - Hit SOX4xwn4XV6Q4rgb7XiVGOHms_BGlTAC4KyHmureZmBNrjGdRL"
    " acme.example.com https 23 0.001 - TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256 Hit HTTP/2.0 - - 11040 0.001 Hit text/html"
    " 78 - -"
).replace(" ", "\t")
API_GATEWAY = (
    '{"requestId":"c6af9ac6-7b61-11e6-9a41-93e8deadbeef","requestTime":"09/Oct/2026:12:34:56 +0000",'
    '"httpMethod":"POST","path":"/v1/trips/7","status":"201","responseLength":"1024","responseLatency":87,"domainName":"acme.example.com",'
    '"tenantId":"acme","user":"u-1"}'
)


def line(**changes: Any) -> str:
    """A line of API Gateway's, with other values; what is None is left out."""
    values = {
        "requestTime": "2026-10-05T10:00:00.000Z", "httpMethod": "GET", "path": "/v1/search", "status": 200,
        "responseLength": 100, "responseLatency": 20, "tenantId": "acme", "user": "u-1", **changes,
    }  # fmt: skip
    return json.dumps({name: value for name, value in values.items() if value is not None})


def read(kind: LogFormat, text: str, rules: LogRules = ONE_TENANT, header: str | None = None) -> dict[str, Any]:
    """What the format takes from one line."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("CREATE TABLE lines AS SELECT ? AS line", [text])
        found = connection.execute(read_sql(kind, rules, header, "FROM lines"))
        names = [column[0] for column in found.description or ()]
        return dict(zip(names, found.fetchall()[0], strict=True))


async def count(
    folder: Path,
    files: Mapping[str, bytes | Sequence[str]],
    rules: LogRules | str = ROUTED,
    kind: LogFormat = LogFormat.API_GATEWAY,
    month: Month = OCTOBER,
    days: Span | None = None,
) -> Counted:
    """A month's count of these files, of lines (which are packed) or of bytes."""
    placed: list[LogFile] = []
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        body = content if isinstance(content, bytes) else gzip.compress("".join(f"{x}\n" for x in content).encode())
        path.write_bytes(body)
        placed.append(LogFile(name, path, days))
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    parsed = parse_log_rules(rules) if isinstance(rules, str) else rules
    return await LogWorkbench(scratch, kind, parsed).count(month, placed)


def rows(part: Any, select: str) -> list[tuple[Any, ...]]:
    """A query over a part's rows."""
    with duckdb.connect() as connection:
        return connection.execute(f"WITH rows AS (FROM '{part.path}') {select}").fetchall()
