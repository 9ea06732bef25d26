"""Valkey for many tenants: every key lies behind its tenant's prefix, and only these commands exist."""

import contextlib
import enum
import hashlib
import re
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar

from valkey.asyncio import BlockingConnectionPool, Valkey
from valkey.credentials import CredentialProvider
from valkey.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ConnectionError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    TimeoutError,
)

from tenantscope_core.identity.caller import is_tenant_id
from tenantscope_core.results.errors import Unavailable

T = TypeVar("T")
Value = bytes | str | int | float

_NAMESPACE = re.compile(r"[a-z][a-z0-9-]{0,31}")
_KEY = re.compile(r"[A-Za-z0-9_.:/@=+-]{1,256}")
_READS = frozenset({"get", "mget", "exists", "pttl", "hgetall", "zrange", "zcard", "zcount", "lrange", "xrange"})
_DOWN_ERRORS = (ConnectionError, TimeoutError, BusyLoadingError, ReadOnlyError, OutOfMemoryError)


class Down(enum.Enum):
    """The value of `DOWN`."""

    DOWN = "down"


DOWN: Final = Down.DOWN
"""What `or_down` returns in place of an answer while Valkey is down."""


async def or_down(command: Awaitable[T]) -> T | Literal[Down.DOWN]:
    """The answer of a command, or `DOWN`: for callers whose work goes on without Valkey and says so."""
    try:
        return await command
    except Unavailable:
        return DOWN


def tenant_prefix(tenant: str, namespace: str) -> str:
    """`ts:{<tenant>}:<namespace>:`; the braces keep a tenant's keys on one shard.

    Raises:
        ValueError: A part is not of its form.
    """
    if not is_tenant_id(tenant):
        raise ValueError("not a tenant id")
    if _NAMESPACE.fullmatch(namespace) is None:
        raise ValueError(f"not a namespace: {namespace!r}")
    return f"ts:{{{tenant}}}:{namespace}:"


@dataclass(frozen=True, slots=True)
class ValkeyLimits:
    """Bounds of one store."""

    connections: int = 32
    timeout_seconds: float = 0.5
    connect_seconds: float = 0.5
    wait_seconds: float = 0.5


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script that touches only the keys it is given."""

    text: str


@dataclass(frozen=True, slots=True)
class ScriptRun:
    """A script's keys and arguments for one tenant."""

    tenant: str
    keys: Sequence[str]
    arguments: Sequence[Value] = ()


class ValkeyStore:
    """Connections to one Valkey; `tenant` gives the only way to its keys.

    `url` is `valkey://` or, with TLS, `valkeys://`, with user and password in it or from `login`, which is called at
    each new connection, as IAM tokens need: it signs with credentials at hand and must not block.
    """

    def __init__(
        self,
        url: str,
        *,
        limits: ValkeyLimits | None = None,
        login: Callable[[], tuple[str, str]] | None = None,
    ) -> None:
        limits = limits or ValkeyLimits()
        options: dict[str, Any] = {} if login is None else {"credential_provider": _Login(login)}
        pool: Any = BlockingConnectionPool
        self._pool = pool.from_url(
            url,
            max_connections=limits.connections,
            timeout=limits.wait_seconds,
            socket_timeout=limits.timeout_seconds,
            socket_connect_timeout=limits.connect_seconds,
            **options,
        )
        self._client: Any = Valkey(connection_pool=self._pool)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()
        await self._pool.aclose()

    def tenant(self, tenant: str, namespace: str) -> "TenantValkey":
        """The keys of one tenant in one namespace.

        Raises:
            ValueError: A part is not of its form.
        """
        return TenantValkey(self._client, tenant_prefix(tenant, namespace))

    async def run_scripts(self, script: Script, namespace: str, runs: Sequence[ScriptRun]) -> list[Any]:
        """What a script returns for each of several tenants, in one round trip; each run has its tenant's keys alone.

        Raises:
            Unavailable: Valkey is down or slow; the script may have run for some of them.
        """
        named = [self.tenant(run.tenant, namespace).named(run.keys) for run in runs]
        digest = _digest(script.text)
        async with self._client.pipeline(transaction=False) as pipeline:
            pipeline.script_load(script.text)
            for keys, run in zip(named, runs, strict=True):
                pipeline.evalsha(digest, len(keys), *keys, *run.arguments)
            with _told_apart():
                return (await pipeline.execute())[1:]


