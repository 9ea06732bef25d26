"""The rollup of access logs against a real S3: what it commits, what it skips, what it says."""

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fixtures.clock import Clock
from fixtures.stores import Cloud, SignedCaller
from metrics_logs.logs import ROUTED, count, line, rows
from tenantscope_core.results.errors import DataFault, InvalidArgument
from tenantscope_core.results.periods import Month
from tenantscope_core.stores.dataset_writer import Part
from tenantscope_core.stores.datasets import fetch_manifest
from tenantscope_core.stores.departures import NO_REGISTRY
from tenantscope_core.stores.raw_objects import open_raw
from tenantscope_core.stores.rollup import Outcome, Request
from tenantscope_metrics_logs.log_formats import LogFormat
from tenantscope_metrics_logs.log_rules_file import parse_log_rules
from tenantscope_metrics_logs.rollup import Rollup
from tenantscope_metrics_logs.sources.raw_log import is_log

SEPTEMBER, OCTOBER = Month(2026, 9), Month(2026, 10)


@dataclass
class Log:
    """A bucket with a raw log, and rollups of it into the same bucket."""

    cloud: Cloud
    aws: SignedCaller
    bucket: str
    folder: Path
    said: list[str] = field(default_factory=list[str])

    def put(self, name: str, content: bytes | Sequence[str]) -> None:
        body = content if isinstance(content, bytes) else gzip.compress("".join(f"{x}\n" for x in content).encode())
        self.cloud.client("s3").put_object(Bucket=self.bucket, Key=f"raw/access_log/{name}", Body=body)

    def delete(self, name: str) -> None:
        self.cloud.client("s3").delete_object(Bucket=self.bucket, Key=f"raw/access_log/{name}")

    def rollup(self, rules: str = ROUTED, kind: LogFormat | None = None, url: str = "") -> Rollup:
        at = url or f"s3://{self.bucket}/raw/access_log/"
        return Rollup(
            self.aws,
            self.bucket,
            open_raw(at, self.aws, self.folder / "copies", what="access log", wanted=is_log),
            parse_log_rules(rules),
            kind=kind,
            registry=None,
            folder=self.folder,
            clock=Clock(),
            say=self.said.append,
        )

    async def roll_up(
        self, rules: str = ROUTED, *months: Month, force: bool = False, kind: LogFormat | None = None, url: str = ""
    ) -> Mapping[Month, Outcome]:
        return await self.rollup(rules, kind, url).run(Request(months or None, force))

    async def committed(self, dataset: str, month: Month, select: str, tenant: str | None = None) -> list[Any]:
        """A query over what is committed of a month, read as its owner."""
        aws = self.aws if tenant is None else self.cloud.tenant(tenant)
        manifest, _ = await fetch_manifest(aws, self.bucket, dataset, tenant)
        (ref,) = manifest.months[str(month)].objects
        path = self.folder / "read.parquet"
        path.write_bytes((await aws.call("s3", "get_object", Bucket=self.bucket, Key=ref.key))["Body"])
        return rows(Part(path, 0), select)

    async def classes(self, month: Month) -> dict[str, int]:
        found = await self.committed("access_log_report", month, "SELECT name, lines FROM rows WHERE section = 'class'")
        return dict(found)

    async def requests(self, month: Month) -> dict[str, int]:
        """Each tenant's requests."""
        select = "SELECT tenant_id, CAST(sum(quantity) AS BIGINT) FROM rows WHERE metric = 'requests' GROUP BY 1"
        return dict(await self.committed("usage", month, select))


@pytest.fixture
def log(cloud: Cloud, bucket: str, tmp_path: Path) -> Log:
    return Log(cloud, cloud.fleet(), bucket, tmp_path)


def at(day: str, **changes: Any) -> str:
    return line(requestTime=f"{day}T10:00:00Z", **changes)


