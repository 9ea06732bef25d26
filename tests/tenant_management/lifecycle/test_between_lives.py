"""Coming and going meet each other, other writers and large tenants: nobody comes back, nothing gets stuck."""

import json
from typing import Any

import anyio
import anyio.to_thread
from fixtures.serving import SERVERS, content_of, environment_of, error_fields, serve, text_of
from tenant_management.company_users import Pool
from tenant_management.conftest import Ask
from tenantscope_sandbox import Sandbox

SERVER = next(each for each in SERVERS if each.spec.name == "tenant-management")
USERS_DOWN = {"service": "cognito-idp", "kind": "error", "status": 500, "code": "InternalErrorException"}
OBJECTS_DOWN = {"service": "s3", "action": "PutObject", "kind": "error", "status": 503, "code": "SlowDown"}


async def half_taken_in(ask: Ask, small_company: Sandbox, tenant: str) -> dict[str, Any]:
    """The arguments of an onboarding that stopped on its way."""
    asked = {"tenant_id": tenant, "name": tenant, "tier": "growth", "admin_email": f"ada@{tenant}.example"}
    with small_company.emulator.faults(USERS_DOWN):
        assert error_fields(await ask("create_tenant", **asked))["action"] == "retry_after"
    return asked


async def half_let_go(ask: Ask, small_company: Sandbox, tenant: str, fault: dict[str, Any]) -> None:
    about = {"tenant_id": tenant, "action": "offboard"}
    tried = content_of(await ask("set_tenant_status", **about, dry_run=True))
    with small_company.emulator.faults(fault):
        stopped = await ask("set_tenant_status", **about, confirmation=tried["confirmation"])
    assert error_fields(stopped)["action"] == "retry_after"


async def let_go(ask: Ask, tenant: str) -> dict[str, Any]:
    about = {"tenant_id": tenant, "action": "offboard"}
    tried = content_of(await ask("set_tenant_status", **about, dry_run=True))
    return content_of(await ask("set_tenant_status", **about, confirmation=tried["confirmation"]))


def write(sandbox: Sandbox, tenant: str, **attributes: dict[str, Any]) -> None:
    """What another control plane writes into a record: it counts no versions."""
    names = {f"#{number}": name for number, name in enumerate(attributes)}
    values = {f":{number}": value for number, value in enumerate(attributes.values())}
    sandbox.client("dynamodb").update_item(
        TableName=sandbox.table, Key={"tenantId": {"S": tenant}}, ExpressionAttributeNames=names,
        UpdateExpression="SET " + ", ".join(f"#{n} = :{n}" for n in range(len(attributes))),
        ExpressionAttributeValues=values,
    )  # fmt: skip


async def test_nobody_goes_on_with_taking_in_a_tenant_that_leaves(ask: Ask, small_company: Sandbox):
    tenant = "revenant"
    asked = await half_taken_in(ask, small_company, tenant)
    await half_let_go(ask, small_company, tenant, OBJECTS_DOWN)
    assert error_fields(await ask("create_tenant", **asked))["code"] == "conflict"
    assert content_of(await ask("get_tenant", tenant_id=tenant))["status"] == "offboarding"
    assert Pool(small_company).in_group(f"tenant:{tenant}") is None
    left = content_of(await ask("set_tenant_status", tenant_id=tenant, action="offboard"))
    assert left["after"] == "offboarded"
    assert error_fields(await ask("create_tenant", **asked))["code"] == "conflict"


async def test_no_other_planes_word_switches_a_tenant_on_that_leaves(ask: Ask, small_company: Sandbox):
    tenant = "lazarus"
    content_of(await ask("create_tenant", tenant_id=tenant, name=tenant, tier="growth"))
    await half_let_go(ask, small_company, tenant, OBJECTS_DOWN)
    for word, action in (("Pending", "activate"), ("Suspended", "resume"), ("Failed", "activate")):
        write(small_company, tenant, tenantStatus={"S": word})
        refused = await ask("set_tenant_status", tenant_id=tenant, action=action)
        assert error_fields(refused)["code"] == "conflict", action
    again = await ask("create_tenant", tenant_id=tenant, name=tenant, tier="starter")
    assert error_fields(again)["code"] == "conflict"
    left = content_of(await ask("set_tenant_status", tenant_id=tenant, action="offboard"))
    assert left["after"] == "offboarded"


async def test_users_that_come_after_the_users_were_erased_are_erased_too(ask: Ask, small_company: Sandbox):
    tenant, pool = "latecomer", Pool(small_company)
    content_of(await ask("create_tenant", tenant_id=tenant, name=tenant, tier="growth", admin_email="a@late.example"))
    keeps_objects = {"service": "s3", "contains": "<Delete", "kind": "error", "status": 503, "code": "SlowDown"}
    await half_let_go(ask, small_company, tenant, keeps_objects)
    assert pool.in_group(f"tenant:{tenant}") is None
    cognito, where = small_company.client("cognito-idp"), small_company.outputs["UserPoolId"]
    cognito.create_group(UserPoolId=where, GroupName=f"tenant:{tenant}")
    marks = [{"Name": "email", "Value": "b@late.example"}, {"Name": "custom:tenantId", "Value": tenant}]
    user = cognito.admin_create_user(UserPoolId=where, Username="b@late.example", UserAttributes=marks)["User"]
    cognito.admin_add_user_to_group(UserPoolId=where, Username=user["Username"], GroupName=f"tenant:{tenant}")
    left = content_of(await ask("set_tenant_status", tenant_id=tenant, action="offboard"))
    assert left["after"] == "offboarded"
    assert not pool.in_group(f"tenant:{tenant}")


