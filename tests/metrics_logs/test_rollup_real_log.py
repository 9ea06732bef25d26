"""A real web server's log, counted here by plain Python and there by the rollup."""

import gzip
import re
from collections import Counter
from datetime import datetime
from pathlib import Path

import anyio
import pytest
from metrics_logs.logs import rows
from tenantscope_core.results.periods import Month
from tenantscope_metrics_logs.learning import STATIC
from tenantscope_metrics_logs.log_formats import LogFormat
from tenantscope_metrics_logs.log_rules_file import parse_log_rules
from tenantscope_metrics_logs.sources.raw_log import LogFile
from tenantscope_metrics_logs.sources.workbench import Counted, LogWorkbench

LOG = Path(__file__).parents[1] / "data/apache_access.log.gz"
RULES = parse_log_rules("{format: 1, tenant: {constant: semicomplete}}")
LINE = re.compile(
    r'\S+ \S+ \S+ \[(?P<time>[^]]+)] "(?P<method>\S+) (?P<path>\S+)[^"]*" (?P<status>\d+) (?P<bytes>\d+|-)'
)


@pytest.fixture(scope="module")
def requests() -> list[dict[str, str]]:
    """Every line, by a regular expression."""
    text = gzip.decompress(LOG.read_bytes()).decode()
    found = [LINE.match(line) for line in text.splitlines()]
    assert all(found)
    return [match.groupdict() for match in found if match is not None]


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Counted:
    async def count() -> Counted:
        workbench = LogWorkbench(tmp_path_factory.mktemp("real"), LogFormat.COMBINED, RULES)
        file = LogFile(LOG.name, LOG, None)
        assert await workbench.months_in(file) == [Month(2015, 5)]
        return await workbench.count(Month(2015, 5), [file])

    return anyio.run(count)


def day_of(request: dict[str, str]) -> str:
    return datetime.strptime(request["time"], "%d/%b/%Y:%H:%M:%S %z").date().isoformat()


def test_every_line_is_counted(counted: Counted, requests: list[dict[str, str]]):
    assert counted.classes == {"counted": len(requests)}
    assert counted.lines == 10_000


def test_days_statuses_and_bytes_are_the_logs(counted: Counted, requests: list[dict[str, str]]):
    by_hand: Counter[tuple[str, str]] = Counter()
    for request in requests:
        day, status = day_of(request), int(request["status"])
        by_hand[day, "requests"] += 1
        by_hand[day, "errors"] += 500 <= status <= 599
        by_hand[day, "throttled"] += status == 429
        by_hand[day, "client_errors"] += 400 <= status <= 499 and status != 429
        by_hand[day, "bytes"] += 0 if request["bytes"] == "-" else int(request["bytes"])
    (_, fleet) = counted.usage
    found = rows(fleet, "SELECT CAST(day AS VARCHAR), metric, CAST(quantity AS BIGINT) FROM rows")
    assert {(day, metric): quantity for day, metric, quantity in found} == dict(by_hand)


def test_its_features_are_learned_and_hold_what_their_templates_take(counted: Counted, requests: list[dict[str, str]]):
    templates = [route.template for route in counted.routes]
    assert {"/", "*.png", "*.css", "/projects/xdotool", "/blog/geekery/{id}", "/blog/tags/{id}"} <= set(templates)
    assert {"/articles/{id}", "/presentations/{id}"} <= set(templates)
    by_hand = Counter((taken_by(templates, request["path"]), request["method"]) for request in requests)
    (_, fleet) = counted.features
    found = rows(fleet, "SELECT feature, action, CAST(sum(calls) AS BIGINT) FROM rows GROUP BY ALL")
    assert {(feature, action): calls for feature, action, calls in found} == dict(by_hand)
    assert by_hand["(other)", "GET"] < 0.03 * len(requests)


def taken_by(templates: list[str], path: str) -> str:
    """The template of a path, written from its definition."""
    bare = re.sub("/+", "/", re.split("[?#]", path, maxsplit=1)[0]).lower().rstrip("/")
    ending = bare.rpartition(".")[2]
    if f"*.{ending}" in templates:
        return f"*.{ending}"
    if ending in STATIC:
        return "(other)"  # learned from shapes, where only the ending is left
    fitting = [one for one in templates if re.fullmatch(re.escape(one.rstrip("/")).replace(r"\{id\}", "[^/]+"), bare)]
    order = {one: [part == "{id}" for part in one.split("/")] for one in fitting}
    return min(fitting, key=lambda one: order[one], default="(other)")