async def test_each_tenant_gets_its_use_and_the_fleet_gets_everybodys(log: Log):
    log.put(
        "day=2026-10-05/a.gz",
        [
            at("2026-10-05", path="/v1/trips/7/booking", httpMethod="POST", responseLatency=10, responseLength=5),
            at(
                "2026-10-05",
                path="/v1/trips/8/booking",
                httpMethod="POST",
                responseLatency=30,
                responseLength=5,
                user="u-2",
            ),
            at("2026-10-05", path="/v1/trips/8/booking", status=503, responseLatency=500),
            at("2026-10-05", path="/favicon.ico", status=404),
            at("2026-10-05", path="/v1/search", status=429, tenantId="globex", user=None),
        ],
    )
    log.put("day=2026-10-06/a.gz", [at("2026-10-06", path="/v1/search/", user="u-3")])
    assert await log.roll_up() == {OCTOBER: Outcome.COMMITTED}
    own = await log.committed("usage", OCTOBER, "SELECT day, metric, quantity, unit FROM rows", "acme")
    found = {(day.day, metric): quantity for day, metric, quantity, _ in own}
    assert found == {
        (5, "requests"): 4, (5, "errors"): 1, (5, "client_errors"): 1, (5, "throttled"): 0, (5, "bytes"): 210,
        (5, "request_ms"): 560, (5, "users"): 2, (5, "p50_ms"): 25, (5, "p95_ms"): Decimal("429.5"),
        (6, "requests"): 1, (6, "errors"): 0, (6, "client_errors"): 0, (6, "throttled"): 0, (6, "bytes"): 100,
        (6, "request_ms"): 20, (6, "users"): 1, (6, "p50_ms"): 20, (6, "p95_ms"): 20,
        (1, "monthly_users"): 3,
    }  # fmt: skip
    assert {metric: unit for _, metric, _, unit in own}["request_ms"] == "Milliseconds"
    features = await log.committed("feature_usage", OCTOBER, "FROM rows ORDER BY day, feature, action", "acme")
    assert features == [
        (date(2026, 10, 5), "(other)", "GET", 1, 1, 0, 20.0, 20.0, 100),
        (date(2026, 10, 5), "booking", "book", 2, 2, 0, 20.0, 29.0, 10),
        (date(2026, 10, 5), "booking", "view", 1, 1, 1, 500.0, 500.0, 100),
        (date(2026, 10, 6), "search", "GET", 1, 1, 0, 20.0, 20.0, 100),
    ]
    theirs = await log.committed("usage", OCTOBER, "SELECT metric, quantity FROM rows", "globex")
    assert dict(theirs)["throttled"] == 1
    assert not {"users", "monthly_users"} & set(dict(theirs))  # nobody was named
    assert await log.requests(OCTOBER) == {"acme": 5, "globex": 1}


async def test_a_second_run_changes_nothing_and_new_rules_do(log: Log):
    log.put("day=2026-10-05/a.gz", [at("2026-10-05")])
    await log.roll_up()
    log.said.clear()
    assert await log.roll_up("# only a comment\n" + ROUTED) == {OCTOBER: Outcome.UNCHANGED}
    assert any("skipped" in said for said in log.said)
    renamed = ROUTED.replace("search", "finding", 1)
    assert await log.roll_up(renamed) == {OCTOBER: Outcome.COMMITTED}
    assert await log.committed("feature_usage", OCTOBER, "SELECT feature FROM rows", "acme") == [("finding",)]
    assert await log.roll_up(renamed, force=True) == {OCTOBER: Outcome.COMMITTED}


async def test_late_lines_roll_up_their_own_month_and_no_other(log: Log):
    log.put("2026/09/05/a.gz", [at("2026-09-05")])
    log.put("2026/10/05/a.gz", [at("2026-10-05")])
    await log.roll_up()
    log.put("2026/10/05/late.gz", [at("2026-10-05", tenantId="globex")])
    assert await log.roll_up() == {SEPTEMBER: Outcome.UNCHANGED, OCTOBER: Outcome.COMMITTED}
    assert await log.requests(OCTOBER) == {"acme": 1, "globex": 1}


async def test_lines_that_strayed_over_a_month_s_border_are_counted_once(log: Log):
    """A load balancer's file of five minutes begins in one month and ends in the other."""
    log.put("day=2026-09-30/a.gz", [line(requestTime="2026-09-30T23:59:59Z"), line(requestTime="2026-10-01T00:00:01Z")])
    log.put("day=2026-10-01/a.gz", [line(requestTime="2026-09-30T23:58:00Z"), line(requestTime="2026-10-01T09:00:00Z")])
    assert set((await log.roll_up()).values()) == {Outcome.COMMITTED}
    assert await log.requests(SEPTEMBER) == {"acme": 2}
    assert await log.requests(OCTOBER) == {"acme": 2}
    assert await log.classes(SEPTEMBER) == {"counted": 2, "other_month": 1}
    assert await log.classes(OCTOBER) == {"counted": 2, "other_month": 1}
    log.put("day=2026-10-01/late.gz", [line(requestTime="2026-09-30T23:59:00Z")])
    assert set((await log.roll_up()).values()) == {Outcome.COMMITTED}
    assert await log.requests(SEPTEMBER) == {"acme": 3}


