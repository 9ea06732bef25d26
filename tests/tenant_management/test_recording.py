"""A change, its audit entry and its events are written together: once or not at all, whatever becomes of the answer."""

import asyncio
import itertools
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from fixtures.serving import Served
from fixtures.small_company import as_item
from fixtures.stores import SignedCaller, caller_of
from isolation.layers import gatekeepers
from tenant_management.company_users import fresh_tenant, journal, trail
from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.identity.caller import Caller
from tenantscope_core.results.errors import Unavailable
from tenantscope_core.stores.aws import AwsCaller, OtherTenant
from tenantscope_core.tool.path import vend
from tenantscope_sandbox import Sandbox
from tenantscope_tenant_management.audit import Note, broken_at
from tenantscope_tenant_management.changes import changed
from tenantscope_tenant_management.events import updated
from tenantscope_tenant_management.settings import Settings
from tenantscope_tenant_management.sources.items import Item
from tenantscope_tenant_management.sources.jobs.job import Job
from tenantscope_tenant_management.sources.journal import Journal, entry_of
from tenantscope_tenant_management.sources.open import open_recorder
from tenantscope_tenant_management.sources.recording import Change, PartChanged, RecordChanged, Recorder
from tenantscope_tenant_management.sources.registry_table import RegistryTable
from tenantscope_tenant_management.sources.tenants import Tenants
from tenantscope_tenant_management.sources.workflows.store import Overtaken, WorkflowStore
from tenantscope_tenant_management.workflow import begin

NOW = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
AT_ONCE = 40
WRITING: dict[str, Any] = {"service": "dynamodb", "action": "TransactWriteItems"}
PASSING: dict[str, dict[str, Any]] = {
    "an error": {"kind": "error", "status": 500, "code": "InternalServerError"},
    "throttling": {"kind": "error", "status": 400, "code": "ProvisionedThroughputExceededException"},
    "a broken connection": {"kind": "disconnect"},
}


@dataclass(frozen=True)
class Asking:
    """Who acts, with whose credentials."""

    caller: Caller
    aws: AwsCaller
    now: datetime


@dataclass(frozen=True)
class Parts:
    """What writes, over the tables of the small company."""

    registry: RegistryTable
    journal: Journal
    recorder: Recorder
    tenants: Tenants


@pytest.fixture(scope="module")
def parts(registry_server: Served) -> Parts:
    settings = registry_server.assembly.settings
    assert isinstance(settings, Settings)
    registry, kept = RegistryTable(settings.tenants_table), Journal(settings.journal_table)
    recorder = open_recorder(settings, registry, kept)
    return Parts(registry, kept, recorder, Tenants(registry, kept, recorder))


@pytest.fixture
def tenant() -> str:
    return fresh_tenant()


def of_audit(sandbox: Sandbox, tenant: str) -> list[dict[str, Any]]:
    """A tenant's entries as written, but for that of its adoption."""
    return [item for item in journal(sandbox, tenant, "audit:") if item["action"] != "tenant.adopted"]


# Many at once


async def test_forty_notes_at_once_by_the_tenant_and_the_provider_stand_in_one_chain_and_none_twice(
    registry_server: Served, small_company: Sandbox, parts: Parts, tenant: str
):
    identify = registry_server.assembly.verifier.identify
    own, staff = [await identify(registry_server.token(who)) for who in (tenant, None)]
    async with gatekeepers(registry_server) as gate:
        by = [
            Asking(each.caller, await vend(gate, registry_server.spec.name, each, tenant), NOW) for each in (own, staff)
        ]

        async def write(number: int) -> None:
            for _ in range(AT_ONCE):
                try:
                    await parts.recorder.write(by[number % 2], tenant, Note("test.noted", target=str(number)))
                    return
                except Unavailable:
                    await asyncio.sleep(0.01 * number)
            raise AssertionError("never written")

        await asyncio.gather(*map(write, range(AT_ONCE)))
    found = trail(small_company, tenant)
    assert sorted(int(entry["target"]) for entry in found) == list(range(AT_ONCE))
    assert {(int(entry["target"]) % 2, entry["audience"]) for entry in found} == {(0, "tenant"), (1, "provider")}
    entries = [entry_of(item) for item in journal(small_company, tenant, "audit:")]
    (head,) = journal(small_company, tenant, "audit-head")
    assert broken_at(entries, begins=True) is None
    assert (head["seq"], head["hash"]) == (len(entries), entries[-1].hash)


