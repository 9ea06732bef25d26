"""Tenants of nearly the same name with something in every store, and all that the stores hold of everyone else."""

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, LiteralString

import psycopg
from fixtures.store_contents import contents
from tenantscope_sandbox import Sandbox
from valkey import Valkey

LEAVER = "initech"
ALIKE = ("initech_corp", "Initech", "initech-2", "nitech")
"""Not the one that leaves, and nearly its name."""
PARTS = {
    "objects": {"usage": 4, "notes": 2, "athena-results": 2},
    "database": {
        "memory.session": 1, "memory.branch": 1, "memory.event": 40, "memory.record": 30, "memory.supersession": 1,
        "memory.record_source": 10, "memory.record_key": 30, "memory.passage": 30, "semantic_cache.ledger": 1,
        "semantic_cache.answer": 5, "semantic_cache.entry": 20, "semantic_cache.usage_day": 3,
        "semantic_cache.counted_batch": 2,
    },
    "cache": {"memory": 2, "semantic-cache": 3},
    "logs": {"app": 1, "worker/nightly": 1},
}  # fmt: skip
"""What each of them has, by store and part."""

_ROWS: tuple[LiteralString, ...] = (
    "INSERT INTO memory.session VALUES (%(t)s, 'ann', 's1', 40, now(), now())",
    "INSERT INTO memory.branch VALUES (%(t)s, 'ann', 's1', 'main', NULL, NULL, 0, 40, 'stamp')",
    """INSERT INTO memory.event
       SELECT %(t)s, 'ann', 's1', n, 'main', n, 'k' || n, md5(n::text), 'user', NULL, 'said “' || n || '” \\ ' || %(t)s,
              NULL, decode(md5(n::text), 'hex'), 100, now(), now() FROM generate_series(1, 40) AS n""",
    """INSERT INTO memory.record
       SELECT %(t)s, md5(%(t)s || n)::uuid, 'ann', 'ns', 'fact', NULL, 'fact ' || n, 0.1 * (n %% 10), md5(n::text),
              now(), NULL, now() FROM generate_series(1, 30) AS n""",
    "INSERT INTO memory.supersession VALUES (%(t)s, md5(%(t)s || 1)::uuid, md5(%(t)s || 2)::uuid, now(), now())",
    """INSERT INTO memory.record_source
       SELECT %(t)s, md5(%(t)s || n)::uuid, 'ann', 's1', n FROM generate_series(1, 10) AS n""",
    """INSERT INTO memory.record_key
       SELECT %(t)s, 'ann', 'k' || n, md5(%(t)s || n)::uuid FROM generate_series(1, 30) AS n""",
    """INSERT INTO memory.passage (tenant_id, actor, kind, record, at, recorded_at, importance, length, words, embedder,
                                  embedding)
       SELECT %(t)s, 'ann', 'fact', md5(%(t)s || n)::uuid, now(), now(), 0.5, 3, to_tsvector('simple', 'fact ' || n),
              'tiny', format('[%%s,0.5,-1]', n)::public.vector FROM generate_series(1, 30) AS n""",
    "INSERT INTO semantic_cache.ledger VALUES (%(t)s, 7, 20, now())",
    """INSERT INTO semantic_cache.answer
       SELECT %(t)s, decode(md5(n::text), 'hex'), 'a', 1 FROM generate_series(1, 5) AS n""",
    """INSERT INTO semantic_cache.entry
       SELECT %(t)s, decode(md5('f' || n), 'hex'), decode(md5('f' || n), 'hex'), false, 'scope',
              decode(md5(n::text), 'hex'), decode(md5((n %% 5 + 1)::text), 'hex'), n, 'why', NULL, NULL, 'model', 'ann',
              NULL, true, 1, 2, 0.000000001, 'USD', 5, now(), now(), now(), now() FROM generate_series(1, 20) AS n""",
    """INSERT INTO semantic_cache.usage_day
       SELECT %(t)s, date '2026-08-01' + n, 'model', 'miss', '', 'USD', 1, 2, 3, 12345678901234567890.123456789, 9
         FROM generate_series(1, 3) AS n""",
    """INSERT INTO semantic_cache.counted_batch
       SELECT %(t)s, decode(md5(n::text), 'hex'), now() FROM generate_series(1, 2) AS n""",
)
_EMPTIED = (
    "memory.record_source", "memory.supersession", "memory.record_key", "memory.passage", "memory.record",
    "memory.session", "semantic_cache.entry", "semantic_cache.answer", "semantic_cache.ledger",
    "semantic_cache.usage_day", "semantic_cache.counted_batch",
)  # fmt: skip

Everything = dict[str, Any]


