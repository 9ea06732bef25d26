"""What the taught emulator serves and refuses, through real signed requests."""

import json
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.exceptions import ClientError
from tenantscope_sandbox import Sandbox
from tenantscope_sandbox.cloud import Credentials
from tenantscope_sandbox.identity.keys import SigningKey

from .conftest import costs_key
from .refusals import refused
from .roles import make_role, session_of


@pytest.fixture(scope="module")
def log_reader(stocked: Sandbox) -> str:
    """A role of no server: a tenant's own log group, and any item of its own by any DynamoDB call."""
    groups = f"arn:aws:logs:{stocked.region}:{stocked.account}:log-group"
    group = f"{groups}:/tenantscope/tenants/${{aws:PrincipalTag/TenantId}}/app"
    table = f"arn:aws:dynamodb:{stocked.region}:{stocked.account}:table/{stocked.table}"
    policy = [
        {"Effect": "Allow", "Action": "logs:FilterLogEvents", "Resource": [group, f"{group}:*"]},
        {
            "Effect": "Allow", "Action": "dynamodb:*", "Resource": [table, f"{table}/index/*"],
            "Condition": {
                "ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["${aws:PrincipalTag/TenantId}"]},
                "Null": {"dynamodb:LeadingKeys": "false"},
            },
        },
    ]  # fmt: skip
    for tenant in ("acme", "acme_corp"):
        stocked.client("logs").create_log_group(logGroupName=f"/tenantscope/tenants/{tenant}/app")
    return make_role(stocked, "log-reader", *policy)


def test_s3_serves_the_own_prefix_and_refuses_every_other(stocked: Sandbox):
    s3 = stocked.client("s3", stocked.assume("cost-explorer", "acme"))
    assert s3.get_object(Bucket=stocked.bucket, Key=costs_key("acme"))["Body"].read() == b"acme"
    for other in (costs_key("acme_corp"), costs_key("globex"), "raw/billing/x", "fleet/allocated_cost/_manifest.json"):
        with refused():
            s3.get_object(Bucket=stocked.bucket, Key=other)
    with refused():
        s3.put_object(Bucket=stocked.bucket, Key=costs_key("acme"), Body=b"")
    with refused():
        s3.list_objects_v2(Bucket=stocked.bucket)
    prefix = "datasets/allocated_cost/tenant_id=acme/"
    assert s3.list_objects_v2(Bucket=stocked.bucket, Prefix=prefix)["KeyCount"] == 1
    with refused():
        s3.list_objects_v2(Bucket=stocked.bucket, Prefix="datasets/allocated_cost/tenant_id=acme")


def test_an_unsigned_request_to_s3_is_refused(stocked: Sandbox):
    anonymous = stocked.client("s3", signature_version=UNSIGNED)
    with refused():
        anonymous.get_object(Bucket=stocked.bucket, Key=costs_key("acme"))


def test_a_wrong_secret_is_refused(stocked: Sandbox):
    forged = Credentials(stocked.execution.access_key_id, "wrong")
    with refused("SignatureDoesNotMatch", "InvalidSignatureException"):
        stocked.client("sts", forged).get_caller_identity()


def test_the_registry_serves_a_tenant_its_own_record_alone(stocked: Sandbox):
    dynamodb = stocked.client("dynamodb", stocked.assume("tenant-management", "acme"))
    assert dynamodb.get_item(TableName=stocked.table, Key={"tenantId": {"S": "acme"}})["Item"]
    for other in ("acme_corp", "globex"):
        with refused():
            dynamodb.get_item(TableName=stocked.table, Key={"tenantId": {"S": other}})
    with refused():
        dynamodb.scan(TableName=stocked.table)
    with refused():
        dynamodb.put_item(TableName=stocked.table, Item={"tenantId": {"S": "acme"}})


def test_the_provider_lists_the_fleet_by_index_without_scan(stocked: Sandbox):
    dynamodb = stocked.client("dynamodb", stocked.assume("tenant-management"))
    for index, key, value in (("allTenants", "recordType", "tenant"), ("byTier", "tier", "growth")):
        found = dynamodb.query(
            TableName=stocked.table, IndexName=index, KeyConditionExpression="#k = :v",
            ExpressionAttributeNames={"#k": key}, ExpressionAttributeValues={":v": {"S": value}},
        )  # fmt: skip
        assert found["Count"] == 3
    with refused():
        dynamodb.scan(TableName=stocked.table)


