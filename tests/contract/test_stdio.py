"""Every server as the process that hosts start: on stdio, on a port, and with settings that are wrong."""

import json
import os
import signal
import subprocess
from pathlib import Path

import httpx2
import psutil
import pytest
from catalogue import StandingServer
from contract.calls import some_call
from fixtures.serving import (
    MODERN,
    call_of,
    console_script,
    content_of,
    environment_of,
    listening,
    on_stdio,
    request_of,
    started,
)
from tenantscope_core.serving import run as serving_run
from tenantscope_sandbox import Sandbox

DEADLINE_SECONDS = 20


@pytest.fixture
def environment(server: StandingServer, small_company: Sandbox) -> dict[str, str]:
    token_file = small_company.server_env(server.spec.name, "acme", tier="growth")["TENANTSCOPE_TOKEN_FILE"]
    return environment_of(server, small_company, TENANTSCOPE_TOKEN_FILE=token_file)


def run(server: StandingServer, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [console_script(server), *words], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=DEADLINE_SECONDS, check=False,
    )  # fmt: skip


@pytest.mark.requirement("starts-on-stdio")
@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_host_starts_it_lists_and_calls(
    server: StandingServer, environment: dict[str, str], tmp_path: Path, mode: str
):
    log = tmp_path / "log"
    async with on_stdio(server, environment, log, mode=mode) as client:
        assert (client.protocol_version == MODERN) == (mode == "auto")
        listed = await client.list_tools()
        assert [tool.name for tool in listed.tools]
        assert content_of(await client.call_tool(some_call(server.spec), {}))
    records = [json.loads(line) for line in log.read_text().splitlines()]
    (call,) = [record for record in records if record["message"] == "tool_call"]
    assert (call["tenant"], call["outcome"], call["server"]) == ("acme", "ok", server.spec.name)
    assert call["milliseconds"] > 0
    assert call["answer_tokens"] > 0


@pytest.mark.requirement("settings-refused-in-a-sentence")
def test_the_version_is_the_distributions(server: StandingServer, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        serving_run.run(server.spec, ["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip() == f"{server.distribution} {server.spec.version}"


@pytest.mark.requirement("settings-refused-in-a-sentence")
def test_a_wrong_setting_ends_the_process_with_a_sentence(server: StandingServer, environment: dict[str, str]):
    told = run(server, **{**environment, "TENANTSCOPE_AUDIENCE": ""})
    assert (told.returncode, told.stdout) == (1, "")
    heading, sentence = told.stderr.strip().splitlines()
    assert heading == "tenantscope does not start:"
    assert "TENANTSCOPE_AUDIENCE is required" in sentence


WRONG = (
    ({"TENANTSCOPE_ISSUER": ""}, "TENANTSCOPE_ISSUER is required"),
    ({"TENANTSCOPE_ISSUER": "issuer.example"}, "TENANTSCOPE_ISSUER"),
    ({"TENANTSCOPE_ALGORITHMS": "RS256,HS256"}, "TENANTSCOPE_ALGORITHMS"),
    ({"TENANTSCOPE_ALGORITHMS": "none"}, "TENANTSCOPE_ALGORITHMS"),
    ({"TENANTSCOPE_TENANT_ROLE_ARN": "tenant-role"}, "role"),
    ({"TENANTSCOPE_PORT": "high"}, "TENANTSCOPE_PORT"),
    ({"TENANTSCOPE_LIMITS": "{"}, "TENANTSCOPE_LIMITS"),
    ({"TENANTSCOPE_CURSOR_KEY": "s3cret-but-short"}, "TENANTSCOPE_CURSOR_KEY"),
    ({"TENANTSCOPE_TOKEN": "s3cret-but-short"}, "only one of TENANTSCOPE_TOKEN"),
)


@pytest.mark.requirement("settings-refused-in-a-sentence")
@pytest.mark.parametrize(("changes", "named"), WRONG, ids=[" ".join(changes) for changes, _ in WRONG])
def test_each_wrong_setting_has_a_sentence_that_repeats_no_value(
    server: StandingServer, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, changes: dict[str, str],
    named: str,
):  # fmt: skip
    for name, value in {**environment, **changes}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        serving_run.run(server.spec, [])
    heading, *sentences = str(ended.value).splitlines()
    assert heading == "tenantscope does not start:"
    assert len(sentences) == 1
    assert named in sentences[0]
    assert "s3cret" not in sentences[0]


@pytest.mark.requirement("settings-refused-in-a-sentence")
def test_an_unknown_word_ends_it(server: StandingServer, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        serving_run.run(server.spec, ["serve-everything"])
    assert ended.value.code == 2
    assert "serve-everything" in capsys.readouterr().err


@pytest.mark.requirement("graceful-stop")
def test_on_stdio_a_signal_ends_it_cleanly(server: StandingServer, environment: dict[str, str]):
    with started([console_script(server)], environment) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(request_of("ping")) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == 1
        began = _descendants(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_SECONDS) == 0
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
        assert not [pid for pid in began if psutil.pid_exists(pid)]


@pytest.mark.requirement("graceful-stop")
def test_on_stdio_the_end_of_input_ends_it_cleanly(server: StandingServer, environment: dict[str, str]):
    told = run(server, **environment)
    assert told.returncode == 0
    assert told.stdout == ""
    assert "Traceback" not in told.stderr


@pytest.mark.requirement("graceful-stop")
def test_over_http_a_signal_ends_it_cleanly_after_the_calls_that_run(
    server: StandingServer, environment: dict[str, str], small_company: Sandbox, tmp_path: Path
):
    """STS is slow, the call is on its way, the signal comes: the call is answered and the process is gone."""
    token = small_company.issuer.token("acme", "growth", server.spec.scopes)
    command = [console_script(server), "http", "--port", "0"]
    with started(command, {**environment, "TMPDIR": str(tmp_path)}) as process:
        url = listening(process)
        headers = {"authorization": f"Bearer {token}", "accept": "application/json, text/event-stream"}
        mark = small_company.emulator.mark()
        with (
            small_company.emulator.faults({"service": "sts", "kind": "delay", "seconds": 1.0}),
            httpx2.Client(timeout=DEADLINE_SECONDS) as http,
            http.stream("POST", f"{url}/mcp", json=call_of(some_call(server.spec)), headers=headers) as response,
        ):
            assert response.status_code == 200
            process.send_signal(signal.SIGTERM)
            answer = response.read().decode()
        assert '"structuredContent"' in answer
        assert small_company.emulator.requests(mark, service="sts")
        assert process.wait(DEADLINE_SECONDS) == 0
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
    assert list(tmp_path.iterdir()) == []


def _descendants(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


@pytest.mark.requirement("settings-refused-in-a-sentence")
def test_every_job_tells_its_arguments_without_any_setting_and_refuses_wrong_ones_in_a_line(
    server: StandingServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    for name in [name for name in os.environ if name.startswith(("TENANTSCOPE_", "AWS_"))]:
        monkeypatch.delenv(name)
    for job in server.spec.commands:
        with pytest.raises(SystemExit) as told:
            serving_run.run(server.spec, [job.name, "--help"])
        printed = capsys.readouterr()
        assert (told.value.code, printed.err) == (0, "")
        assert job.name in printed.out
        with pytest.raises(SystemExit) as wrong:
            serving_run.run(server.spec, [job.name, "--nonsense"])
        assert wrong.value.code == 2
        assert ": error: " in capsys.readouterr().err