class TenantValkey:
    """Commands on one tenant's keys of one namespace; values are bytes.

    Every method raises `Unavailable` while Valkey is down or slow (see `or_down`), and ValueError for a key that is not
    1 to 256 of `A-Z a-z 0-9 _ . : / @ = + -`.
    """

    def __init__(self, client: Any, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    async def get(self, key: str) -> bytes | None:
        """The value, None where there is none."""
        return await self._do("get", self._key(key))

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The values in the order of the keys."""
        return await self._do("mget", [self._key(key) for key in keys]) if keys else []

    async def set(self, key: str, value: Value, *, expire_seconds: float | None = None, only_new: bool = False) -> bool:
        """Store a value; False where `only_new` and there was one."""
        return bool(await self._do("set", self._key(key), value, px=_milliseconds(expire_seconds), nx=only_new))

    async def set_many(self, values: Mapping[str, Value], *, expire_seconds: float | None = None) -> None:
        """Store several values in one round trip; where it fails, some of them may be stored."""
        milliseconds = _milliseconds(expire_seconds)
        async with self._client.pipeline(transaction=False) as pipeline:
            for key, value in values.items():
                pipeline.set(self._key(key), value, px=milliseconds)
            with _told_apart():
                await pipeline.execute()

    async def delete(self, *keys: str) -> int:
        """How many of the keys there were."""
        return await self._do("delete", *map(self._key, keys)) if keys else 0

    async def exists(self, key: str) -> bool:
        """Whether there is a value."""
        return bool(await self._do("exists", self._key(key)))

    async def expire(self, key: str, seconds: float) -> bool:
        """Let a key end; False where there is none."""
        return bool(await self._do("pexpire", self._key(key), _milliseconds(seconds)))

    async def seconds_left(self, key: str) -> float | None:
        """Seconds until a key ends; None where it never does or is not there."""
        milliseconds = await self._do("pttl", self._key(key))
        return None if milliseconds < 0 else milliseconds / 1000

    async def increment(self, key: str, by: int = 1) -> int:
        """The number after adding; a missing key counts as 0."""
        return await self._do("incrby", self._key(key), by)

    async def hash_set(self, key: str, fields: Mapping[str, Value]) -> None:
        """Set fields of a hash."""
        await self._do("hset", self._key(key), mapping=dict(fields))

    async def hash_get(self, key: str) -> dict[bytes, bytes]:
        """All fields of a hash."""
        return await self._do("hgetall", self._key(key))

    async def hash_delete(self, key: str, *fields: str) -> int:
        """How many of the fields there were."""
        return await self._do("hdel", self._key(key), *fields)

    async def hash_increment(self, key: str, field: str, by: int = 1) -> int:
        """The number in a field after adding."""
        return await self._do("hincrby", self._key(key), field, by)

    async def sorted_add(self, key: str, scores: Mapping[str, float]) -> int:
        """How many members are new."""
        return await self._do("zadd", self._key(key), dict(scores))

    async def sorted_by_score(
        self, key: str, lowest: float, highest: float, *, limit: int
    ) -> list[tuple[bytes, float]]:
        """Members with scores from `lowest` to `highest`, at most `limit`, lowest first."""
        return await self._do(
            "zrange",
            self._key(key),
            lowest,
            highest,
            byscore=True,
            offset=0,
            num=limit,
            withscores=True,
        )

    async def sorted_remove(self, key: str, *members: str | bytes) -> int:
        """How many of the members there were."""
        return await self._do("zrem", self._key(key), *members)

    async def sorted_remove_by_score(self, key: str, lowest: float, highest: float) -> int:
        """How many members had such a score."""
        return await self._do("zremrangebyscore", self._key(key), lowest, highest)

    async def sorted_size(self, key: str) -> int:
        """How many members there are."""
        return await self._do("zcard", self._key(key))

    async def sorted_count(self, key: str, lowest: float, highest: float) -> int:
        """How many members have scores from `lowest` to `highest`."""
        return await self._do("zcount", self._key(key), lowest, highest)

    async def list_append(self, key: str, *values: Value) -> int:
        """The length after appending."""
        return await self._do("rpush", self._key(key), *values)

    async def list_range(self, key: str, start: int, stop: int) -> list[bytes]:
        """Elements from `start` to `stop`, both included; negative ones count from the end."""
        return await self._do("lrange", self._key(key), start, stop)

    async def list_trim(self, key: str, start: int, stop: int) -> None:
        """Keep only these elements."""
        await self._do("ltrim", self._key(key), start, stop)

    async def stream_add(self, key: str, fields: Mapping[str, Value], *, keep: int) -> bytes:
        """The id of the entry appended; about `keep` entries stay."""
        return await self._do("xadd", self._key(key), dict(fields), maxlen=keep, approximate=True)

    async def stream_range(
        self, key: str, *, after: str | None = None, limit: int
    ) -> list[tuple[bytes, dict[bytes, bytes]]]:
        """Entries after an id, oldest first."""
        return await self._do("xrange", self._key(key), min="-" if after is None else f"({after}", count=limit)

    async def run_script(self, script: Script, keys: Sequence[str], arguments: Sequence[Value] = ()) -> Any:
        """What a script returns; its keys are this tenant's, whatever their names."""
        named = self.named(keys)
        try:
            return await self._do("evalsha", _digest(script.text), len(named), *named, *arguments)
        except NoScriptError:
            return await self._do("eval", script.text, len(named), *named, *arguments)

    def named(self, keys: Sequence[str]) -> list[str]:
        """Keys as Valkey knows them."""
        return [self._key(key) for key in keys]

    def _key(self, key: str) -> str:
        if _KEY.fullmatch(key) is None:
            raise ValueError("not a key")
        return self._prefix + key

    async def _do(self, command: str, *arguments: Any, **options: Any) -> Any:
        send = getattr(self._client, command)
        with _told_apart():
            try:
                return await send(*arguments, **options)
            except ConnectionError as error:
                if command not in _READS or isinstance(error, AuthenticationError):
                    raise
                return await send(*arguments, **options)  # a connection that the server closed while it was idle


@contextlib.contextmanager
def _told_apart() -> Generator[None]:
    """`Unavailable` for a Valkey that is down; a fault of the set-up, which waiting does not mend, stays what it is."""
    try:
        yield
    except (AuthenticationError, NoPermissionError):
        raise
    except _DOWN_ERRORS as error:
        raise Unavailable("The cache does not answer; try again shortly.", retry_after_seconds=1.0) from error


class _Login(CredentialProvider):
    def __init__(self, login: Callable[[], tuple[str, str]]) -> None:
        self._login = login

    def get_credentials(self) -> tuple[str, str]:
        return self._login()


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else max(1, round(seconds * 1000))


def _digest(script: str) -> str:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