def test_leading_keys_hold_in_every_call_that_names_keys(stocked: Sandbox, log_reader: str):
    dynamodb, table = session_of(stocked, log_reader, "dynamodb", "acme"), stocked.table
    own, other = {"tenantId": {"S": "acme"}}, {"tenantId": {"S": "globex"}}
    tenant = {":t": {"S": "acme"}, ":o": {"S": "globex"}, ":n": {"S": "x"}}

    def query(value: str) -> Any:
        return dynamodb.query(
            TableName=table, KeyConditionExpression="#t = :t", ExpressionAttributeNames={"#t": "tenantId"},
            ExpressionAttributeValues={":t": tenant[value]},
        )  # fmt: skip

    assert query(":t")["Count"] == 1
    assert dynamodb.batch_get_item(RequestItems={table: {"Keys": [own]}})["Responses"][table]
    assert dynamodb.transact_get_items(TransactItems=[{"Get": {"TableName": table, "Key": own}}])["Responses"]
    assert dynamodb.execute_statement(Statement=f"SELECT * FROM \"{table}\" WHERE tenantId = 'acme'")["Items"]
    update = {"UpdateExpression": "SET note = :n", "ExpressionAttributeValues": {":n": tenant[":n"]}}
    dynamodb.update_item(TableName=table, Key=own, **update)
    parameters = {"Statement": f'SELECT * FROM "{table}" WHERE tenantId = ?', "Parameters": [{"S": "globex"}]}
    legacy = {"AttributeValueList": [{"S": "globex"}], "ComparisonOperator": "EQ"}
    gets = [{"Get": {"TableName": table, "Key": key}} for key in (own, other)]
    asked = [
        lambda: query(":o"),
        lambda: dynamodb.query(TableName=table, KeyConditions={"tenantId": legacy}),
        lambda: dynamodb.update_item(TableName=table, Key=other, **update),
        lambda: dynamodb.delete_item(TableName=table, Key=other),
        lambda: dynamodb.put_item(TableName=table, Item=other),
        lambda: dynamodb.batch_get_item(RequestItems={table: {"Keys": [own, other]}}),
        lambda: dynamodb.batch_write_item(RequestItems={table: [{"DeleteRequest": {"Key": other}}]}),
        lambda: dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": other}}]}),
        lambda: dynamodb.transact_get_items(TransactItems=gets),
        lambda: dynamodb.transact_write_items(TransactItems=[{"Put": {"TableName": table, "Item": other}}]),
        lambda: dynamodb.execute_statement(Statement=f"SELECT * FROM \"{table}\" WHERE tenantId = 'globex'"),
        lambda: dynamodb.execute_statement(Statement=f'SELECT * FROM "{table}"'),
        lambda: dynamodb.execute_statement(Statement=f"SELECT * FROM \"{table}\" WHERE tenantId IN ['acme', 'globex']"),
        lambda: dynamodb.batch_execute_statement(Statements=[parameters]),
        lambda: dynamodb.execute_transaction(TransactStatements=[parameters]),
    ]  # fmt: skip
    for call in asked:
        with refused():
            call()


def test_the_leading_key_of_an_index_query_is_the_indexs_own_hash_key(stocked: Sandbox, log_reader: str):
    """A query of `byTier` for the tier that is spelt like the tenant is served; one for another tier is not."""
    dynamodb = session_of(stocked, log_reader, "dynamodb", "growth")

    def by_tier(tier: str) -> Any:
        return dynamodb.query(
            TableName=stocked.table, IndexName="byTier", KeyConditionExpression="tier = :t AND tenantName >= :n",
            ExpressionAttributeValues={":t": {"S": tier}, ":n": {"S": "A"}},
        )  # fmt: skip

    assert by_tier("growth")["Count"] == 3
    with refused():
        by_tier("enterprise")


def test_logs_serve_the_own_group_and_refuse_the_others(stocked: Sandbox, log_reader: str):
    logs = session_of(stocked, log_reader, "logs", "acme")
    logs.filter_log_events(logGroupName="/tenantscope/tenants/acme/app")
    with refused():
        logs.filter_log_events(logGroupName="/tenantscope/tenants/acme_corp/app")


