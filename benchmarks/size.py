"""What each server takes on disk in an environment of its own, installed from this checkout with what it depends on."""

import os
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

from benchmarks import ROOT
from benchmarks.figures import Figure, say
from benchmarks.parts import SERVERS

MOST_MEGABYTES, MOST_WITH_DUCKDB = 110, 190


def measure() -> Iterator[Figure]:
    """Install each into a fresh environment."""
    uv = os.environ.get("UV") or shutil.which("uv") or str(ROOT / ".tools/bin/uv")
    for server in SERVERS:
        say(f"size: installing {server}")
        folder = ROOT / "servers" / server
        dependencies = " ".join(tomllib.loads((folder / "pyproject.toml").read_text())["project"]["dependencies"])
        most = MOST_WITH_DUCKDB if "analytics" in dependencies else MOST_MEGABYTES
        with tempfile.TemporaryDirectory(prefix="bench-size-") as place:
            python = Path(place) / "venv/bin/python"
            _run([uv, "venv", "-q", str(Path(place) / "venv")])
            _run([uv, "pip", "install", "-q", "--python", str(python), str(folder), str(ROOT / "shared")])
            (packages,) = (Path(place) / "venv/lib").glob("python*/site-packages")
            files = [path for path in packages.rglob("*") if path.is_file()]
            megabytes = sum(path.stat().st_size for path in files) / 1e6
        yield Figure(f"{server}: installed size", f"{megabytes:.0f} MB", "", f"<= {most} MB", megabytes <= most)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-1000:]}")
