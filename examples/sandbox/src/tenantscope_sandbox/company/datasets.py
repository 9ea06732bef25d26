"""The derived datasets as objects: a partition per tenant and month, fleet copies, and manifests that commit them."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from .periods import next_month

RUN = "company"
METERED: Mapping[str, str] = {
    "usage": "day, metric, quantity, unit",
    "feature_usage": "day, feature, action, calls, users, errors, p50_ms, p95_ms, bytes",
}
COLUMNS: Mapping[str, str] = {
    "llm_usage": "day, model, feature, agent, tokens_in, tokens_out, tokens_cached, requests, cost",
}


def write_datasets(connection: duckdb.DuckDBPyConnection, root: Path, inputs: str) -> None:
    """Write every dataset below `root`. `inputs` names what they were made from."""
    for name, columns in COLUMNS.items():
        _write_tenants(connection, root, name, columns, inputs)
        _write_fleet(connection, root, name, columns, inputs)


def write_metering(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Write the company's own metering, a file a month: what a rollup of its log must come to, and no server sees.

    Storage is left out, for no log tells it.
    """
    for name, columns in METERED.items():
        target = folder / name
        target.mkdir(parents=True)
        logged = "WHERE metric <> 'storage_gb_hours'" if name == "usage" else ""
        for (month,) in connection.execute(f"SELECT DISTINCT month FROM {name} ORDER BY month").fetchall():
            connection.execute(
                f"COPY (SELECT tenant_id, {columns} FROM (FROM {name} {logged}) WHERE month = '{month}'"
                f" ORDER BY tenant_id, {columns}) TO '{target / month}.parquet' (FORMAT parquet)"
            )


def _write_tenants(connection: duckdb.DuckDBPyConnection, root: Path, name: str, columns: str, inputs: str) -> None:
    counts: dict[tuple[str, str], int] = {
        (tenant, month): rows
        for tenant, month, rows in connection.execute(
            f"SELECT tenant_id, month, count(*) FROM {name} GROUP BY ALL ORDER BY ALL"
        ).fetchall()
    }
    staged = root / "staged" / name
    staged.mkdir(parents=True)
    connection.execute(
        f"COPY (SELECT {columns}, tenant_id, month FROM {name} ORDER BY tenant_id, month, {columns}) TO '{staged}'"
        " (FORMAT parquet, PARTITION_BY (tenant_id, month), FILENAME_PATTERN 'part-{i}', OVERWRITE_OR_IGNORE)"
    )
    months: dict[str, dict[str, Any]] = {}
    for (tenant, month), rows in counts.items():
        key = f"datasets/{name}/tenant_id={tenant}/month={month}/run={RUN}/part-0.parquet"
        (part,) = (staged / f"tenant_id={tenant}" / f"month={month}").iterdir()
        target = root / key
        target.parent.mkdir(parents=True)
        part.rename(target)
        months.setdefault(tenant, {})[month] = _commit(root, key, month, rows, inputs)
    for tenant, committed in months.items():
        _write_manifest(root / f"datasets/{name}/tenant_id={tenant}/_manifest.json", name, committed)
    shutil.rmtree(root / "staged")


def _write_fleet(connection: duckdb.DuckDBPyConnection, root: Path, name: str, columns: str, inputs: str) -> None:
    committed: dict[str, Any] = {}
    for month, rows in connection.execute(f"SELECT month, count(*) FROM {name} GROUP BY ALL ORDER BY ALL").fetchall():
        key = f"fleet/{name}/month={month}/run={RUN}/part-0.parquet"
        (root / key).parent.mkdir(parents=True)
        connection.execute(
            f"COPY (SELECT tenant_id, {columns} FROM {name} WHERE month = '{month}' ORDER BY tenant_id, {columns})"
            f" TO '{root / key}' (FORMAT parquet)"
        )
        committed[month] = _commit(root, key, month, rows, inputs)
    _write_manifest(root / f"fleet/{name}/_manifest.json", name, committed)


def _commit(root: Path, key: str, month: str, rows: int, inputs: str) -> dict[str, Any]:
    body = (root / key).read_bytes()
    etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
    return {
        "run": RUN,
        "objects": [{"key": key, "size": len(body), "etag": etag, "rows": rows}],
        "written": f"{next_month(month)}T02:00:00+00:00",
        "inputs": inputs,
    }


def _write_manifest(path: Path, name: str, months: Mapping[str, Any]) -> None:
    path.write_text(json.dumps({"dataset": name, "format": 1, "months": months}, indent=1, sort_keys=True))
