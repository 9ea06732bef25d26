"""Changes and anomalies of the FOCUS project's own sample, a bill that we did not make: a thousand charges."""

from decimal import Decimal
from pathlib import Path

import pytest
from cost_explorer.test_rollup import BY_TAG, OCTOBER, SEPTEMBER, Company
from fixtures.asking import Asker
from fixtures.clock import Clock
from fixtures.stores import Cloud
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.duckdb_engine import DuckDbEngine
from tenantscope_core.stores.object_cache import ObjectCache
from tenantscope_cost_explorer.sources.open import sources_of
from tenantscope_cost_explorer.tools.explain_cost_change import explain_cost_change
from tenantscope_cost_explorer.tools.find_cost_anomalies import find_cost_anomalies


@pytest.mark.requirement("drivers-sum-to-the-change")
async def test_a_real_bill_is_explained_exactly_and_does_not_flood(cloud: Cloud, bucket: str, tmp_path: Path) -> None:
    company = Company(cloud.fleet(), bucket, tmp_path)
    await company.use(SEPTEMBER, {"ZoomMapMax": 3, "QuietOne": 4}, "u1")
    await company.roll_up(BY_TAG)
    reader = DatasetReader(bucket, clock=Clock())
    cache = ObjectCache(tmp_path / "cache", max_bytes=1 << 24)
    asker = Asker(sources_of(reader, DuckDbEngine(reader, cache)), company.aws)

    explained = (await asker.ask(explain_cost_change)).changes[0]
    bill = {
        month: sum((row[0] for row in await company.rows(month, 'SELECT "EffectiveCost" FROM rows')), Decimal(0))
        for month in (SEPTEMBER, OCTOBER)
    }
    cents = [bill[month].quantize(Decimal("0.01")) for month in (SEPTEMBER, OCTOBER)]
    assert [explained.before, explained.after] == cents
    assert sum(one.change for one in explained.drivers) == explained.change == cents[1] - cents[0]
    lines = sum((one.change for one in explained.lines), explained.other.change if explained.other else Decimal(0))
    assert lines == explained.change

    # Mostly days without any charge, and at the month's end three weeks to judge by: the one credit, and hardly more.
    for period in ("2024-09", "2024-10", "2024-09-23..2024-09-30"):
        counts: dict[str, int] = {}
        for sensitivity in ("low", "medium", "high"):
            found = await asker.ask(find_cost_anomalies, period=period, sensitivity=sensitivity, min_cost=0, limit=10)
            counts[sensitivity] = found.count
            assert any(one.kind == "one_off" for one in found.anomalies) is (period == "2024-09")
        assert counts["low"] <= counts["medium"] <= counts["high"] <= 2
    cache.close()
