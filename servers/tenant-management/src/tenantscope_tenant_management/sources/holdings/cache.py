"""A tenant's keys in Valkey, `ts:{<tenant>}:*`, and the tenant's own user of Valkey."""

import hashlib
import hmac
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tenantscope_core.identity.caller import is_tenant_id
from tenantscope_core.results.errors import NotSetUp, Unavailable
from tenantscope_core.stores.aws import AwsCaller
from valkey.asyncio import Valkey
from valkey.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ConnectionError,
    NoPermissionError,
    ReadOnlyError,
    ResponseError,
    TimeoutError,
)

from tenantscope_tenant_management.holdings import Export, Held
from tenantscope_tenant_management.sources.holdings.export_folder import ExportFolder
from tenantscope_tenant_management.sources.holdings.holding import (
    Allowance,
    Clock,
    left_behind,
    require_session_of,
)

SCAN_KEYS = 5_000  # looked at by one command, which holds up everyone else for about a millisecond
BATCH_KEYS = 1_000
USER = "user"
COUNTS_OF_CALLS = frozenset({"admission", "metering"})

RIGHTS = (
    "-@all",
    *("+@string", "+@hash", "+@list", "+@set", "+@sortedset", "+@stream", "+@bitmap", "+@hyperloglog", "+@geo"),
    *("+del", "+unlink", "+exists", "+type", "+touch", "+rename", "+renamenx", "+copy", "+dump"),
    *("+expire", "+pexpire", "+expireat", "+pexpireat", "+ttl", "+pttl", "+expiretime", "+pexpiretime", "+persist"),
    *("+@transaction", "+eval", "+evalsha", "+eval_ro", "+evalsha_ro", "+script|load", "+script|exists"),
    *("+auth", "+hello", "+ping", "+echo", "+select", "+quit", "+reset"),
    *("+client|setinfo", "+client|setname", "+client|getname", "+client|id"),
    "-@dangerous",
)
"""What the user of a tenant may: commands that name their keys, and those of a connection. None lists or counts keys
or channels, and none changes what all share, such as functions."""

_DOWN = (ConnectionError, TimeoutError, BusyLoadingError, ReadOnlyError)


