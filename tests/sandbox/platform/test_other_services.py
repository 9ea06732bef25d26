"""Users, events, versions of objects and logs: what a tenant's life needs beside the registry, held to its resource."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tenantscope_sandbox import Sandbox
from tenantscope_sandbox.cloud import Credentials

from .refusals import refused
from .roles import make_role

Narrowed = Callable[..., Any]
BUCKET, BUS = "versions", "lifecycle"
OWN, OTHER = "d/tenant_id=acme/", "d/tenant_id=acme_corp/"


@pytest.fixture(scope="module")
def narrowed(stocked: Sandbox) -> Narrowed:
    """Clients of a role that may do anything, in a session that may do one thing."""
    role = make_role(stocked, "wide", {"Effect": "Allow", "Action": "*", "Resource": "*"})
    sts = stocked.client("sts", stocked.execution)

    def client(
        prefix: str, actions: list[str], resource: str, condition: dict[str, Any] | None = None, service: str = ""
    ) -> Any:
        statement = {"Effect": "Allow", "Action": [f"{prefix}:{action}" for action in actions], "Resource": resource}
        policy = json.dumps({"Statement": [statement | ({"Condition": condition} if condition else {})]})
        found = sts.assume_role(RoleArn=role, RoleSessionName="test", Policy=policy)["Credentials"]
        keys = Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])
        return stocked.client(service or prefix, keys)

    return client


def arn(sandbox: Sandbox, service: str, resource: str) -> str:
    return f"arn:aws:{service}:{sandbox.region}:{sandbox.account}:{resource}"


USER = {"Username": "bo@acme.example"}
OF_A_POOL: list[tuple[str, dict[str, Any]]] = [
    ("CreateGroup", {"GroupName": "acme"}),
    ("AdminCreateUser", {**USER, "MessageAction": "SUPPRESS"}),
    ("AdminAddUserToGroup", {**USER, "GroupName": "acme"}),
    ("ListUsersInGroup", {"GroupName": "acme"}),
    ("AdminListGroupsForUser", USER),
    ("AdminDisableUser", USER),
    ("AdminEnableUser", USER),
    ("AdminUserGlobalSignOut", USER),
    ("AdminUpdateUserAttributes", {**USER, "UserAttributes": [{"Name": "name", "Value": "Bo"}]}),
    ("AdminRemoveUserFromGroup", {**USER, "GroupName": "acme"}),
    ("AdminDeleteUser", USER),
    ("DeleteGroup", {"GroupName": "acme"}),
]


def test_users_and_groups_are_held_to_their_pool(stocked: Sandbox, narrowed: Narrowed):
    pool, another = stocked.outputs["UserPoolId"], "another"
    for action, options in OF_A_POOL:
        method = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in action)[1:]
        other = narrowed("cognito-idp", [action], arn(stocked, "cognito-idp", f"userpool/{another}"))
        with refused():
            getattr(other, method)(UserPoolId=pool, **options)
        own = narrowed("cognito-idp", [action], arn(stocked, "cognito-idp", f"userpool/{pool}"))
        getattr(own, method)(UserPoolId=pool, **options)


def test_a_users_tenant_is_written_once_and_only_what_the_schema_knows(stocked: Sandbox):
    cognito, pool = stocked.client("cognito-idp"), stocked.outputs["UserPoolId"]
    user = {"UserPoolId": pool, "Username": "cy@acme.example"}
    tenant = {"Name": "custom:tenantId", "Value": "acme"}
    with refused("InvalidParameterException"):
        cognito.admin_create_user(**user, UserAttributes=[{"Name": "custom:unknown", "Value": "x"}])
    cognito.admin_create_user(**user, UserAttributes=[tenant], MessageAction="SUPPRESS")
    with refused("UsernameExistsException"):
        cognito.admin_create_user(**user, UserAttributes=[tenant], MessageAction="SUPPRESS")
    with refused("InvalidParameterException"):
        cognito.admin_update_user_attributes(**user, UserAttributes=[{**tenant, "Value": "globex"}])
    cognito.admin_update_user_attributes(**user, UserAttributes=[{"Name": "custom:tenantTier", "Value": "growth"}])
    found = {each["Name"]: each["Value"] for each in cognito.admin_get_user(**user)["UserAttributes"]}
    assert (found["custom:tenantId"], found["custom:tenantTier"]) == ("acme", "growth")
    cognito.admin_delete_user(**user)


def test_events_are_held_to_their_bus_source_and_detail_type_and_reach_a_queue(stocked: Sandbox, narrowed: Narrowed):
    events, sqs = stocked.client("events"), stocked.client("sqs")
    bus = events.create_event_bus(Name=BUS)["EventBusArn"]
    queue = sqs.create_queue(QueueName=BUS)["QueueUrl"]
    target = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="all", EventBusName=BUS, EventPattern=json.dumps({"source": [{"prefix": ""}]}))
    events.put_targets(Rule="all", EventBusName=BUS, Targets=[{"Id": "queue", "Arn": target}])
    condition = {
        "StringEquals": {"events:source": "control"},
        "ForAllValues:StringEquals": {"events:detail-type": ["onboarded", "offboarded"]},
        "Null": {"events:detail-type": "false"},
    }
    client = narrowed("events", ["PutEvents"], bus, condition)

    def event(source: str = "control", kind: str = "onboarded", bus_name: str = BUS) -> dict[str, Any]:
        return {"Source": source, "DetailType": kind, "Detail": '{"tenantId": "acme"}', "EventBusName": bus_name}

    assert client.put_events(Entries=[event(), event(kind="offboarded")])["FailedEntryCount"] == 0
    for entries in (
        [event("other")],
        [event(), event("other")],
        [event(kind="other")],
        [event(), event(kind="other")],
        [event(bus_name="default")],
        [event(), event(bus_name="default")],
    ):
        with refused():
            client.put_events(Entries=entries)
    received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert sorted(json.loads(each["Body"])["detail-type"] for each in received) == ["offboarded", "onboarded"]


def test_versions_are_listed_and_deleted_below_the_own_prefix_alone(stocked: Sandbox, narrowed: Narrowed):
    s3 = stocked.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    for prefix in (OWN, OTHER):
        for body in (b"1", b"2"):
            s3.put_object(Bucket=BUCKET, Key=f"{prefix}k", Body=body)
    s3.delete_object(Bucket=BUCKET, Key=f"{OWN}k")
    bucket, objects = f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/{OWN}*"
    lister = narrowed("s3", ["ListBucketVersions"], bucket, {"StringLike": {"s3:prefix": f"{OWN}*"}})
    found = lister.list_object_versions(Bucket=BUCKET, Prefix=OWN)
    for prefix in (OTHER, "d/", ""):
        with refused():
            lister.list_object_versions(Bucket=BUCKET, Prefix=prefix)
    with refused():
        narrowed("s3", ["ListBucket"], bucket).list_object_versions(Bucket=BUCKET, Prefix=OWN)
    versions = [
        {"Key": each["Key"], "VersionId": each["VersionId"]} for each in found["Versions"] + found["DeleteMarkers"]
    ]
    (strange, *_) = s3.list_object_versions(Bucket=BUCKET, Prefix=OTHER)["Versions"]
    stranger = {"Key": strange["Key"], "VersionId": strange["VersionId"]}
    deleter = narrowed("s3", ["DeleteObjectVersion"], objects)
    with refused():
        narrowed("s3", ["DeleteObject"], objects).delete_objects(Bucket=BUCKET, Delete={"Objects": versions})
    for mixed in ([stranger, *versions], [*versions, stranger]):
        with refused():
            deleter.delete_objects(Bucket=BUCKET, Delete={"Objects": mixed})
    with refused():
        deleter.delete_object(Bucket=BUCKET, Key=f"{OWN}k")
    deleter.delete_object(Bucket=BUCKET, **versions[0])
    deleter.delete_objects(Bucket=BUCKET, Delete={"Objects": versions[1:]})
    assert (
        "Versions" not in (left := s3.list_object_versions(Bucket=BUCKET, Prefix=OWN)) and "DeleteMarkers" not in left
    )
    assert len(s3.list_object_versions(Bucket=BUCKET, Prefix=OTHER)["Versions"]) == 2


def test_a_copy_needs_both_prefixes(stocked: Sandbox, narrowed: Narrowed):
    s3 = stocked.client("s3")
    s3.create_bucket(Bucket="copies")
    for prefix in (OWN, OTHER):
        s3.put_object(Bucket="copies", Key=f"{prefix}k", Body=b"")
    own = narrowed("s3", ["GetObject", "PutObject"], f"arn:aws:s3:::copies/{OWN}*")
    own.copy_object(Bucket="copies", Key=f"{OWN}copy", CopySource={"Bucket": "copies", "Key": f"{OWN}k"})
    for source, target in ((OTHER, OWN), (OWN, OTHER)):
        with refused():
            own.copy_object(Bucket="copies", Key=f"{target}z", CopySource={"Bucket": "copies", "Key": f"{source}k"})


def test_log_groups_and_streams_are_deleted_by_name_and_groups_listed_on_all_of_them(
    stocked: Sandbox, narrowed: Narrowed
):
    logs = stocked.client("logs")
    for group in ("/life/acme", "/life/acme_corp", "/life/pool"):
        logs.create_log_group(logGroupName=group)
    for stream in ("acme", "acme_corp"):
        logs.create_log_stream(logGroupName="/life/pool", logStreamName=stream)
    own_group, own_stream = "log-group:/life/acme", "log-group:/life/pool:log-stream:acme"
    by_group = narrowed("logs", ["DeleteLogGroup", "DescribeLogGroups"], arn(stocked, "logs", own_group))
    by_stream = narrowed("logs", ["DeleteLogStream", "PutLogEvents"], arn(stocked, "logs", own_stream))
    with refused():
        by_group.delete_log_group(logGroupName="/life/acme_corp")
    with refused():
        by_group.describe_log_groups(logGroupNamePrefix="/life/acme")
    with refused():
        by_stream.delete_log_stream(logGroupName="/life/pool", logStreamName="acme_corp")
    by_group.delete_log_group(logGroupName="/life/acme")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        by_group.delete_log_group(logGroupName="/life/acme")
    by_stream.delete_log_stream(logGroupName="/life/pool", logStreamName="acme")
    lister = narrowed("logs", ["DescribeLogGroups"], arn(stocked, "logs", "log-group:*"))
    found = lister.describe_log_groups(logGroupNamePrefix="/life/acme")["logGroups"]
    assert [group.get("logGroupName") for group in found] == ["/life/acme_corp"]


def test_tagged_resources_come_in_pages_and_each_once(stocked: Sandbox, narrowed: Narrowed):
    tags = {"TenantId": "paged"}
    for number in range(3):
        stocked.client("sqs").create_queue(QueueName=f"paged-{number}", tags=tags)
        stocked.client("logs").create_log_group(logGroupName=f"/paged/{number}", tags=tags)
    stocked.client("sqs").create_queue(QueueName="untagged")
    client = narrowed("tag", ["GetResources"], "*", service="resourcegroupstaggingapi")
    pages = client.get_paginator("get_resources")
    options = {"TagFilters": [{"Key": "TenantId", "Values": ["paged"]}]}
    found = [page["ResourceTagMappingList"] for page in pages.paginate(ResourcesPerPage=4, **options)]
    assert [len(page) for page in found] == [4, 2]
    arns = {each["ResourceARN"] for page in found for each in page}
    assert arns == {
        arn(stocked, *kind) for number in range(3)
        for kind in (("sqs", f"paged-{number}"), ("logs", f"log-group:/paged/{number}"))
    }  # fmt: skip
    of_a_type = client.get_resources(ResourceTypeFilters=["logs:log-group"], **options)["ResourceTagMappingList"]
    assert len(of_a_type) == 3
    everything = client.get_resources()["ResourceTagMappingList"]
    assert arn(stocked, "sqs", "untagged") not in {each["ResourceARN"] for each in everything}
    with refused():
        narrowed("tag", ["GetTagKeys"], "*", service="resourcegroupstaggingapi").get_resources(**options)
