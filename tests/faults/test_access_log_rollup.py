"""A rollup of the access log that is killed: nobody sees half a month, and running it again finishes the work."""

import asyncio
import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tenantscope_sandbox import Sandbox
from tenantscope_sandbox.processes import wait_until

MONTH = "2026-07"
TENANTS = ("acme", "globex")
READY_SECONDS = 30
RULES = "{format: 1, tenant: {field: tenantId}, routes: [{route: /v1/search}]}"
THE_FLEET_S_COMMIT_HANGS: dict[str, Any] = {
    "service": "s3", "action": "PutObject", "kind": "hang", "contains": "fleet/usage/_manifest.json",
}  # fmt: skip


def command(company: Sandbox, folder: Path) -> tuple[list[str], dict[str, str]]:
    """The server's rollup of a log in a folder."""
    rules, log = folder / "rules.yaml", folder / "log"
    rules.write_text(RULES)
    log.mkdir(exist_ok=True)
    lines = [
        json.dumps({"requestTime": f"{MONTH}-05T10:00:00Z", "httpMethod": "GET", "path": "/v1/search", "status": 200,
                    "tenantId": tenant})
        for tenant in TENANTS for _ in range(3)
    ]  # fmt: skip
    (log / f"access.{MONTH}-05.gz").write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    words = [str(Path(sys.executable).with_name("tenantscope-metrics-logs")), "rollup"]
    words += ["--log-url", str(log), "--rules", str(rules)]
    return words, company.server_env("metrics-logs", provider=True)


def months(company: Sandbox, prefix: str) -> set[str]:
    """The months that a manifest commits."""
    s3 = company.client("s3")
    try:
        body = s3.get_object(Bucket=company.bucket, Key=f"{prefix}/_manifest.json")["Body"].read()
    except s3.exceptions.NoSuchKey:
        return set()
    return set(json.loads(body)["months"])


async def test_a_rollup_that_is_killed_midway_is_simply_run_again(company: Sandbox, tmp_path: Path):
    words, environment = command(company, tmp_path)
    company.emulator.set_faults(THE_FLEET_S_COMMIT_HANGS)
    rollup = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        own = [f"datasets/usage/tenant_id={tenant}" for tenant in TENANTS]
        assert await asyncio.to_thread(
            wait_until, lambda: all(MONTH in months(company, prefix) for prefix in own), READY_SECONDS
        )
    finally:
        rollup.kill()
        await asyncio.to_thread(rollup.wait, 10)
    company.emulator.clear_faults()
    assert MONTH not in months(company, "fleet/usage")
    for said in ("1 committed", "1 unchanged"):
        done = await asyncio.to_thread(
            subprocess.run, words, env=environment, capture_output=True, text=True, timeout=60, check=True
        )
        assert said in done.stdout
    assert MONTH in months(company, "fleet/usage")
    assert MONTH in months(company, "fleet/feature_usage")
