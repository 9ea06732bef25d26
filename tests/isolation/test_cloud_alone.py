"""Going around our code: with credentials vended for acme, the cloud itself refuses everyone else's data.

Then one layer after the other is taken away. With both gone the same reads succeed, which shows that they can.
"""

import json
from collections.abc import Generator
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError
from fixtures.serving import Served
from isolation.layers import EVERYTHING, NARROW, OTHERS, READS, Account, manifest_of, refused, vended
from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.serving.policies import load_policy
from tenantscope_sandbox import Sandbox

LAYERS = {
    "both layers": ("narrow", NARROW),
    "the role alone": ("narrow", None),
    "the session policy alone": ("wide", NARROW),
}


@pytest.mark.requirement("cloud-holds-alone")
@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("store", READS)
async def test_a_store_serves_acme_its_own_and_nobody_elses(
    served: Served, account: Account, probe_roles: dict[str, str], store: str, layers: str
):
    role, document = LAYERS[layers]
    read = READS[store]
    async with account.session(served, probe_roles[role], document) as aws:
        assert "acme" in await read(account.sandbox, aws, "acme")
        for other in OTHERS:
            await refused(read(account.sandbox, aws, other))


@pytest.mark.requirement("cloud-holds-alone")
@pytest.mark.parametrize("store", READS)
async def test_with_both_layers_gone_the_same_read_opens_another_tenant(
    served: Served, account: Account, probe_roles: dict[str, str], store: str
):
    async with account.session(served, probe_roles["wide"], None) as aws:
        for other in OTHERS:
            assert other in await READS[store](account.sandbox, aws, other)


@pytest.mark.requirement("cloud-holds-alone")
@pytest.mark.parametrize("layers", LAYERS)
async def test_nobody_elses_data_can_be_written_or_swept_up_either(
    served: Served, account: Account, probe_roles: dict[str, str], layers: str
):
    role, document = LAYERS[layers]
    sandbox = account.sandbox
    async with account.session(served, probe_roles[role], document) as aws:
        await _refused_to_sweep(sandbox, aws)
        key = {"tenantId": {"S": "globex"}}
        await refused(aws.call("s3", "put_object", Bucket=sandbox.bucket, Key=manifest_of("globex"), Body=b"{}"))
        await refused(aws.call("dynamodb", "put_item", TableName=sandbox.table, Item=key))
        await refused(aws.call("dynamodb", "delete_item", TableName=sandbox.table, Key=key))


@pytest.mark.requirement("cloud-holds-alone")
async def test_the_session_that_a_server_vends_opens_its_own_tenant_and_no_other(served: Served):
    """Every object and every record of anyone else, whatever servers keep them."""
    async with vended(served) as aws:
        assert "acme" in await READS["dynamodb"](served.sandbox, aws, "acme")
        await _refused_everywhere(served.sandbox, aws)
        await _refused_to_sweep(served.sandbox, aws)


@pytest.mark.requirement("cloud-holds-alone")
async def test_a_servers_role_alone_holds_without_its_session_policy(served: Served, account: Account):
    async with account.session(served, served.sandbox.role_arn(served.spec.name), None) as aws:
        assert "acme" in await READS["dynamodb"](served.sandbox, aws, "acme")
        await _refused_everywhere(served.sandbox, aws)
        await _refused_to_sweep(served.sandbox, aws)


@pytest.mark.requirement("cloud-holds-alone")
async def test_a_servers_session_policy_alone_holds_on_a_widened_role(served: Served):
    with _widened(served.sandbox, served.sandbox.role_arn(served.spec.name)):
        async with vended(served) as aws:
            assert "acme" in await READS["dynamodb"](served.sandbox, aws, "acme")
            await _refused_everywhere(served.sandbox, aws)
            await _refused_to_sweep(served.sandbox, aws)


@pytest.mark.requirement("cloud-holds-alone")
async def test_on_a_widened_role_without_a_session_policy_everything_is_open(served: Served, account: Account):
    role = served.sandbox.role_arn(served.spec.name)
    with _widened(served.sandbox, role):
        async with account.session(served, role, None) as aws:
            for store in ("s3", "dynamodb"):
                assert "globex" in await READS[store](served.sandbox, aws, "globex")


@pytest.mark.requirement("cloud-holds-alone")
async def test_a_vended_session_cannot_become_another_tenants(served: Served, account: Account):
    async with vended(served) as aws:
        await refused(
            aws.call(
                "sts",
                "assume_role",
                RoleArn=served.sandbox.role_arn(served.spec.name),
                RoleSessionName="other",
                ExternalId=served.sandbox.external_id,
                Tags=[{"Key": "TenantId", "Value": "globex"}],
            )
        )


