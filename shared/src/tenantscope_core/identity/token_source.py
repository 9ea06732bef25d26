"""Where a server on stdio finds its token: a variable, a file that is re-read, or a command that is run again."""

import logging
import shlex
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import anyio

from tenantscope_core.results.errors import Unavailable

log = logging.getLogger(__name__)

COMMAND_TIMEOUT_SECONDS = 30
RENEW_BEFORE_EXPIRY = timedelta(seconds=60)
RETRY_COMMAND_AFTER = timedelta(seconds=5)
_MAX_TOKEN_BYTES = 64_000


class TokenSource(Protocol):
    """Gives the token of the moment, or None where there is none."""

    async def token(self) -> str | None:
        """The token as it stands now; not verified."""
        ...


class FixedToken:
    """A token that was given at start."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    async def token(self) -> str | None:
        """That token."""
        return self._token


class TokenFile:
    """A token in a file, read again whenever the file has changed."""

    def __init__(self, path: Path) -> None:
        self._path = anyio.Path(path)
        self._seen: tuple[int, int, int] | None = None
        self._token: str | None = None

    async def token(self) -> str | None:
        """What the file holds, or None while it is missing or unreadable."""
        try:
            state = await self._path.stat()
            seen = (state.st_mtime_ns, state.st_ino, state.st_size)
            if seen != self._seen:
                content = await self._path.read_bytes()
                self._token = content[:_MAX_TOKEN_BYTES].decode("ascii", errors="replace").strip() or None
                self._seen = seen
        except OSError as error:
            log.warning("token file not read: %s", type(error).__name__)
            self._seen, self._token = None, None
        return self._token


class TokenCommand:
    """A command that prints a token, run at first use and again shortly before the token expires."""

    def __init__(self, command: str, *, clock: Callable[[], datetime]) -> None:
        self._command = shlex.split(command)
        self._clock = clock
        self._token: str | None = None
        self._renew_at: datetime | None = None
        self._lock = anyio.Lock()

    async def token(self) -> str | None:
        """The command's token; the last one while the command fails and that one may still be good.

        Raises:
            Unavailable: The command fails and there is no earlier token.
        """
        async with self._lock:
            if self._renew_at is None or self._clock() >= self._renew_at:
                await self._run()
            return self._token

    async def _run(self) -> None:
        try:
            with anyio.fail_after(COMMAND_TIMEOUT_SECONDS):
                done = await anyio.run_process(self._command, check=False, stdin=None)
        except (OSError, TimeoutError) as error:
            return self._failed(type(error).__name__)
        printed = done.stdout[:_MAX_TOKEN_BYTES].decode("ascii", errors="replace").strip()
        if done.returncode != 0 or not printed:
            return self._failed(f"exit code {done.returncode}")
        self._token = printed
        self._renew_at = _expiry(printed, self._clock()) - RENEW_BEFORE_EXPIRY
        return None

    def _failed(self, why: str) -> None:
        log.warning("token command failed: %s", why)
        self._renew_at = self._clock() + RETRY_COMMAND_AFTER
        if self._token is None:
            raise Unavailable(
                "The command that should print this server's token failed; see the server's log.",
                retry_after_seconds=RETRY_COMMAND_AFTER.total_seconds(),
            )


def _expiry(token: str, now: datetime) -> datetime:
    """When the token says it expires; only for renewal, so unverified. Unknown means soon."""
    import jwt

    try:
        claims = jwt.decode(token, options={"verify_signature": False})
        return max(datetime.fromtimestamp(float(claims["exp"]), now.tzinfo), now + 2 * RENEW_BEFORE_EXPIRY)
    except (jwt.InvalidTokenError, KeyError, TypeError, ValueError, OverflowError):
        return now + 2 * RENEW_BEFORE_EXPIRY
