"""Valkey per tenant: prefixes, what the ACL holds without us, faults survived."""

import string
from typing import Any

import anyio
import anyio.to_thread
import pytest
from fixtures.stores import RunningPart
from fixtures.tcp_proxy import TcpProxy
from hypothesis import given
from hypothesis import strategies as st
from tenantscope_core.results.errors import Unavailable
from tenantscope_core.stores.valkey import DOWN, Script, ScriptRun, TenantValkey, ValkeyStore, or_down, tenant_prefix
from valkey import Valkey
from valkey.exceptions import AuthenticationError, NoPermissionError, ResponseError

TENANT_CHARACTERS = string.ascii_letters + string.digits + "_-"


@pytest.mark.requirement("valkey-by-prefix")
async def test_every_command_stays_behind_the_tenant_s_prefix(valkey_store: ValkeyStore, valkey_admin: Any):
    acme = valkey_store.tenant("acme", "cache")
    await _use_everything(acme)
    assert valkey_admin.keys("*")
    assert all(key.startswith(b"ts:{acme}:cache:") for key in valkey_admin.keys("*"))


async def _use_everything(valkey: TenantValkey) -> None:
    await valkey.set("a", "1", expire_seconds=60)
    assert await valkey.set("a", "2", only_new=True) is False
    assert await valkey.get("a") == b"1"
    assert await valkey.get_many(["a", "none"]) == [b"1", None]
    await valkey.set_many({"m1": b"\x00\xff", "m2": 7}, expire_seconds=60)
    await valkey.set_many({})
    assert await valkey.get_many(["m2", "m1"]) == [b"7", b"\x00\xff"]
    assert 59 < (await valkey.seconds_left("m1") or 0) <= 60
    assert await valkey.increment("n", 3) == 3
    assert await valkey.exists("n")
    assert await valkey.expire("n", 30)
    assert 29 < (await valkey.seconds_left("n") or 0) <= 30
    assert await valkey.delete("n", "none") == 1
    await valkey.hash_set("h", {"x": 1, "y": "2"})
    assert await valkey.hash_increment("h", "x") == 2
    assert await valkey.hash_delete("h", "y") == 1
    assert await valkey.hash_get("h") == {b"x": b"2"}
    assert await valkey.sorted_add("z", {"low": 1, "high": 9}) == 2
    assert await valkey.sorted_by_score("z", 0, 5, limit=10) == [(b"low", 1.0)]
    assert await valkey.sorted_remove_by_score("z", 0, 5) == 1
    assert await valkey.sorted_remove("z", "none") == 0
    assert await valkey.sorted_size("z") == 1
    assert [await valkey.sorted_count("z", low, 9) for low in (9, 9.5)] == [1, 0]
    assert await valkey.list_append("l", "a", "b") == 2
    await valkey.list_trim("l", -1, -1)
    assert await valkey.list_range("l", 0, -1) == [b"b"]
    first = await valkey.stream_add("s", {"f": "1"}, keep=100)
    await valkey.stream_add("s", {"f": "2"}, keep=100)
    assert [fields for _, fields in await valkey.stream_range("s", after=first.decode(), limit=10)] == [{b"f": b"2"}]
    script = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    assert await valkey.run_script(script, ["count"], [5]) == 5  # not yet known to the server
    assert await valkey.run_script(script, ["count"], [5]) == 10


@pytest.mark.requirement("valkey-by-prefix")
async def test_a_script_run_for_several_tenants_has_the_keys_of_each_alone(
    valkey_store: ValkeyStore, valkey_admin: Any
):
    script = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    runs = [ScriptRun("acme", ["n"], [1]), ScriptRun("acme_corp", ["n"], [2]), ScriptRun("acme", ["n"], [4])]
    assert await valkey_store.run_scripts(script, "cache", runs) == [1, 2, 5]
    assert sorted(valkey_admin.keys("*")) == [b"ts:{acme_corp}:cache:n", b"ts:{acme}:cache:n"]
    for odd in (ScriptRun("acme}", ["n"]), ScriptRun("acme", ["n}:{globex"])):
        with pytest.raises(ValueError, match="not a"):
            await valkey_store.run_scripts(script, "cache", [odd])


async def test_two_tenants_and_two_namespaces_with_one_key_hold_four_values(valkey_store: ValkeyStore):
    places = [valkey_store.tenant(tenant, name) for tenant in ("acme", "acme_corp") for name in ("cache", "rate")]
    for number, place in enumerate(places):
        await place.set("k", number)
    assert [await place.get("k") for place in places] == [b"0", b"1", b"2", b"3"]


@pytest.mark.requirement("valkey-by-prefix")
def test_there_is_no_command_that_walks_keys_or_runs_whatever_it_is_given():
    assert not {"keys", "scan", "execute_command", "eval", "flushdb", "client"} & set(dir(TenantValkey))


