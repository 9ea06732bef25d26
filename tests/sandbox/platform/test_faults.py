"""Faults strike what they name, and the request log shows what reached the cloud."""

import os
import subprocess
import sys
import time
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from tenantscope_sandbox import Sandbox

from .conftest import costs_key
from .refusals import refused

ONCE: dict[str, Any] = {"retries": {"max_attempts": 0}}


def test_a_delayed_service_is_slow_and_the_others_are_not(stocked: Sandbox):
    sts, s3 = stocked.client("sts"), stocked.client("s3")
    with stocked.emulator.faults({"service": "sts", "seconds": 0.3}):
        started = time.monotonic()
        sts.get_caller_identity()
        assert time.monotonic() - started >= 0.3
        mark = stocked.emulator.mark()
        s3.list_buckets()
        (seen,) = stocked.emulator.requests(mark, service="s3")
        assert seen["fault"] is None
        assert seen["milliseconds"] < 250


CALLS = [("sts", "get_caller_identity"), ("s3", "list_buckets"), ("dynamodb", "list_tables")]


@pytest.mark.parametrize(("service", "call"), CALLS)
def test_an_outage_answers_503_as_the_service_would(stocked: Sandbox, service: str, call: str):
    client = stocked.client(service, **ONCE)
    with stocked.emulator.faults({"service": service, "kind": "error", "times": 1}):
        with refused("ServiceUnavailable"):
            getattr(client, call)()
        getattr(client, call)()


def test_a_hanging_service_lets_the_clients_timeout_decide(stocked: Sandbox):
    client = stocked.client("dynamodb", read_timeout=0.3, **ONCE)
    with stocked.emulator.faults({"service": "dynamodb", "action": "ListTables", "kind": "hang"}):
        with pytest.raises(BotoCoreError):
            client.list_tables()
        client.describe_table(TableName=stocked.table)


def test_a_disconnect_is_an_error_of_the_connection(stocked: Sandbox):
    with stocked.emulator.faults({"service": "s3", "kind": "disconnect"}), pytest.raises((BotoCoreError, ClientError)):
        stocked.client("s3", **ONCE).list_buckets()


def test_a_fault_that_the_emulator_does_not_know_is_refused(stocked: Sandbox):
    with pytest.raises(ValueError, match="not a fault"):
        stocked.emulator.set_faults({"service": "s3", "knd": "error"})


def test_the_request_log_shows_who_asked_for_what(stocked: Sandbox):
    mark = stocked.emulator.mark()
    credentials = stocked.assume("cost-explorer", "acme", tier="growth")
    with refused():
        stocked.client("s3", credentials).get_object(Bucket=stocked.bucket, Key="raw/x")
    stocked.client("dynamodb", credentials).get_item(TableName=stocked.table, Key={"tenantId": {"S": "acme"}})
    assumed, read, looked_up = stocked.emulator.requests(mark)
    assert (assumed["service"], assumed["action"], assumed["status"]) == ("sts", "AssumeRole", 200)
    assert assumed["parameters"]["RoleArn"] == stocked.role_arn("cost-explorer")
    assert assumed["parameters"]["Tags.member.1.Value"] == "acme"
    assert assumed["access_key_id"] == stocked.execution.access_key_id
    assert (read["bucket"], read["key"], read["status"]) == (stocked.bucket, "raw/x", 403)
    assert read["access_key_id"] == credentials.access_key_id
    assert "assumed-role/tenantscope-cost-explorer-tenant/" in read["principal"]
    assert (looked_up["table"], looked_up["keys"]) == (stocked.table, ["acme"])


def test_no_web_identity_token_is_written_to_the_log(stocked: Sandbox):
    mark = stocked.emulator.mark()
    token = stocked.issuer.token("acme")
    stocked.client("sts").assume_role_with_web_identity(
        RoleArn=stocked.role_arn("tenant-management"), RoleSessionName="test", WebIdentityToken=token
    )
    assert token not in str(stocked.emulator.requests(mark))


def test_a_paused_part_goes_on_where_it_was(stocked: Sandbox):
    client = stocked.client("sts", read_timeout=0.3, **ONCE)
    stocked.pause_part("aws")
    try:
        with pytest.raises(BotoCoreError):
            client.get_caller_identity()
    finally:
        stocked.resume_part("aws")
    client.get_caller_identity()