def move_in(sandbox: Sandbox, tenant: str) -> None:
    """Give a tenant what PARTS says, in all stores."""
    s3 = sandbox.client("s3")
    usage, notes = f"datasets/usage/tenant_id={tenant}", f"datasets/notes/tenant_id={tenant}"
    for key, body in (
        (f"{usage}/_manifest.json", b"{}"),
        (f"{usage}/_manifest.json", b'{"months": {}}'),
        (f"{usage}/month=2026-08/run=r 1+ü/part-0.parquet", f"of {tenant}".encode() * 100),
        (f"{usage}/month=2026-08/run=r2/part-0.parquet", b"two"),
        (f"{notes}/n.txt", b"gone soon"),
        (f"athena-results/tenant_id={tenant}/q.csv", b"1,2"),
        (f"athena-results/tenant_id={tenant}/q.csv.metadata", b"x"),
    ):
        s3.put_object(Bucket=sandbox.bucket, Key=key, Body=body)
    s3.delete_object(Bucket=sandbox.bucket, Key=f"{notes}/n.txt")  # a marker over a version
    insert_rows(sandbox, tenant)
    with admin_valkey(sandbox) as valkey:
        prefix = f"ts:{{{tenant}}}:"
        valkey.set(f"{prefix}memory:tail", "1")
        valkey.rpush(f"{prefix}memory:list:[a-z]*?", "x", "y")
        valkey.hset(f"{prefix}semantic-cache:h", mapping={"a": "1"})
        valkey.mset({f"{prefix}semantic-cache:{n}": n for n in range(2)})
        valkey.set(f"{prefix}admission:calls", "1", px=600_000)
    logs = sandbox.client("logs")
    for group in PARTS["logs"]:
        write_log(logs, f"/tenantscope/tenants/{tenant}/{group}", [f"{group} “{n}” of {tenant}" for n in range(10)])


def write_log(logs: Any, group: str, messages: list[str], *, start: int = 1_700_000_000_000) -> None:
    """Records in a group, two at each millisecond."""
    with suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName="one")
    events = [{"timestamp": start + n // 2, "message": message} for n, message in enumerate(messages)]
    logs.put_log_events(logGroupName=group, logStreamName="one", logEvents=events)


def insert_rows(sandbox: Sandbox, tenant: str) -> None:
    """Rows in every table of both schemas."""
    with psycopg.connect(sandbox.postgres_admin_dsn) as connection:
        for statement in _ROWS:
            connection.execute(statement, {"t": tenant})


def move_out(sandbox: Sandbox, tenant: str) -> None:
    """Take all away that there may be of a tenant, the rough way."""
    s3 = sandbox.client("s3")
    for version in versions(sandbox):
        if f"/tenant_id={tenant}/" in version["Key"]:
            s3.delete_object(Bucket=sandbox.bucket, Key=version["Key"], VersionId=version["VersionId"])
    with psycopg.connect(sandbox.postgres_admin_dsn) as connection:
        for table in _EMPTIED:
            connection.execute(f"DELETE FROM {table} WHERE tenant_id = %s", [tenant])  # pyright: ignore[reportArgumentType]
    with admin_valkey(sandbox) as valkey:
        for key in keys_of(sandbox, tenant):
            valkey.delete(key)
        valkey.execute_command("ACL DELUSER", f"ts-{tenant}")
    logs = sandbox.client("logs")
    for group in log_groups(sandbox, f"/tenantscope/tenants/{tenant}/"):
        logs.delete_log_group(logGroupName=group)


def everything_but(sandbox: Sandbox, tenant: str) -> Everything:
    """What all stores hold besides one tenant's, to the byte: every version of every object, row, key and record."""
    rows_and_keys = contents(sandbox, not_of=tenant)
    others = {name: held for name, held in rows_and_keys.items() if not name.startswith(f"ts:{{{tenant}}}:")}
    objects = {
        (one["Key"], one["VersionId"]): one.get("ETag") for one in versions(sandbox)
        if f"/tenant_id={tenant}/" not in one["Key"]
    }  # fmt: skip
    logs = sandbox.client("logs")
    records: dict[str, str] = {}
    for group in log_groups(sandbox):
        if not group.startswith(f"/tenantscope/tenants/{tenant}/"):
            events = logs.filter_log_events(logGroupName=group)["events"]
            records[group] = hashlib.md5(json.dumps(events, sort_keys=True).encode()).hexdigest()
    with admin_valkey(sandbox) as valkey:
        users = [line for line in valkey.acl_list() if not line.startswith(f"user ts-{tenant} ")]
    return {"rows and keys": others, "objects": objects, "logs": records, "users": users}


def versions(sandbox: Sandbox) -> Iterator[dict[str, Any]]:
    """Every version and delete marker of the bucket."""
    for page in sandbox.client("s3").get_paginator("list_object_versions").paginate(Bucket=sandbox.bucket):
        yield from page.get("Versions", [])
        yield from page.get("DeleteMarkers", [])


def keys_of(sandbox: Sandbox, tenant: str) -> list[bytes]:
    """Every key of a tenant, those of admission among them."""
    with admin_valkey(sandbox) as valkey:
        return [key for key in valkey.scan_iter(count=10_000) if key.startswith(f"ts:{{{tenant}}}:".encode())]


def log_groups(sandbox: Sandbox, prefix: str = "") -> list[str]:
    """Names of log groups."""
    pages = sandbox.client("logs").get_paginator("describe_log_groups").paginate()
    return [
        group["logGroupName"] for page in pages for group in page["logGroups"]
        if group["logGroupName"].startswith(prefix)
    ]  # fmt: skip


def admin_valkey(sandbox: Sandbox) -> Any:
    """Valkey as its administrator."""
    client: Any = Valkey
    return client.from_url(sandbox.valkey_admin_url)


def ticking() -> Any:
    """A clock that goes on a second each time it is asked."""
    start = time.monotonic()

    def now() -> float:
        nonlocal start
        start += 1
        return start

    return now