async def test_a_stray_line_alone_does_not_make_a_month(log: Log):
    """What is left of an earlier month must not take the place of that month."""
    log.put("day=2026-10-01/a.gz", [line(requestTime="2026-09-30T23:59:00Z"), at("2026-10-01")])
    assert await log.roll_up() == {OCTOBER: Outcome.COMMITTED}
    assert await log.classes(OCTOBER) == {"counted": 1, "other_month": 1}


async def test_a_line_far_from_its_file_s_day_is_said_and_not_counted(log: Log):
    log.put("day=2026-10-05/a.gz", [at("2026-10-05"), at("2026-10-20"), at("2031-01-01")])
    await log.roll_up()
    assert await log.classes(OCTOBER) == {"counted": 1, "misdated": 2}
    assert any("2 with a time more than a day from their file's" in said for said in log.said)


@pytest.mark.requirement("bad-object-named")
async def test_a_damaged_file_fails_its_month_alone_and_names_itself(log: Log):
    good = gzip.compress(at("2026-10-06").encode())
    log.put("day=2026-09-05/a.gz", [at("2026-09-05")])
    log.put("day=2026-10-05/a.gz", [at("2026-10-05")])
    log.put("day=2026-10-06/b.gz", good[:-9])
    outcomes = await log.roll_up(kind=LogFormat.API_GATEWAY)
    assert outcomes == {SEPTEMBER: Outcome.COMMITTED, OCTOBER: Outcome.FAILED}
    name = "raw/access_log/day=2026-10-06/b.gz"
    assert any(f"failed: The access log's file {name} is damaged" in said for said in log.said)
    log.put("day=2026-10-06/b.gz", good)
    assert await log.roll_up() == {SEPTEMBER: Outcome.UNCHANGED, OCTOBER: Outcome.COMMITTED}