def test_a_session_without_a_tenant_tag_gets_nothing_from_a_policy_variable(stocked: Sandbox, log_reader: str):
    with refused():
        session_of(stocked, log_reader, "logs", None).filter_log_events(logGroupName="/tenantscope/tenants/acme/app")


def test_a_tenant_tag_with_a_wildcard_opens_nothing(stocked: Sandbox, log_reader: str):
    try:
        logs = session_of(stocked, log_reader, "logs", "*")
    except ClientError:
        return  # as AWS does: no tag may hold a star
    with refused():
        logs.filter_log_events(logGroupName="/tenantscope/tenants/acme/app")


def test_a_session_policy_narrows_the_role(stocked: Sandbox):
    resource = f"arn:aws:s3:::{stocked.bucket}/{costs_key('globex')}"
    policy = {"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": resource}]}
    s3 = stocked.client("s3", stocked.assume("cost-explorer", "acme", policy=json.dumps(policy)))
    for tenant in ("acme", "globex"):
        with refused():
            s3.get_object(Bucket=stocked.bucket, Key=costs_key(tenant))


def test_the_servers_own_identity_reads_nothing(stocked: Sandbox):
    with refused():
        stocked.client("dynamodb", stocked.execution).get_item(TableName=stocked.table, Key={"tenantId": {"S": "acme"}})
    with refused():
        stocked.client("s3", stocked.execution).get_object(Bucket=stocked.bucket, Key=costs_key("acme"))


def test_trust_policies_hold_tenant_sessions_to_a_tenant_and_provider_sessions_to_none(stocked: Sandbox):
    sts = stocked.client("sts", stocked.execution)
    tenant, provider = stocked.role_arn("cost-explorer"), stocked.role_arn("cost-explorer", "provider")
    given = {"RoleSessionName": "test", "ExternalId": stocked.external_id}
    acme, other = {"Key": "TenantId", "Value": "acme"}, {"Key": "Department", "Value": "x"}
    sts.assume_role(RoleArn=tenant, **given, Tags=[acme], SourceIdentity="ana", DurationSeconds=900)
    sts.assume_role(RoleArn=provider, **given)
    with refused():
        sts.assume_role(RoleArn=tenant, **given)
    with refused():
        sts.assume_role(RoleArn=tenant, **given, Tags=[acme, other])
    with refused():
        sts.assume_role(RoleArn=tenant, **{**given, "ExternalId": "wrong"}, Tags=[acme])
    with refused():
        sts.assume_role(RoleArn=provider, **given, Tags=[acme])


def test_web_identity_takes_the_tenant_from_the_token(stocked: Sandbox):
    found = stocked.client("sts").assume_role_with_web_identity(
        RoleArn=stocked.role_arn("tenant-management"), RoleSessionName="test",
        WebIdentityToken=stocked.issuer.token("acme", "growth", algorithm="ES256"),
    )["Credentials"]  # fmt: skip
    keys = Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])
    dynamodb = stocked.client("dynamodb", keys)
    assert dynamodb.get_item(TableName=stocked.table, Key={"tenantId": {"S": "acme"}})["Item"]
    with refused():
        dynamodb.get_item(TableName=stocked.table, Key={"tenantId": {"S": "globex"}})


def test_web_identity_refuses_what_sts_refuses(stocked: Sandbox):
    sts, issuer = stocked.client("sts"), stocked.issuer
    stranger = SigningKey.generate("RS256")
    cases = {
        issuer.token("acme", lifetime_seconds=-60): "ExpiredTokenException",
        issuer.token("acme", audience="https://elsewhere"): "InvalidIdentityToken",
        issuer.token("acme", issuer="https://elsewhere"): "InvalidIdentityToken",
        issuer.token("acme", key=stranger): "InvalidIdentityToken",
        issuer.token("acme", algorithm="none"): "InvalidIdentityToken",
        issuer.token("acme", algorithm="HS256"): "InvalidIdentityToken",
        issuer.token(): "AccessDenied",  # no tenant tag
        "garbage": "InvalidIdentityToken",
    }
    role = stocked.role_arn("tenant-management")
    for token, code in cases.items():
        with refused(code):
            sts.assume_role_with_web_identity(RoleArn=role, RoleSessionName="test", WebIdentityToken=token)
    with refused():
        provider = stocked.role_arn("tenant-management", "provider")
        sts.assume_role_with_web_identity(RoleArn=provider, RoleSessionName="test", WebIdentityToken=issuer.token())
