"""Every statement that the tools send, on an engine of another make: DataFusion gives DuckDB's rows, exactly."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from catalogue import ROOT, StandingServer, standing_servers
from contract.calls import audiences, working_arguments
from cost_explorer.test_athena import QUESTIONS as OF_COSTS
from fixtures.serving import content_of, environment_of, serve
from metrics_logs.test_athena import QUESTIONS as OF_USE
from pricing.test_athena import QUESTIONS as OF_PRICES
from second_engine.recorded import Recorder, RecordingEngine, Statement
from tenantscope_core.identity.caller import Audience
from tenantscope_core.serving import open_datasets
from tenantscope_core.serving.store_settings import DatasetSettings
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.duckdb_engine import DuckDbEngine
from tenantscope_core.stores.object_cache import ObjectCache
from tenantscope_core.stores.sql import SqlEngine
from tenantscope_sandbox import Sandbox

pytestmark = pytest.mark.requirement("second-engine")

HERE = Path(__file__).parent
ENVIRONMENT = ROOT / ".venv-datafusion"
ASKED = {"cost-explorer": OF_COSTS, "metrics-logs": OF_USE, "pricing": OF_PRICES}
SERVERS = [server for server in standing_servers() if issubclass(server.spec.settings, DatasetSettings)]


@pytest.fixture(scope="module")
def datafusion_python() -> Path:
    """The interpreter of DataFusion's environment, which is built from its lock where it is missing or old."""
    python, mark, lock = ENVIRONMENT / "bin/python", ENVIRONMENT / ".ready", HERE / "requirements.lock"
    if not mark.exists() or mark.stat().st_mtime < lock.stat().st_mtime:
        uv = os.environ.get("UV") or shutil.which("uv") or str(ROOT / ".tools/bin/uv")
        subprocess.run([uv, "venv", "-q", "--allow-existing", "--python", sys.executable, ENVIRONMENT], check=True)
        subprocess.run([uv, "pip", "sync", "-q", "--require-hashes", "--python", python, lock], check=True)
        mark.touch()
    return python


@pytest.fixture(scope="module")
def patched() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module", params=SERVERS, ids=lambda server: server.spec.name)
async def statements(
    request: pytest.FixtureRequest,
    small_company: Sandbox,
    patched: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncGenerator[list[Statement]]:
    """What a server's tools send: each tool by every audience, and all that is asked of Athena elsewhere."""
    server: StandingServer = request.param
    folder = tmp_path_factory.mktemp("recorded")
    recorder = Recorder(folder)

    def recording(settings: DatasetSettings, reader: DatasetReader, stack: ExitStack) -> SqlEngine:
        cache = ObjectCache(folder / "cache", max_bytes=256 << 20)
        stack.callback(cache.close)
        return RecordingEngine(DuckDbEngine(reader, cache), reader, cache, recorder)

    patched.setattr(open_datasets, "_engine", recording)
    async with serve(server.spec, environment_of(server, small_company), small_company) as served:
        for audience in Audience:
            ask = served.asking(served.token("acme" if audience is Audience.TENANT else None))
            for tool in audiences(server.spec, audience):
                if tool.effects.read_only:
                    await ask(tool.name, await working_arguments(server.spec, tool, audience, ask))
        for tenant, tool, arguments in ASKED[server.spec.name]:
            async with served.client(served.token(tenant)) as client:
                content_of(await client.call_tool(tool, arguments))
    yield list(recorder.statements.values())


async def test_every_statement_of_the_tools_has_the_same_rows_on_a_second_engine(
    statements: list[Statement], datafusion_python: Path
):
    assert len(statements) > 5
    assert any(statement.result.rows for statement in statements)
    cases = [{"sql": statement.sql, "files": statement.files} for statement in statements]
    done = subprocess.run(
        [datafusion_python, HERE / "run_datafusion.py"], input=json.dumps(cases), capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for statement, answer in zip(statements, json.loads(done.stdout), strict=True):
        assert "error" not in answer, (answer, statement.asked)
        there = [tuple(read(value) for value in row) for row in answer["rows"]]
        assert_same(there, statement)


def assert_same(there: list[tuple[Any, ...]], statement: Statement) -> None:
    """Row for row, in the order of the statement where it has one; doubles but for the digits that adding decides."""
    here = [tuple(row) for row in statement.result.rows]
    if not re.search(r"ORDER BY [^()]*$", statement.asked, re.IGNORECASE):
        here, there = sorted(here, key=by_text), sorted(there, key=by_text)
    assert len(here) == len(there), statement.asked
    for ours, theirs in zip(here, there, strict=True):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            if isinstance(one, float) and isinstance(other, float):
                assert math.isclose(one, other, rel_tol=1e-12), (ours, theirs, statement.asked)
            else:
                assert one == other, (ours, theirs, statement.asked)


def by_text(row: tuple[Any, ...]) -> list[str]:
    return [format(value, ".9e") if isinstance(value, Decimal | int | float) else str(value) for value in row]


def read(value: Any) -> Any:
    """A value as the other engine's process wrote it."""
    if not isinstance(value, dict):
        return value
    ((kind, text),) = value.items()  # pyright: ignore[reportUnknownVariableType]
    readers: dict[str, Any] = {
        "decimal": Decimal, "int": int, "float": float.fromhex, "timestamp": datetime.fromisoformat,
        "date": date.fromisoformat, "text": str,
    }  # fmt: skip
    return readers[str(kind)](text)  # pyright: ignore[reportUnknownArgumentType]