@pytest.mark.parametrize(
    "damage", ["half", "a flipped bit", "a wrong checksum", "garbage after it", "its header alone"]
)
async def test_damage_is_never_taken_for_a_short_file(tmp_path: Path, damage: str):
    good = gzip.compress("".join(at("2026-10-05", user=f"u-{n * n}") + "\n" for n in range(50)).encode())
    damaged = {
        "half": good[: len(good) // 2],
        "a flipped bit": good[:20] + bytes([good[20] ^ 0x55]) + good[21:],
        "a wrong checksum": good[:-6] + bytes([good[-6] ^ 1]) + good[-5:],
        "garbage after it": good + b"garbage",
        "its header alone": good[:5],
    }[damage]
    assert (await count(tmp_path, {"a.gz": good})).lines == 50
    with pytest.raises(DataFault, match=r"The access log's file a\.gz is damaged"):
        await count(tmp_path, {"a.gz": damaged})


async def test_files_may_be_plain_or_packed_in_parts_and_end_without_a_newline(log: Log):
    log.put("day=2026-10-05/plain.log", (at("2026-10-05") + "\r\n" + at("2026-10-05")).encode())
    parts = [gzip.compress(text.encode()) for text in (at("2026-10-05")[:40], at("2026-10-05")[40:] + "\n\n", "")]
    log.put("day=2026-10-05/parts.gz", b"".join(parts) + b"\0" * 20)
    log.put("day=2026-10-05/empty.gz", gzip.compress(b""))
    log.put("day=2026-10-05/_SUCCESS", b"not a log")
    await log.roll_up()
    assert await log.classes(OCTOBER) == {"counted": 3}


async def test_what_expired_is_not_taken_out_of_a_month_that_was_counted(log: Log):
    log.put("day=2026-10-05/a.gz", [at("2026-10-05")])
    log.put("day=2026-10-06/a.gz", [at("2026-10-06")])
    await log.roll_up()
    log.delete("day=2026-10-05/a.gz")
    assert await log.roll_up() == {OCTOBER: Outcome.UNCHANGED}
    assert any("1 of its files are gone" in said for said in log.said)
    assert await log.requests(OCTOBER) == {"acme": 2}
    assert await log.roll_up(force=True) == {OCTOBER: Outcome.COMMITTED}
    assert await log.requests(OCTOBER) == {"acme": 1}


async def test_a_file_whose_name_tells_no_day_is_read_for_its_months(log: Log, tmp_path: Path):
    place = tmp_path / "logs"
    place.mkdir()
    lines = ["garbage", at("2026-09-30"), at("2026-10-01"), at("2026-10-02"), line(requestTime="never")]
    (place / "access.log").write_text("\n".join(lines))
    (place / "noise.log").write_text("nothing of use\n")
    outcomes = await log.roll_up(url=str(place), kind=LogFormat.API_GATEWAY)
    assert outcomes == {SEPTEMBER: Outcome.COMMITTED, OCTOBER: Outcome.COMMITTED}
    assert await log.classes(SEPTEMBER) == {"counted": 1, "unreadable": 1, "bad_time": 1, "other_month": 2}
    assert await log.classes(OCTOBER) == {"counted": 2}
    assert any("noise.log is left out: none of its lines tells a time" in said for said in log.said)


async def test_the_format_is_recognised_and_said_or_asked_for(log: Log):
    log.put("day=2026-10-05/a.gz", ["no format", "at all"])
    with pytest.raises(InvalidArgument, match="none that is known"):
        await log.roll_up()
    log.put("day=2026-10-05/a.gz", [at("2026-10-05")])
    await log.roll_up()
    assert "The format is api-gateway, by the first lines of 1 files." in log.said
    with pytest.raises(InvalidArgument, match="has no field `tenantId`"):
        await log.roll_up(kind=LogFormat.ALB)


async def test_an_empty_log_and_a_month_it_does_not_have_are_said(log: Log):
    assert await log.roll_up() == {}
    assert log.said == [NO_REGISTRY, "The access log has no files."]
    log.put("day=2026-10-05/a.gz", [at("2026-10-05")])
    assert await log.roll_up(ROUTED, Month(2020, 1)) == {Month(2020, 1): Outcome.NOTHING}
    assert log.said[-1] == "2020-01: the access log has nothing"


async def test_without_routes_they_are_learned_and_said(log: Log):
    lines = [at("2026-10-05", path=f"/v1/trips/{n}/booking") for n in range(30)]
    probes = [
        at("2026-10-05", path=f"/{name}/ignore.all.that", status=404) for name in ("wp", "admin") for _ in range(9)
    ]
    log.put("day=2026-10-05/a.gz", lines + probes)
    await log.roll_up("{format: 1, tenant: {field: tenantId}}")
    assert any("no routes are given; learned 1, such as /v1/trips/{id}/booking" in said for said in log.said)
    select = "SELECT feature, sum(calls) FROM rows GROUP BY 1 ORDER BY 1"
    assert await log.committed("feature_usage", OCTOBER, select) == [("(other)", 18), ("/v1/trips/{id}/booking", 30)]
    report = await log.committed(
        "access_log_report", OCTOBER, "SELECT section, name, lines, detail FROM rows WHERE section IN ('log', 'route')"
    )
    assert ("log", "routes", 48, "learned") in report
    assert ("route", "/v1/trips/{id}/booking", 30, "/v1/trips/{id}/booking") in report
    assert [route.template for route in await log.rollup().learn()] == ["/v1/trips/{id}/booking"]


async def test_who_made_a_request_is_in_nothing_that_is_stored(log: Log):
    log.put("day=2026-10-05/a.gz", [at("2026-10-05", user="alice@example.com", path="/v1/alice@example.com")])
    await log.roll_up("{format: 1, tenant: {field: tenantId}, user: {field: user}}")
    for dataset in ("usage", "feature_usage", "access_log_report"):
        assert "alice" not in str(await log.committed(dataset, OCTOBER, "FROM rows"))


async def test_runs_before_the_last_are_swept_after_a_day(log: Log):
    log.put("day=2026-10-05/a.gz", [at("2026-10-05")])
    await log.roll_up()
    await log.roll_up(force=True)
    assert await log.rollup().sweep() == 0  # written today
    names = await log.aws.call("s3", "list_objects_v2", Bucket=log.bucket, Prefix="fleet/usage/")
    assert names["KeyCount"] == 3