@pytest.mark.requirement("tenant-ids-as-they-are")
@given(
    st.text(TENANT_CHARACTERS, min_size=1, max_size=64), st.text(max_size=80), st.text(TENANT_CHARACTERS, max_size=9)
)
def test_no_tenant_and_key_make_another_tenant_s_key(tenant: str, key: str, other: str):
    try:
        full = TenantValkey(None, tenant_prefix(tenant, "cache"))._key(key)  # pyright: ignore[reportPrivateUsage]
    except ValueError:
        return
    assert full == f"ts:{{{tenant}}}:cache:{key}"
    if other and other != tenant:
        assert not full.startswith(f"ts:{{{other}}}")


@pytest.mark.parametrize("key", ["", "a b", "k\n", "ü", "{globex}", "*", "k" * 257])
async def test_a_key_of_another_form_is_refused_before_it_leaves(key: str, valkey_store: ValkeyStore):
    with pytest.raises(ValueError, match="not a key"):
        await valkey_store.tenant("acme", "cache").get(key)


@pytest.mark.requirement("valkey-by-prefix")
async def test_around_the_wrapper_the_acl_refuses_another_tenant_s_keys(valkey_part: RunningPart, valkey_admin: Any):
    valkey_admin.execute_command(
        "ACL", "SETUSER", "acme", "on", ">secret", "~ts:{acme}:*", "+@read", "+@write", "+@scripting"
    )
    login = f"valkey://acme:secret@127.0.0.1:{valkey_part.port}/0"
    client: Any = Valkey
    with client.from_url(login) as raw:
        assert raw.set("ts:{acme}:cache:k", "ours")
        for key in ("ts:{globex}:cache:k", "ts:{acme_corp}:cache:k", "k"):
            with pytest.raises(NoPermissionError):
                raw.get(key)
        with pytest.raises(ResponseError, match="No permissions to access a key"):  # nor from within a script
            raw.eval("return redis.call('GET', 'ts:{globex}:cache:k')", 0)
    async with ValkeyStore(login) as store:
        assert await store.tenant("acme", "cache").get("k") == b"ours"
        with pytest.raises(NoPermissionError):
            await store.tenant("globex", "cache").get("k")
        with pytest.raises(NoPermissionError):
            await store.tenant("globex", "cache").set_many({"k": 1})


@pytest.mark.requirement("logs-in-by-iam")
async def test_a_login_is_asked_for_at_each_new_connection(valkey_part: RunningPart, valkey_admin: Any):
    valkey_admin.execute_command("ACL", "SETUSER", "iam", "on", ">token-1", "~ts:*", "+@all")
    tokens = ["token-1", "token-2", "token-3"]
    async with ValkeyStore(f"valkey://127.0.0.1:{valkey_part.port}", login=lambda: ("iam", tokens.pop(0))) as store:
        assert await store.tenant("acme", "cache").get("k") is None
        valkey_admin.execute_command("ACL", "SETUSER", "iam", "resetpass", ">token-2")
        valkey_admin.client_kill_filter(_type="normal", skipme=True)
        assert await store.tenant("acme", "cache").get("k") is None
        valkey_admin.client_kill_filter(_type="normal", skipme=True)
        with pytest.raises(AuthenticationError):
            await store.tenant("acme", "cache").get("k")


async def test_a_killed_valkey_is_unavailable_or_a_miss_by_choice_and_comes_back_by_itself(
    valkey_store: ValkeyStore, valkey_part: RunningPart
):
    acme = valkey_store.tenant("acme", "cache")
    assert await or_down(acme.get("k")) is None
    valkey_part.kill()
    try:
        with pytest.raises(Unavailable):
            await acme.get("k")
        assert await or_down(acme.get("k")) is DOWN
    finally:
        await anyio.to_thread.run_sync(valkey_part.start)
    assert await acme.set("k", "again")
    assert await acme.get("k") == b"again"


async def test_a_silent_valkey_is_given_up_in_time_and_used_again_after(valkey_url: str, valkey_part: RunningPart):
    async with (
        TcpProxy(valkey_part.port) as proxy,
        ValkeyStore(valkey_url.replace(f":{valkey_part.port}", f":{proxy.port}")) as store,
    ):
        acme = store.tenant("acme", "cache")
        await acme.set("k", "v")
        before = proxy.round_trips
        await acme.get("k")
        assert proxy.round_trips - before == 1
        await acme.set_many({f"k{number}": number for number in range(100)})
        assert proxy.round_trips - before == 2
        proxy.silent = True
        with anyio.fail_after(3), pytest.raises(Unavailable):
            await acme.get("k")
        with anyio.fail_after(3), pytest.raises(Unavailable):
            await acme.set_many({"k": 1})
        proxy.silent = False
        assert await acme.get("k") == b"v"
