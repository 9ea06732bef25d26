"""The nearest peers, each in an environment of its own under `.bench/peers`, from locked versions and hashes."""

import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import ROOT
from benchmarks.figures import say

LOCKS = ROOT / "benchmarks/peers"
ENVIRONMENTS = ROOT / ".bench/peers"
_INSTALL_SECONDS = 600
_NOWHERE = {  # no peer is asked to call AWS
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "example",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "FASTMCP_LOG_LEVEL": "ERROR",
}


@dataclass(frozen=True)
class Peer:
    """A server that others publish: its distribution, which is also its command, and the version that is locked."""

    name: str
    version: str

    @property
    def label(self) -> str:
        """How it is named in the table."""
        return f"{self.name} {self.version}"

    @property
    def packages(self) -> Path:
        """Where its packages are installed."""
        (found,) = (ENVIRONMENTS / self.name / "lib").glob("python*/site-packages")
        return found

    @property
    def command(self) -> tuple[str, ...]:
        """What starts it on stdio."""
        return (str(ENVIRONMENTS / self.name / "bin" / self.name),)

    @property
    def environment(self) -> Mapping[str, str]:
        """What it is started with: nobody's keys."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TENANTSCOPE_"))}
        return {**kept, **_NOWHERE}


@dataclass(frozen=True)
class Missing:
    """A peer that cannot be measured, and why."""

    peer: Peer
    why: str


@functools.cache
def peers() -> tuple[tuple[Peer, ...], tuple[Missing, ...]]:
    """The peers that are installed, made so where they are not yet, and those that cannot be; none with PEERS=0."""
    found: list[Peer] = []
    missing: list[Missing] = []
    if os.environ.get("PEERS", "1") == "0":
        return (), ()
    for lock in sorted(LOCKS.glob("*.lock")):
        peer = Peer(lock.stem, _version(lock))
        why = _installed(peer, lock)
        if why is None:
            found.append(peer)
        else:
            missing.append(Missing(peer, why))
    return tuple(found), tuple(missing)


def uv() -> str:
    """The installer."""
    return os.environ.get("UV") or shutil.which("uv") or str(ROOT / ".tools/bin/uv")


def _version(lock: Path) -> str:
    name = re.escape(lock.stem.replace(".", "-"))
    found = re.search(rf"^{name}==(\S+)", lock.read_text(), re.MULTILINE)
    if found is None:
        raise LookupError(f"{lock.name} does not lock {lock.stem}")
    return found[1]


def _installed(peer: Peer, lock: Path) -> str | None:
    """None when the peer is installed as locked, else why it is not."""
    folder = ENVIRONMENTS / peer.name
    mark, digest = folder / "installed-from", hashlib.sha256(lock.read_bytes()).hexdigest()
    if mark.is_file() and mark.read_text() == digest:
        return None
    say(f"peers: installing {peer.label}")
    install = [uv(), "pip", "sync", "-q", "--python", str(folder), "--require-hashes", "--compile-bytecode", str(lock)]
    for command in ([uv(), "venv", "-q", "--allow-existing", "--python", sys.executable, str(folder)], install):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_SECONDS)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"not installed: {type(error).__name__}"
        if done.returncode:
            return f"not installed: {(done.stderr.strip().splitlines() or ['no reason given'])[-1][:120]}"
    mark.write_text(digest)
    return None