class Cache:
    """See `Holding`. `url` logs in as a user that may SCAN, UNLINK and manage users; it reads no value.

    With a `user_key`, each tenant has a user `ts-<tenant>` that opens its own keys alone; see `password_of`.
    """

    name = "cache"

    def __init__(
        self, url: str, user_key: str | None = None, *, clock: Clock = time.monotonic, scan_keys: int = SCAN_KEYS
    ) -> None:
        self._url = url
        self._user_key = user_key
        self._clock = clock
        self._scan_keys = scan_keys
        self._reached: dict[str, int] = {}  # how far an erasure went through all keys, where it was not at the end

    async def prepare(self, aws: AwsCaller, tenant: str) -> str | None:
        """See `Holding.prepare`: the tenant's user, set anew from nothing."""
        async with self._client(aws, tenant) as client:
            async for keys in self._keys(client, tenant):
                if any(_stays(key, tenant) for key in keys):
                    raise left_behind("Cached values")
            if self._user_key is None:
                return None
            password = hashlib.sha256(password_of(self._user_key, tenant).encode()).hexdigest()
            rules = ("reset", "on", f"#{password}", f"~{_pattern(tenant)}", "resetchannels", *RIGHTS)
            await client.execute_command("ACL SETUSER", user_of(tenant), *rules)
        return "The cache has a user for this tenant that opens nothing but the tenant's own keys."

    async def unprepare(self, aws: AwsCaller, tenant: str) -> None:
        """See `Holding.unprepare`."""
        async with self._client(aws, tenant) as client:
            await self._drop_user(client, tenant)

    async def held(self, aws: AwsCaller, tenant: str) -> Held:
        """See `Holding.held`; parts are keys by what they are for, and `user`.

        Counts of calls are not among them: any call makes them anew, one that is refused or the provider's too, and
        they end by themselves, the month's sums after a hundred days.
        """
        found: set[bytes] = set()
        async with self._client(aws, tenant) as client:
            async for keys in self._keys(client, tenant):
                found.update(key for key in keys if _stays(key, tenant))  # SCAN may tell a key twice
            has_user = self._user_key is not None and await client.execute_command("ACL GETUSER", user_of(tenant))
        parts: dict[str, int] = {}
        for key in found:
            part = _namespace(key, tenant)
            parts[part] = parts.get(part, 0) + 1
        return Held(self.name, parts | ({USER: 1} if has_user else {}))

    async def export(self, aws: AwsCaller, tenant: str, folder: ExportFolder, *, seconds: float) -> Export:
        """See `Holding.export`: nothing, for a cache holds only copies and counts."""
        require_session_of(aws, tenant)
        return Export((), done=True)

    async def erase(self, aws: AwsCaller, tenant: str, *, seconds: float) -> bool:
        """See `Holding.erase`; a call that stopped half-way through all keys is gone on with by this process alone."""
        allowance = Allowance(seconds, self._clock)
        async with self._client(aws, tenant) as client:
            await self._drop_user(client, tenant)
            cursor = self._reached.pop(tenant, 0)
            while True:
                cursor, keys = await self._scan(client, tenant, cursor)
                for start in range(0, len(keys), BATCH_KEYS):
                    await client.unlink(*keys[start : start + BATCH_KEYS])
                if cursor == 0:
                    break
                if allowance.is_spent:
                    self._reached[tenant] = cursor
                    return False
        return not (await self.held(aws, tenant)).count

    async def kept(self, aws: AwsCaller, tenant: str) -> Sequence[str]:
        """See `Holding.kept`."""
        require_session_of(aws, tenant)
        return (
            "The cache is not exported: it holds copies of what lies elsewhere, and counts.",
            "Counts of calls are deleted too, but any later call makes them anew; they end by themselves.",
            "Its file of changes and its snapshots still name erased keys until they are next written.",
        )

    async def _drop_user(self, client: Any, tenant: str) -> None:
        if self._user_key is not None:
            await client.execute_command("ACL DELUSER", user_of(tenant))

    async def _keys(self, client: Any, tenant: str) -> AsyncGenerator[list[bytes]]:
        cursor, keys = await self._scan(client, tenant, 0)
        yield keys
        while cursor:
            cursor, keys = await self._scan(client, tenant, cursor)
            yield keys

    async def _scan(self, client: Any, tenant: str, cursor: int) -> tuple[int, list[bytes]]:
        following, keys = await client.scan(cursor, match=_pattern(tenant), count=self._scan_keys)
        own = _prefix(tenant)
        return int(following), [key for key in keys if key.startswith(own)]

    @asynccontextmanager
    async def _client(self, aws: AwsCaller, tenant: str) -> AsyncGenerator[Any]:
        """A connection for one piece of work.

        Raises:
            Unavailable: Valkey does not answer.
            NotSetUp: It refuses the login or a command.
        """
        require_session_of(aws, tenant)
        make: Any = Valkey
        client = make.from_url(self._url, socket_timeout=5.0, socket_connect_timeout=2.0)
        try:
            async with client:
                yield client
        except (AuthenticationError, NoPermissionError, ResponseError) as error:
            raise NotSetUp(
                "The cache refuses this server's login or what it has to do there; ask the server's operator."
            ) from error
        except _DOWN as error:
            raise Unavailable("The cache does not answer; try again shortly.", retry_after_seconds=1.0) from error


def user_of(tenant: str) -> str:
    """The name of a tenant's user of Valkey."""
    return f"ts-{tenant}"


def password_of(user_key: str, tenant: str) -> str:
    """The password of a tenant's user: whoever holds the key makes it, and it is kept nowhere.

    HMAC-SHA256 (RFC 2104) of the tenant's id, 64 hex digits.
    """
    return hmac.new(user_key.encode(), tenant.encode(), hashlib.sha256).hexdigest()


def _prefix(tenant: str) -> bytes:
    if not is_tenant_id(tenant):
        raise ValueError("not a tenant id")
    return f"ts:{{{tenant}}}:".encode()


def _pattern(tenant: str) -> str:
    """All keys of a tenant. An id has none of the characters that a pattern reads as more than themselves."""
    return _prefix(tenant).decode() + "*"


def _stays(key: bytes, tenant: str) -> bool:
    return _namespace(key, tenant) not in COUNTS_OF_CALLS


def _namespace(key: bytes, tenant: str) -> str:
    return key.removeprefix(_prefix(tenant)).partition(b":")[0].decode(errors="replace")
