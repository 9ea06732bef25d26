"""Publishing by the server's own command, and who can read what was published."""

import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import duckdb
import pytest
from catalogue import standing_servers
from fixtures.serving import Served, content_of, environment_of, serve
from fixtures.small_prices import BOOK
from isolation.layers import refused, vended
from tenantscope_sandbox import Sandbox


def publish(sandbox: Sandbox, path: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [str(Path(sys.executable).with_name("tenantscope-pricing")), "publish-book", str(path), *words]
    environment = sandbox.server_env("pricing", provider=True)
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@asynccontextmanager
async def pricing(sandbox: Sandbox) -> AsyncGenerator[Served]:
    (server,) = [each for each in standing_servers() if each.spec.name == "pricing"]
    async with serve(server.spec, environment_of(server, sandbox), sandbox) as served:
        yield served


async def versions(sandbox: Sandbox, tenant: str | None) -> list[str]:
    async with pricing(sandbox) as served, served.client(served.token(tenant)) as client:
        return [one["version"] for one in content_of(await client.call_tool("get_plans", {}))["versions"]]


async def test_a_dry_run_says_what_would_change_and_changes_nothing_until_it_is_committed(
    small_company: Sandbox, tmp_path: Path
) -> None:
    path = tmp_path / "book.yaml"
    path.write_text(BOOK.replace("contracts:", "  - {version: far, effective: 2099-06, plans: *plans}\ncontracts:"))
    dry = publish(small_company, path)
    assert dry.returncode == 0, dry.stderr
    assert "version far: new, effective 2099-06" in dry.stdout
    assert "dry run: nothing is written" in dry.stdout
    assert await versions(small_company, None) == ["summer", "next year"]
    assert publish(small_company, path, "--commit").returncode == 0
    for reader in (None, "acme", "Acme-2"):
        assert await versions(small_company, reader) == ["summer", "next year", "far"]
    path.write_text(BOOK)
    again = publish(small_company, path, "--commit")
    assert "version far: gone" in again.stdout
    assert await versions(small_company, "acme") == ["summer", "next year"]


def test_a_book_that_would_change_closed_months_is_refused_even_when_committed(
    small_company: Sandbox, tmp_path: Path
) -> None:
    path = tmp_path / "book.yaml"
    path.write_text(BOOK.replace('fee: "100.00"', 'fee: "101.00"', 1).replace("since: 2026-09-16", "since: 2026-09-17"))
    done = publish(small_company, path, "--commit")
    assert done.returncode == 1
    assert "refused: version summer rated closed months and cannot change" in done.stdout
    assert "refused: contract (1): acme_corp would change bills of closed months" in done.stdout
    path.write_text(BOOK)
    assert "nothing changes" in publish(small_company, path).stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ("currency: [", "is not valid YAML at line 1"),
        (
            BOOK.replace("percent: 120", "percent: 12.5"),
            "is the float 12.5; put numbers with a decimal point in quotes",
        ),
    ],
)
def test_a_faulty_file_is_one_sentence_and_no_stack(
    small_company: Sandbox, tmp_path: Path, text: str | None, said: str
) -> None:
    path = tmp_path / "book.yaml"
    if text is not None:
        path.write_text(text)
    done = publish(small_company, path)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_a_tenants_token_publishes_nothing(small_company: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "book.yaml"
    path.write_text(BOOK)
    command = [str(Path(sys.executable).with_name("tenantscope-pricing")), "publish-book", str(path), "--commit"]
    environment = small_company.server_env("pricing", "acme")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "needs a token of the provider" in done.stderr


async def test_a_tenants_session_reads_its_own_part_of_the_book_and_no_other(
    small_company: Sandbox, tmp_path: Path
) -> None:
    """Going around our own filter, with the credentials that the server vends: AWS itself refuses."""
    s3, bucket = small_company.client("s3"), small_company.bucket
    found = [
        item["Key"]
        for prefix in ("datasets/price_book/", "fleet/price_book/", "datasets/revenue/", "fleet/revenue/")
        for item in s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]
    ]
    own = [key for key in found if key.startswith("datasets/price_book/tenant_id=acme/")]
    others = [key for key in found if key not in own]
    assert own
    assert {key.split("/")[2] for key in others if key.startswith("datasets/price_book/")} >= {
        "tenant_id=acme_corp", "tenant_id=globex", "tenant_id=Acme-2",
    }  # fmt: skip
    async with pricing(small_company) as served, vended(served) as aws:
        for key in own:
            content = (await aws.call("s3", "get_object", Bucket=bucket, Key=key))["Body"].decode("latin-1")
            if key.endswith(".parquet"):
                path = tmp_path / "own.parquet"
                path.write_bytes(content.encode("latin-1"))
                ((content,),) = duckdb.sql(f"SELECT document FROM '{path}'").fetchall()
                assert "growth" in content
            assert "globex" not in content
            assert "acme_corp" not in content
        for key in others:
            await refused(aws.call("s3", "get_object", Bucket=bucket, Key=key))
        for key in own:
            await refused(aws.call("s3", "put_object", Bucket=bucket, Key=key, Body=b"{}"))