@pytest.mark.requirement("own-identity-opens-nothing")
def test_the_servers_own_identity_opens_no_data(small_company: Sandbox):
    own = small_company.execution
    with pytest.raises(ClientError, match="AccessDenied"):
        small_company.client("s3", own).get_object(Bucket=small_company.bucket, Key=manifest_of("acme"))
    dynamodb = small_company.client("dynamodb", own)
    with pytest.raises(ClientError, match="AccessDenied"):
        dynamodb.get_item(TableName=small_company.table, Key={"tenantId": {"S": "acme"}})
    with pytest.raises(ClientError, match="AccessDenied"):
        dynamodb.scan(TableName=small_company.table)


@pytest.mark.requirement("own-identity-opens-nothing")
async def test_a_role_is_had_with_one_tenant_the_external_id_and_nothing_else(served: Served):
    sandbox, name = served.sandbox, served.spec.name
    sts = sandbox.client("sts", sandbox.execution)
    given = {"RoleSessionName": "test", "ExternalId": sandbox.external_id}
    acme = {"Key": "TenantId", "Value": "acme"}
    tenant, provider = sandbox.role_arn(name), sandbox.role_arn(name, "provider")
    assert sts.assume_role(RoleArn=tenant, Tags=[acme], **given)["Credentials"]
    assert sts.assume_role(RoleArn=provider, **given)["Credentials"]
    for refused_parameters in (
        {"RoleArn": tenant, **given},
        {"RoleArn": tenant, **given, "Tags": [{"Key": "TenantTier", "Value": "growth"}]},
        {"RoleArn": tenant, **given, "Tags": [acme, {"Key": "Admin", "Value": "yes"}]},
        {"RoleArn": tenant, **given, "Tags": [acme], "ExternalId": "another"},
        {"RoleArn": tenant, "RoleSessionName": "test", "Tags": [acme]},
        {"RoleArn": provider, **given, "Tags": [acme]},
        {"RoleArn": provider, **given, "ExternalId": "another"},
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            sts.assume_role(**refused_parameters)


@pytest.mark.requirement("cloud-holds-alone")
async def test_a_servers_policy_names_the_tenant_wherever_it_opens_data(served: Served):
    """Nothing that holds tenants' data is opened without the tenant's tag in the resource or the condition.

    But for users, whom IAM cannot tell apart within a pool: see the server's own tests of them.
    """
    for statement in load_policy(served.spec.package, "policy.json")["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        if all(action.startswith("cognito-idp:") for action in actions):
            continue
        if any(
            action.startswith(("dynamodb:", "logs:")) or "Object" in action or "List" in action for action in actions
        ):
            assert "${aws:PrincipalTag/TenantId}" in json.dumps(statement), statement["Sid"]


async def _refused_everywhere(sandbox: Sandbox, aws: TenantSession) -> None:
    keys = [item["Key"] for item in sandbox.client("s3").list_objects_v2(Bucket=sandbox.bucket)["Contents"]]
    foreign = [key for key in keys if "/tenant_id=acme/" not in key]
    assert [key for key in foreign if "tenant_id=globex/" in key]
    assert [key for key in foreign if key.startswith("fleet/")]
    for key in foreign:
        await refused(aws.call("s3", "get_object", Bucket=sandbox.bucket, Key=key))
    for other in OTHERS:
        await refused(READS["dynamodb"](sandbox, aws, other))
        await refused(aws.call("s3", "list_objects_v2", Bucket=sandbox.bucket, Prefix=manifest_of(other)))


async def _refused_to_sweep(sandbox: Sandbox, aws: TenantSession) -> None:
    """What would read many tenants at once, or acme's neighbours by their common beginning."""
    both = {sandbox.table: {"Keys": [{"tenantId": {"S": tenant}} for tenant in ("acme", "globex")]}}
    await refused(aws.call("dynamodb", "batch_get_item", RequestItems=both))
    await refused(aws.call("dynamodb", "scan", TableName=sandbox.table))
    index = {"IndexName": "allTenants", "KeyConditionExpression": "recordType = :t"}
    values = {":t": {"S": "tenant"}}
    await refused(aws.call("dynamodb", "query", TableName=sandbox.table, **index, ExpressionAttributeValues=values))
    for prefix in ("", "datasets/", "datasets/allocated_cost/tenant_id=acme"):
        await refused(aws.call("s3", "list_objects_v2", Bucket=sandbox.bucket, Prefix=prefix))


@contextmanager
def _widened(sandbox: Sandbox, role_arn: str) -> Generator[None]:
    """A role that allows everything for a block, beside what it allows already."""
    role, iam = role_arn.rpartition("/")[2], sandbox.client("iam")
    iam.put_role_policy(RoleName=role, PolicyName="widened", PolicyDocument=json.dumps(EVERYTHING))
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="widened")