# Answers that are lost


async def tagged(parts: Parts, root: SignedCaller, tenant: str, number: int) -> None:
    """Change a tenant's record, with its tags, its entry and an event."""
    call = Job(root, NOW, "test")
    before = await parts.tenants.read(call, tenant)
    after = changed(before, NOW, tags={"number": str(number)})
    await parts.tenants.save(call, before, after, "test.tagged", events=[updated(after, ["tags"])])


def whole(sandbox: Sandbox, tenant: str, number: int, *, times: int) -> None:
    """Expect a change in the record, the index of tags, the trail and the events, as often as it was made."""
    record = sandbox.client("dynamodb").get_item(TableName=sandbox.table, Key=as_item({"tenantId": tenant}))["Item"]
    assert record["tags"] == as_item({"t": {"number": str(number)}})["t"]
    noted = [item for item in of_audit(sandbox, tenant) if item["action"] == "test.tagged"]
    assert len(noted) == times
    assert str(noted[-1]["version"]) == record["version"]["N"]
    assert json.loads(noted[-1]["details"])["after"] == {"tags": {"number": str(number)}}
    assert len(journal(sandbox, tenant, "event:")) == times
    tags = [item["entry"] for item in journal(sandbox, tenant, "tag:") if "kind" in item]
    assert tags == [f"tag:number={number}"]
    trail(sandbox, tenant)  # proves the chain


@pytest.mark.parametrize("after", [False, True], ids=["before it was written", "after it was written"])
@pytest.mark.parametrize("fault", PASSING)
async def test_a_write_whose_answer_is_lost_once_is_there_once(
    small_company: Sandbox, parts: Parts, root: SignedCaller, tenant: str, fault: str, after: bool
):
    await tagged(parts, root, tenant, 1)
    with small_company.emulator.faults({**WRITING, **PASSING[fault], "after": after, "times": 1}):
        await tagged(parts, root, tenant, 2)
        assert small_company.emulator.struck() == [1]
    whole(small_company, tenant, 2, times=2)


async def test_a_note_alone_whose_answer_is_lost_is_there_once(
    small_company: Sandbox, parts: Parts, root: SignedCaller, tenant: str
):
    for fault in PASSING.values():
        with small_company.emulator.faults({**WRITING, **fault, "after": True, "times": 1}):
            await parts.recorder.write(Job(root, NOW, "test"), tenant, Note("test.noted"))
    assert [entry["action"] for entry in trail(small_company, tenant)] == ["test.noted"] * len(PASSING)


async def test_a_write_is_sent_again_under_its_own_token_and_no_two_writes_share_one(
    small_company: Sandbox, parts: Parts, root: SignedCaller, tenant: str
):
    mark = small_company.emulator.mark()
    for _ in range(2):
        with small_company.emulator.faults({**WRITING, **PASSING["an error"], "after": True, "times": 2}):
            await parts.recorder.write(Job(root, NOW, "test"), tenant, Note("test.noted"))
    sent = small_company.emulator.requests(mark, action="TransactWriteItems")
    tokens = [request["parameters"]["ClientRequestToken"] for request in sent]
    assert [len(list(same)) for _, same in itertools.groupby(tokens)] == [3, 3]
    assert len(set(tokens)) == 2


@pytest.mark.parametrize("fault", PASSING)
async def test_a_write_of_which_no_answer_ever_comes_is_found_to_be_there(
    small_company: Sandbox, parts: Parts, root: SignedCaller, tenant: str, fault: str
):
    with small_company.emulator.faults({**WRITING, **PASSING[fault], "after": True}):
        await tagged(parts, root, tenant, 1)
    whole(small_company, tenant, 1, times=1)


