"""Faults strike what they name, and the request log shows what reached the cloud."""

import time
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from tenantscope_sandbox import Sandbox

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
