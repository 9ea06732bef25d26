"""A folder that belongs to one process as long as it lives, and is found again by the next."""

import os
import sys
from pathlib import Path

_MAX_PROCESSES = 64


def own_folder(root: Path) -> tuple[Path, int]:
    """The first folder under `root` that no living process holds, and the descriptor whose closing gives it back.

    Raises:
        OSError: `root` cannot be written, or more than 64 processes share it.
    """
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in range(_MAX_PROCESSES):
        folder = root / f"cache-{number}"
        folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        if _lock(descriptor):
            return folder, descriptor
        os.close(descriptor)
    raise OSError(f"more than {_MAX_PROCESSES} processes share the cache folder {root}")


def _lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