@pytest.mark.parametrize("fault", PASSING)
async def test_what_cannot_be_written_is_not_there_in_part_and_can_be_written_later(
    small_company: Sandbox, parts: Parts, root: SignedCaller, tenant: str, fault: str
):
    def all_of_it() -> list[Any]:
        key = as_item({"tenantId": tenant})
        record = small_company.client("dynamodb").get_item(TableName=small_company.table, Key=key)["Item"]
        return [record, *(journal(small_company, tenant, kind) for kind in ("audit", "event", "tag"))]

    before = all_of_it()
    with small_company.emulator.faults({**WRITING, **PASSING[fault]}), pytest.raises(AwsError) as caught:
        await tagged(parts, root, tenant, 1)
    assert caught.value.retryable
    assert all_of_it() == before
    await tagged(parts, root, tenant, 1)
    whole(small_company, tenant, 1, times=1)


async def test_a_workflows_move_whose_answer_is_lost_is_no_other_callers(
    small_company: Sandbox, parts: Parts, root: SignedCaller, tenant: str
):
    store = WorkflowStore(parts.journal)
    first = begin("offboarding", "k", "", {"a": [1]}, ["one"], by="test", now=NOW)
    await root.call("dynamodb", "put_item", **store.part(tenant, first, None)["Put"])
    second = first.released("stopped")
    fault = {"service": "dynamodb", "action": "PutItem", **PASSING["an error"], "after": True, "times": 1}
    with small_company.emulator.faults(fault):
        await store.write(root, tenant, second, first)
    assert await store.read(root, tenant, "offboarding") == second
    with pytest.raises(Overtaken):
        await store.write(root, tenant, first.released("another"), first)


# What others wrote meanwhile


@pytest.fixture
async def record(parts: Parts, root: SignedCaller, tenant: str) -> Item:
    return await parts.tenants.read(Job(root, NOW, "test"), tenant)


async def test_a_record_that_is_another_by_now_is_told_from_a_part_that_is(
    small_company: Sandbox, parts: Parts, root: SignedCaller, tenant: str, record: Item
):
    call, write = Job(root, NOW, "test"), parts.recorder.write
    one = parts.journal.new({"tenantId": tenant, "entry": "test", "n": 1})
    await write(call, tenant, Note("test.first"), parts=[one])
    stale = Change({**record, "version": 99}, {**record, "version": 100})
    fresh = Change(record, changed(record, NOW, email="new@crowd.example"))
    entries = len(of_audit(small_company, tenant))
    with pytest.raises(PartChanged):
        await write(call, tenant, Note("test.lost"), parts=[one])
    with pytest.raises(PartChanged):
        await write(call, tenant, Note("test.lost"), change=fresh, parts=[one])
    with pytest.raises(RecordChanged):
        await write(call, tenant, Note("test.lost"), change=stale)
    with pytest.raises(RecordChanged):
        await write(call, tenant, Note("test.lost"), change=stale, parts=[one])
    with pytest.raises(RecordChanged):
        await write(call, tenant, Note("test.lost"), change=Change(None, record))
    assert await parts.tenants.read(call, tenant) == record
    assert len(of_audit(small_company, tenant)) == entries
    await write(call, tenant, Note("test.last"), change=fresh)
    assert [entry["action"] for entry in trail(small_company, tenant)][-2:] == ["test.first", "test.last"]


@pytest.mark.parametrize("signed_for", ["globex", None])
async def test_a_session_of_another_tenant_writes_nothing_and_the_fleets_writes_what_it_is_told(
    small_company: Sandbox, parts: Parts, tenant: str, signed_for: str | None
):
    async with caller_of(small_company, signed_for) as aws:
        call = Job(aws, NOW, "test")
        if signed_for is None:
            await parts.recorder.write(call, tenant, Note("test.noted"))
        else:
            with pytest.raises(OtherTenant):
                await parts.recorder.write(call, tenant, Note("test.noted"))
    assert len(of_audit(small_company, tenant)) == (signed_for is None)