def create_group(sandbox: Sandbox, name: str, **options: Any) -> None:
    sandbox.client("logs", **(ONCE | options)).create_log_group(logGroupName=name)


def groups(sandbox: Sandbox, prefix: str) -> list[str]:
    found = sandbox.client("logs").describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]
    return [group["logGroupName"] for group in found if "logGroupName" in group]


KINDS: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"kind": "error"}, ClientError),
    ({"kind": "disconnect"}, BotoCoreError),
    ({"kind": "hang", "seconds": 5.0}, BotoCoreError),
]


@pytest.mark.parametrize(("kind", "seen"), KINDS)
def test_a_fault_after_the_effect_withholds_the_answer_of_what_was_done(
    stocked: Sandbox, kind: dict[str, Any], seen: type[Exception]
):
    name, mark = f"/done/{kind['kind']}", stocked.emulator.mark()
    fault = {"service": "logs", "action": "CreateLogGroup", "after": True, **kind}
    with stocked.emulator.faults(fault), pytest.raises(seen):
        create_group(stocked, name, read_timeout=0.5)
    assert groups(stocked, name) == [name]
    (record,) = stocked.emulator.requests(mark, action="CreateLogGroup")
    assert (record["status"], record["fault"]) == (200, kind["kind"])


@pytest.mark.parametrize(("kind", "seen"), KINDS)
def test_a_fault_before_the_effect_leaves_nothing_done(stocked: Sandbox, kind: dict[str, Any], seen: type[Exception]):
    name = f"/undone/{kind['kind']}"
    with stocked.emulator.faults({"service": "logs", "action": "CreateLogGroup", **kind}), pytest.raises(seen):
        create_group(stocked, name, read_timeout=0.5)
    assert groups(stocked, name) == []


def test_a_delay_after_the_effect_lets_the_answer_through_late(stocked: Sandbox):
    with stocked.emulator.faults({"service": "s3", "action": "GetObject", "seconds": 0.3, "after": True}):
        started = time.monotonic()
        answer = stocked.client("s3").get_object(Bucket=stocked.bucket, Key=costs_key("acme"))
        assert answer["Body"].read() == b"acme"
        assert time.monotonic() - started >= 0.3


def test_a_fault_lets_the_requests_before_the_nth_through(stocked: Sandbox):
    fault = {"service": "logs", "action": "CreateLogGroup", "kind": "error", "after": True, "skip": 2, "times": 1}
    with stocked.emulator.faults(fault):
        create_group(stocked, "/nth/1")
        create_group(stocked, "/nth/2")
        assert stocked.emulator.struck() == [0]
        with refused("ServiceUnavailable"):
            create_group(stocked, "/nth/3")
        assert stocked.emulator.struck() == [1]
        create_group(stocked, "/nth/4")
    assert groups(stocked, "/nth/") == ["/nth/1", "/nth/2", "/nth/3", "/nth/4"]


@pytest.mark.parametrize(("after", "done"), [(False, []), (True, ["/killed/True"])])
def test_a_process_is_known_to_hang_and_is_killed_there(stocked: Sandbox, after: bool, done: list[str]):
    name = f"/killed/{after}"
    create = "import boto3, sys; boto3.client('logs').create_log_group(logGroupName=sys.argv[1])"
    keys = {
        "AWS_ENDPOINT_URL": stocked.aws_endpoint, "AWS_REGION": stocked.region, "AWS_DEFAULT_REGION": stocked.region,
        "AWS_ACCESS_KEY_ID": stocked.root.access_key_id, "AWS_SECRET_ACCESS_KEY": stocked.root.secret_access_key,
    }  # fmt: skip
    fault = {"service": "logs", "action": "CreateLogGroup", "kind": "hang", "after": after, "times": 1}
    with stocked.emulator.faults(fault):
        child = subprocess.Popen([sys.executable, "-c", create, name], env=os.environ | keys)
        try:
            stocked.emulator.wait_struck()
            assert child.poll() is None
        finally:
            child.kill()
            child.wait()
        assert groups(stocked, name) == done
    assert groups(stocked, name) == done


def test_a_fault_that_strikes_nothing_is_not_waited_for_forever(stocked: Sandbox):
    with stocked.emulator.faults({"service": "sts", "kind": "hang"}), pytest.raises(TimeoutError):
        stocked.emulator.wait_struck(timeout_seconds=0.1)
