"""Keys of Valkey, and the user that opens one tenant's alone."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tenant_management.holdings.world import ALIKE, LEAVER, admin_valkey
from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.results.errors import NotSetUp, Unavailable
from tenantscope_sandbox import Sandbox
from tenantscope_tenant_management.sources.holdings.cache import Cache, password_of, user_of
from tenantscope_tenant_management.sources.holdings.holding import Holding
from valkey import Valkey
from valkey.exceptions import AuthenticationError, ValkeyError

KEY = "k" * 40
OWN, THEIRS = f"ts:{{{LEAVER}}}:memory:x", f"ts:{{{ALIKE[0]}}}:memory:tail"


def logged_in(sandbox: Sandbox, user: str, password: str) -> Any:
    client: Any = Valkey
    return client(port=sandbox.port("valkey"), username=user, password=password)


@pytest.fixture
async def connection(vacant: Sandbox, aws: TenantSession) -> AsyncIterator[Any]:
    """A connection as the tenant's own user."""
    await Cache(vacant.valkey_lifecycle_url, KEY).prepare(aws, LEAVER)
    with logged_in(vacant, user_of(LEAVER), password_of(KEY, LEAVER)) as connection:
        yield connection


async def test_its_user_reads_and_writes_its_own_keys(connection: Any):
    connection.set(OWN, "1", ex=60)
    assert connection.get(OWN) == b"1"
    assert connection.eval("return redis.call('GET', KEYS[1])", 1, OWN) == b"1"
    with connection.pipeline(transaction=True) as pipeline:
        assert pipeline.hset(OWN + "h", "a", "1").expire(OWN + "h", 9).unlink(OWN, OWN + "h").execute() == [1, True, 2]


@pytest.mark.parametrize(
    "command",
    [
        ("GET", THEIRS), ("SET", THEIRS, "x"), ("DEL", THEIRS), ("UNLINK", OWN, THEIRS), ("EXISTS", THEIRS),
        ("RENAME", OWN, THEIRS), ("COPY", THEIRS, OWN), ("DUMP", THEIRS), ("OBJECT", "ENCODING", THEIRS),
        ("EVAL", "return redis.call('GET', KEYS[1])", "1", THEIRS),
        ("EVAL", f"return redis.call('GET', '{THEIRS}')", "1", OWN), ("EVAL", "return redis.call('SCAN', '0')", "0"),
        ("SORT", OWN, "GET", "ts:*"), ("GET", "plain"), ("GET", "ts:{Initech}:x"), ("GET", f"ts:{{{LEAVER}"),
        ("SCAN", "0"), ("KEYS", "*"), ("RANDOMKEY",), ("DBSIZE",), ("FLUSHDB",), ("FLUSHALL",), ("SWAPDB", "0", "1"),
        ("SUBSCRIBE", "x"), ("PUBLISH", "x", "y"), ("PUBSUB", "CHANNELS"), ("SPUBLISH", "x", "y"),
        ("CONFIG", "GET", "*"), ("INFO",), ("ACL", "LIST"), ("ACL", "WHOAMI"), ("ACL", "SETUSER", "x"), ("MONITOR",),
        ("CLIENT", "LIST"), ("CLIENT", "KILL", "ID", "1"), ("SCRIPT", "FLUSH"), ("FUNCTION", "LIST"),
        ("FUNCTION", "FLUSH"), ("MIGRATE", "h", "1", OWN, "0", "1"), ("RESTORE", OWN, "0", "x"),
        ("LATENCY", "LATEST"), ("SLOWLOG", "GET"), ("CLUSTER", "INFO"), ("REPLICAOF", "NO", "ONE"), ("SHUTDOWN",),
        ("BGSAVE",), ("WAIT", "0", "0"), ("MEMORY", "USAGE", THEIRS), ("LASTSAVE",), ("MODULE", "LIST"),
    ],
    ids=lambda command: " ".join(command)[:40],
)  # fmt: skip
async def test_its_user_can_do_nothing_else(connection: Any, command: tuple[str, ...]):
    with pytest.raises(ValkeyError, match=r"(?i)no permissions|NOPERM|ACL failure"):
        connection.execute_command(*command)


async def test_the_user_and_its_password_are_gone_after_erasing(vacant: Sandbox, aws: TenantSession, connection: Any):
    connection.set(OWN, "1")
    cache = Cache(vacant.valkey_lifecycle_url, KEY)
    assert (await cache.held(aws, LEAVER)).parts == {"memory": 1, "user": 1}
    assert await cache.erase(aws, LEAVER, seconds=30)
    assert (await cache.held(aws, LEAVER)).parts == {}
    with pytest.raises(AuthenticationError), logged_in(vacant, user_of(LEAVER), password_of(KEY, LEAVER)) as again:
        again.ping()


async def test_preparing_again_leaves_nothing_of_other_rights(vacant: Sandbox, aws: TenantSession, connection: Any):
    with admin_valkey(vacant) as valkey:
        made = valkey.acl_getuser(user_of(LEAVER))
        valkey.execute_command("ACL SETUSER", user_of(LEAVER), "~*", "&*", "+@all", "nopass")
        await Cache(vacant.valkey_lifecycle_url, KEY).prepare(aws, LEAVER)
        assert valkey.acl_getuser(user_of(LEAVER)) == made


async def test_without_a_key_there_are_no_users(vacant: Sandbox, aws: TenantSession):
    cache = Cache(vacant.valkey_lifecycle_url)
    assert await cache.prepare(aws, LEAVER) is None
    await cache.unprepare(aws, LEAVER)
    assert await cache.erase(aws, LEAVER, seconds=30)
    with admin_valkey(vacant) as valkey:
        assert valkey.acl_getuser(user_of(LEAVER)) is None


def test_passwords_differ_by_tenant_and_by_key():
    known = {password_of(key, tenant) for key in (KEY, KEY + "2") for tenant in (LEAVER, *ALIKE)}
    assert len(known) == 10
    assert all(len(password) == 64 for password in known)


async def test_counts_of_calls_hinder_nobody_and_go_with_the_rest(
    vacant: Sandbox, aws: TenantSession, stores: dict[str, Holding]
):
    with admin_valkey(vacant) as valkey:
        valkey.set(f"ts:{{{LEAVER}}}:admission:x", 1, px=60_000)
        await stores["cache"].prepare(aws, LEAVER)
        await stores["cache"].erase(aws, LEAVER, seconds=30)
        assert not valkey.exists(f"ts:{{{LEAVER}}}:admission:x")


async def test_a_cache_that_is_down_or_refuses_says_which(vacant: Sandbox, aws: TenantSession):
    with pytest.raises(Unavailable):
        await Cache("valkey://127.0.0.1:1/0").held(aws, LEAVER)
    with pytest.raises(NotSetUp):
        await Cache(f"valkey://lifecycle:wrong@127.0.0.1:{vacant.port('valkey')}/0").held(aws, LEAVER)
    with pytest.raises(NotSetUp):  # the servers' own user may list keys, and manage no user
        await Cache(vacant.valkey_url, KEY).prepare(aws, LEAVER)
