"""What each server takes on disk in an environment of its own, installed from this checkout as it is by default."""

import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

from benchmarks import ROOT
from benchmarks.figures import Figure, say
from benchmarks.parts import servers
from benchmarks.peers import peers, uv

MOST_MEGABYTES, MOST_WITH_DUCKDB = 110, 190
_NOT_THE_SERVERS = ("__pycache__", "pip")  # what depends on the installer
PEER_GOAL = "a peer"


def measure() -> Iterator[Figure]:
    """Install each into a fresh environment."""
    for server in servers():
        say(f"size: installing {server}")
        folder = ROOT / "servers" / server
        dependencies = " ".join(tomllib.loads((folder / "pyproject.toml").read_text())["project"]["dependencies"])
        most = MOST_WITH_DUCKDB if "analytics" in dependencies else MOST_MEGABYTES
        with tempfile.TemporaryDirectory(prefix="bench-size-") as place:
            python = Path(place) / "venv/bin/python"
            _run([uv(), "venv", "-q", str(Path(place) / "venv")])
            _run([uv(), "pip", "install", "-q", "--python", str(python), str(folder), str(ROOT / "shared")])
            (packages,) = (Path(place) / "venv/lib").glob("python*/site-packages")
            megabytes = _megabytes(packages)
        yield Figure(f"{server}: installed size", f"{megabytes:.0f} MB", "", f"<= {most} MB", megabytes <= most)
    for peer in peers()[0]:
        yield Figure(f"{peer.label}: installed size", f"{_megabytes(peer.packages):.0f} MB", "", PEER_GOAL)


def _megabytes(packages: Path) -> float:
    files = [
        path for path in packages.rglob("*") if path.is_file() and not set(path.parts).intersection(_NOT_THE_SERVERS)
    ]
    return sum(path.stat().st_size for path in files) / 1e6


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-1000:]}")
