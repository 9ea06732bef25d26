"""Emulated AWS: MiniStack with IAM on, in an environment of its own, taught what tenant isolation rests on."""

import hashlib
import http.client
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tenantscope_sandbox.processes import PartFailed, Process
from tenantscope_sandbox.state import REPOSITORY, State, locked

ACCOUNT = "111122223333"
REGION = "us-east-1"
ROOT_ACCESS_KEY = "sandbox-root"
EMULATOR = Path(__file__).parents[3] / "emulator"
BUILD_SECONDS = 600


def start(state: State, port: int, progress: Callable[[str], None]) -> Process:
    """Start the emulator on its persisted state; the first time anywhere, build its environment."""
    python = environment(progress) / "bin" / "python"
    folder = state.folder("aws", 0o700)
    settings = {
        "AUTH": "true", "MINISTACK_ACCOUNT_ID": ACCOUNT, "MINISTACK_REGION": REGION, "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0",
        "PERSIST_STATE": "1", "STATE_DIR": str(folder / "state"), "S3_PERSIST": "1", "S3_DATA_DIR": str(folder / "s3"),
        "AWS_ACCESS_KEY_ID": ROOT_ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": state.secret("aws-root"), "LOG_LEVEL": "WARNING",
        "PYTHONUNBUFFERED": "1", "TMPDIR": str(state.folder("aws/tmp", 0o700)),
    }  # fmt: skip
    passed = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    command = [python, "-m", "taught_aws", "--port", str(port), "--log", folder / "requests.jsonl"]
    return Process.start(command, state.root / "logs/aws.log", env={**passed, **settings}, cwd=EMULATOR)


def ready(state: State, port: int) -> bool:
    """Tell whether the emulator answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/_ministack/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def environment(progress: Callable[[str], None]) -> Path:
    """Return the emulator's virtual environment, built when it is missing or the lock file has changed."""
    lock = EMULATOR / "requirements.lock"
    place = Path(os.environ.get("TENANTSCOPE_EMULATOR_VENV") or REPOSITORY / ".venv-emulator")
    mark, digest = place / "lock.sha256", hashlib.sha256(lock.read_bytes()).hexdigest()
    if mark.exists() and mark.read_text() == digest:
        return place
    with locked(place.with_name(f"{place.name}.lock")):
        if not (mark.exists() and mark.read_text() == digest):  # or another process has built it meanwhile
            progress("aws: building the emulator's environment (once)")
            uv = _uv()
            _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, place])
            _run([uv, "pip", "sync", "--quiet", "--require-hashes", "--python", place / "bin/python", lock])
            mark.write_text(digest)
    return place


def _uv() -> Path:
    for candidate in (os.environ.get("UV"), shutil.which("uv"), REPOSITORY / ".tools/bin/uv"):
        if candidate and Path(candidate).exists():
            return Path(candidate)
    raise PartFailed("aws: uv is needed to build the emulator's environment; it is not on PATH, in UV or in .tools/bin")


def _run(command: list[str | Path]) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=BUILD_SECONDS)
    if done.returncode:
        raise PartFailed(f"aws: building the emulator's environment failed:\n{done.stderr[-2000:]}")
