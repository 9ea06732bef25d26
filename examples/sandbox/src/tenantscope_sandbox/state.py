"""The state folder: where things lie, secrets made once, documents replaced in one step."""

import fcntl
import json
import os
import secrets
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

REPOSITORY = Path(__file__).parents[4]


def default_directory() -> Path:
    """TENANTSCOPE_SANDBOX_DIR, or `.sandbox` in the current directory."""
    return Path(os.environ.get("TENANTSCOPE_SANDBOX_DIR") or ".sandbox").absolute()


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Hold a file for one process at a time; a lock of a dead process is no lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class State:
    """One folder with everything a sandbox keeps."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.changing = threading.RLock()

    def folder(self, name: str, mode: int = 0o755) -> Path:
        """Return a folder of this state, made if need be."""
        path = self.root / name
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
        return path

    def read(self, name: str) -> dict[str, Any]:
        """Return a JSON document of this state, empty when there is none."""
        try:
            return json.loads((self.root / name).read_text())
        except FileNotFoundError:
            return {}

    def write(self, name: str, document: Any, mode: int = 0o600) -> Path:
        """Replace a JSON document in one step."""
        return self.write_text(name, json.dumps(document, indent=2) + "\n", mode)

    def write_text(self, name: str, text: str, mode: int = 0o600) -> Path:
        """Replace a file in one step; nobody else reads it unless `mode` says so."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
            file.write(text)
        temporary.replace(path)
        return path

    def secret(self, name: str) -> str:
        """Return a secret of this sandbox, made at its first use."""
        with self.changing:
            known = self.read("secrets.json")
            if name not in known:
                self.update("secrets.json", {name: secrets.token_urlsafe(24)})
            return self.read("secrets.json")[name]

    def update(self, name: str, entries: dict[str, Any]) -> None:
        """Add or replace entries of a document."""
        with self.changing:
            self.write(name, {**self.read(name), **entries})

    def hold(self) -> IO[str]:
        """Count as a user of what runs here until the returned file is closed, at the latest when the process ends."""
        self.root.mkdir(parents=True, exist_ok=True)
        file = (self.root / "users").open("w")
        fcntl.flock(file, fcntl.LOCK_SH)
        return file

    def release(self, held: IO[str]) -> bool:
        """Stop being a user; tell whether that was the last, whom nobody can follow until the file is closed."""
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    @contextmanager
    def locked(self) -> Generator[None]:
        """Hold the folder for one command at a time."""
        with locked(self.root / "lock"):
            yield
