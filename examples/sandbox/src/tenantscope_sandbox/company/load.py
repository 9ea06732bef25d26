"""Brings the company into the sandbox: objects, registry, resources, metrics, logs. Safe to run again and again."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from boto3.dynamodb.types import TypeSerializer

from tenantscope_sandbox.state import State

from .cloudwatch import FORTNIGHT, put_events, put_metrics, recent_events, recent_metrics
from .generate import OBJECTS, REGISTRY, Progress, generate, version
from .tagged import put_resources

MARKER = "company/_version.json"
"""Written after what it tells of: the version of all objects and items, and until when CloudWatch was told."""
THREADS = 8
REFRESH_AFTER = timedelta(days=1)


class Home(Protocol):
    """What the company needs to know of the sandbox that it moves into."""

    state: State

    @property
    def bucket(self) -> str:
        """Bucket of raw data and datasets; exists."""
        ...

    @property
    def table(self) -> str:
        """Registry table; exists."""
        ...

    def client(self, service: str, *, max_pool_connections: int) -> Any:
        """Return a boto3 client of the account's root."""
        ...


def _now() -> datetime:
    return datetime.now(UTC)


def load(sandbox: Home, *, progress: Progress, clock: Callable[[], datetime] = _now) -> None:
    """Make the company if need be and load what is not there yet.

    A load that was cut off goes on where it was; a second load of the same version only brings CloudWatch up to date,
    when more than a day has passed.
    """
    home = generate(sandbox.state.root, progress=progress)
    s3 = sandbox.client("s3", max_pool_connections=THREADS)
    marker = _read_marker(s3, sandbox.bucket)

    def mark(**known: str) -> None:
        marker.update(known)
        s3.put_object(Bucket=sandbox.bucket, Key=MARKER, Body=json.dumps(marker).encode())

    if marker.get("version") != version():
        progress("company: uploading objects")
        _forget_prices(s3, sandbox.bucket)
        _put_objects(s3, sandbox.bucket, home / OBJECTS)
        progress("company: registering tenants")
        _put_registry(sandbox.client("dynamodb", max_pool_connections=THREADS), sandbox.table, home)
        put_resources(lambda service: sandbox.client(service, max_pool_connections=THREADS))
        mark(version=version())
    until = clock().replace(minute=0, second=0, microsecond=0)
    metrics_since, logs_since = _since(marker, "metrics_until", until), _since(marker, "logs_until", until)
    if until - min(metrics_since, logs_since) < REFRESH_AFTER:
        progress("company: already loaded")
        return
    progress("company: metrics and logs")
    cloudwatch = sandbox.client("cloudwatch", max_pool_connections=THREADS)
    for sent_until in put_metrics(cloudwatch, recent_metrics(home, metrics_since, until)):
        mark(metrics_until=sent_until.isoformat())
    logs = sandbox.client("logs", max_pool_connections=THREADS)
    put_events(logs, recent_events(home, logs_since, until), THREADS, anew="logs_until" not in marker)
    mark(metrics_until=until.isoformat(), logs_until=until.isoformat())
    progress("company: loaded")


def _since(marker: dict[str, str], name: str, until: datetime) -> datetime:
    told = marker.get(name)
    return max(until - FORTNIGHT, datetime.fromisoformat(told)) if told else until - FORTNIGHT


def _read_marker(s3: Any, bucket: str) -> dict[str, str]:
    try:
        body: bytes = s3.get_object(Bucket=bucket, Key=MARKER)["Body"].read()
    except s3.exceptions.NoSuchKey:
        return {}
    return json.loads(body)


def _forget_prices(s3: Any, bucket: str) -> None:
    """Take away what was published for another version of the company: its past prices bind this one no more."""
    for prefix in ("fleet/price_book/", "datasets/price_book/"):
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                s3.delete_object(Bucket=bucket, Key=entry["Key"])


def _put_objects(s3: Any, bucket: str, root: Path) -> int:
    """Upload the mirrored tree; data first, then tenants' manifests, then the fleet's, as a commit does."""
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    manifests = [path for path in paths if path.name == "_manifest.json"]
    fleet = [path for path in manifests if path.is_relative_to(root / "fleet")]
    waves = ([p for p in paths if p not in set(manifests)], [p for p in manifests if p not in fleet], fleet)

    def put(path: Path) -> None:
        s3.put_object(Bucket=bucket, Key=path.relative_to(root).as_posix(), Body=path.read_bytes())

    with ThreadPoolExecutor(THREADS) as pool:
        for wave in waves:
            list(pool.map(put, wave))
    return len(paths)


def _put_registry(dynamodb: Any, table: str, home: Path) -> None:
    """Write the tenants as items; the table's key attributes are filled whatever they are called."""
    serialize = TypeSerializer().serialize
    schema: list[dict[str, str]] = dynamodb.describe_table(TableName=table)["Table"]["KeySchema"]
    keys = {one["KeyType"]: one["AttributeName"] for one in schema}
    for item in json.loads((home / REGISTRY).read_text()):
        item.setdefault(keys["HASH"], item["tenantId"])
        if "RANGE" in keys:
            item.setdefault(keys["RANGE"], item["recordType"])
        plain = {name: serialize(value) for name, value in item.items()}
        dynamodb.put_item(TableName=table, Item=plain)