async def test_a_hold_set_after_all_was_erased_but_for_the_reading_back_stops_that_too(
    ask: Ask, small_company: Sandbox
):
    tenant = "heldlate"
    content_of(await ask("create_tenant", tenant_id=tenant, name=tenant, tier="growth"))
    fault = {"service": "logs", "action": "DescribeLogGroups", "kind": "error", "status": 503, "skip": 4}
    await half_let_go(ask, small_company, tenant, {**fault, "code": "ServiceUnavailableException"})
    late = {"Bucket": small_company.bucket, "Key": f"datasets/costs/tenant_id={tenant}/late.json", "Body": b"{}"}
    small_company.client("s3").put_object(**late)
    version = content_of(await ask("get_tenant", tenant_id=tenant))["version"]
    held = content_of(await ask("update_tenant", tenant_id=tenant, version=version, legal_hold=True))
    refused = await ask("set_tenant_status", tenant_id=tenant, action="offboard")
    assert "legal hold" in text_of(refused)
    small_company.client("s3").head_object(Bucket=late["Bucket"], Key=late["Key"])
    content_of(await ask("update_tenant", tenant_id=tenant, version=held["version"], legal_hold=False))
    assert content_of(await ask("set_tenant_status", tenant_id=tenant, action="offboard"))["after"] == "offboarded"


async def test_nothing_is_written_about_a_tenant_that_has_left(ask: Ask):
    tenant = "bones"
    content_of(await ask("create_tenant", tenant_id=tenant, name=tenant, tier="growth"))
    version = (await let_go(ask, tenant))["version"]
    about = {"tenant_id": tenant, "version": version}
    for refused in (
        await ask("update_tenant", **about, name="Bones", email="ann@bones.example", tags={"a": "b"}),
        await ask("update_tenant_config", **about, patch={"owner": "ann"}),
    ):
        assert error_fields(refused)["code"] == "conflict"
    assert content_of(await ask("get_tenant", tenant_id=tenant))["version"] == version


async def test_a_tenant_that_could_not_be_taken_in_is_not_switched_on_half_made(ask: Ask, small_company: Sandbox):
    email = next(u["email"] for u in map(attributes_of, Pool(small_company).everyone()) if "email" in u)
    asked = {"tenant_id": "halfling", "name": "Halfling", "tier": "growth"}
    assert error_fields(await ask("create_tenant", **asked, admin_email=email))["code"] == "invalid_argument"
    refused = await ask("set_tenant_status", tenant_id="halfling", action="activate")
    assert error_fields(refused)["code"] == "conflict"
    assert "create_tenant" in text_of(refused)
    assert content_of(await ask("create_tenant", **asked))["status"] == "active"


def attributes_of(user: dict[str, Any]) -> dict[str, str]:
    return {each["Name"]: each["Value"] for each in user["Attributes"]}


async def test_a_tenant_with_many_log_groups_can_leave_and_the_receipt_sums_them_up(ask: Ask, small_company: Sandbox):
    tenant, groups = "loggy", 200
    content_of(await ask("create_tenant", tenant_id=tenant, name=tenant, tier="growth"))
    logs = small_company.client("logs")
    for number in range(groups):
        logs.create_log_group(logGroupName=f"/tenantscope/tenants/{tenant}/{number:03d}{'g' * 440}")
    receipt = (await let_go(ask, tenant))["receipt"]
    line = next(line for line in receipt["stores"] if line["store"] == "logs")
    assert sum(line["held"].values()) == groups
    assert line["held"]["(others)"] > 0
    assert line["left"] == 0


async def test_what_is_done_is_never_refused_for_the_length_of_its_answer(ask: Ask):
    tenant = "biggy"
    version = content_of(await ask("create_tenant", tenant_id=tenant, name=tenant, tier="growth"))["version"]
    about = {"tenant_id": tenant}
    too_large = await ask("update_tenant_config", **about, version=version, patch={"a": "x" * 8_192})
    assert error_fields(too_large)["parameter"] == "patch"
    assert content_of(await ask("get_tenant", **about))["version"] == version
    done = await ask("update_tenant_config", **about, version=version, patch={"a": "x" * 8_100})
    done = await ask("update_tenant_config", **about, version=content_of(done)["version"], patch={"a": "y" * 8_100})
    changed = content_of(await ask("list_audit_events", **about, seq=5))["events"][0]
    assert (changed["before"]["config"]["a"][0], changed["after"]["config"]["a"][0]) == ("x", "y")
    version = content_of(done)["version"]
    many = {f"{number:02d}{'t' * 62}": "\N{GRINNING FACE}" * 128 for number in range(20)}
    done = content_of(await ask("update_tenant", **about, version=version, tags=many))
    assert done["shortened"] == ["tags"]
    moved: dict[str, str | None] = {name.replace("t", "u"): value for name, value in many.items()}
    gone = dict.fromkeys(many)
    done = content_of(await ask("update_tenant", **about, version=done["version"], tags={**moved, **gone}))
    seen = content_of(await ask("get_tenant", **about))
    assert (seen["version"], seen["config"]["a"][0]) == (done["version"], "y")


async def test_a_change_by_another_plane_in_the_middle_undoes_no_onboarding(ask: Ask, small_company: Sandbox):
    tenant, answers = "busy", list[Any]()
    asked = {"tenant_id": tenant, "name": tenant, "tier": "growth", "admin_email": "ada@busy.example"}

    async def take_in() -> None:
        answers.append(await ask("create_tenant", **asked))

    second_write = {"action": "TransactWriteItems", "kind": "delay", "seconds": 2.0, "skip": 1, "times": 1}
    with small_company.emulator.faults(second_write):
        async with anyio.create_task_group() as group:
            group.start_soon(take_in)
            await anyio.to_thread.run_sync(small_company.emulator.wait_struck)
            write(small_company, tenant, version={"N": "7"})
    stopped = error_fields(answers[0])
    assert (stopped["code"], stopped["action"]) == ("unavailable", "retry_after"), stopped
    assert content_of(await ask("create_tenant", **asked))["status"] == "active"
    assert Pool(small_company).in_group(f"tenant:{tenant}")


async def test_more_events_than_one_page_are_all_sent_in_the_end(ask: Ask, small_company: Sandbox):
    tenant, edits = "talkative", 130
    version = content_of(await ask("create_tenant", tenant_id=tenant, name=tenant, tier="growth"))["version"]
    for number in range(edits):  # a tenant's own role may not speak on the bus: its events wait
        done = await ask("update_tenant_config", tenant, patch={"n": number}, version=version)
        version = content_of(done)["version"]
    assert len(waiting(small_company, tenant)) == edits
    forged = {"tenantId": {"S": tenant}, "entry": {"S": "event:999999999998:x"}, "kind": {"S": "event:waiting"}}
    forged |= {"kindSort": {"S": "x"}, "source": {"S": "sbt.control.plane"}, "detailType": {"S": "x"}}
    detail = {"S": json.dumps({"tenantId": "globex"})}
    small_company.client("dynamodb").put_item(
        TableName=small_company.outputs["JournalTable"], Item={**forged, "detail": detail}
    )
    content_of(await ask("create_tenant", tenant_id=tenant, name=tenant, tier="growth"))  # goes on with what waits
    assert waiting(small_company, tenant) == ["event:999999999998:x"], "all but what is about somebody else"


def waiting(sandbox: Sandbox, tenant: str) -> list[str]:
    pages = sandbox.client("dynamodb").get_paginator("query").paginate(
        TableName=sandbox.outputs["JournalTable"],
        KeyConditionExpression="tenantId = :t AND begins_with(entry, :e)",
        ExpressionAttributeValues={":t": {"S": tenant}, ":e": {"S": "event:"}},
    )  # fmt: skip
    return [item["entry"]["S"] for page in pages for item in page["Items"] if "kind" in item]


async def test_the_same_request_many_times_at_once_is_one_request(ask: Ask):
    asked = {"tenant_id": "chorus", "name": "Chorus", "tier": "growth"}
    told: list[dict[str, Any]] = []

    async def take_in() -> None:
        answer = await ask("create_tenant", **asked)
        told.append(error_fields(answer) if answer.is_error else {"code": "ok"})

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(take_in)
    assert {each["code"] for each in told} <= {"ok", "unavailable"}, told
    assert content_of(await ask("create_tenant", **asked))["status"] == "active"
    events = content_of(await ask("list_audit_events", tenant_id="chorus"))["events"]
    assert [event["action"] for event in events].count("tenant.onboarding_started") == 1


async def test_an_export_for_which_there_is_no_place_is_refused_before_anything_is_switched_off(
    ask: Ask, small_company: Sandbox
):
    content_of(await ask("create_tenant", tenant_id="homeless", name="Homeless", tier="growth"))
    environment = environment_of(SERVER, small_company, TENANTSCOPE_QUIET_SECONDS="0")
    del environment["TENANTSCOPE_DATASETS_BUCKET"]
    leave = {"tenant_id": "homeless", "action": "offboard"}
    async with (
        serve(SERVER.spec, environment, small_company) as without_bucket,
        without_bucket.client(without_bucket.token(None), mode="legacy") as client,
    ):
        for asked in ({"dry_run": True}, {"dry_run": False}):
            refused = error_fields(await client.call_tool("set_tenant_status", {**leave, **asked}))
            assert refused["code"] == "not_set_up"
        tried = content_of(await client.call_tool("set_tenant_status", {**leave, "dry_run": True, "export": False}))
        assert tried["confirmation"]
    assert content_of(await ask("get_tenant", tenant_id="homeless"))["status"] == "active"
