"""Objects: faults in the middle, what S3 keeps, many versions."""

from collections.abc import Iterator
from typing import Any

import pytest
from fixtures.stores import caller_of
from tenant_management.holdings.world import ALIKE, LEAVER, everything_but, versions
from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.results.errors import Conflict
from tenantscope_sandbox import Sandbox
from tenantscope_tenant_management.sources.holdings.holding import Holding
from tenantscope_tenant_management.sources.holdings.objects import Objects


@pytest.mark.parametrize(
    "fault",
    [
        {"action": "DeleteObject", "kind": "disconnect", "after": True, "times": 1},
        {"action": "DeleteObject", "kind": "error", "times": 2},
        {"action": "ListBucketVersions", "kind": "disconnect", "skip": 1, "times": 1},
    ],
    ids=["effect without an answer", "an error", "a listing that breaks off"],
)
async def test_a_fault_in_the_middle_is_gone_through_and_nothing_is_left(
    town: Sandbox, aws: TenantSession, stores: dict[str, Holding], fault: dict[str, Any]
):
    before = everything_but(town, LEAVER)
    with town.emulator.faults({"service": "s3", **fault}):
        assert await stores["objects"].erase(aws, LEAVER, seconds=30)
    assert (await stores["objects"].held(aws, LEAVER)).count == 0
    assert everything_but(town, LEAVER) == before


async def test_more_versions_than_a_listing_tells_at_once_all_go(
    town: Sandbox, aws: TenantSession, stores: dict[str, Holding]
):
    s3 = town.client("s3")
    for number in range(1_100):
        s3.put_object(Bucket=town.bucket, Key=f"datasets/notes/tenant_id={LEAVER}/{number % 3}", Body=b"x")
    held = await stores["objects"].held(aws, LEAVER)
    assert held.parts["notes"] == 1_102
    assert not await Objects(town.bucket).erase(aws, LEAVER, seconds=0)
    assert await stores["objects"].erase(aws, LEAVER, seconds=30)
    assert (await stores["objects"].held(aws, LEAVER)).count == 0


async def test_a_dataset_of_which_only_older_versions_are_left_of_anyone_is_found(
    vacant: Sandbox, aws: TenantSession, stores: dict[str, Holding]
):
    s3, key = vacant.client("s3"), f"datasets/former/tenant_id={LEAVER}/x"
    s3.put_object(Bucket=vacant.bucket, Key=key, Body=b"x")
    s3.delete_object(Bucket=vacant.bucket, Key=key)
    assert (await stores["objects"].held(aws, LEAVER)).parts == {"former": 2}
    assert await stores["objects"].erase(aws, LEAVER, seconds=30)
    assert not [one for one in versions(vacant) if one["Key"] == key]


async def test_an_object_that_comes_late_is_found_afterwards(
    town: Sandbox, aws: TenantSession, stores: dict[str, Holding]
):
    assert await stores["objects"].erase(aws, LEAVER, seconds=30)
    town.client("s3").put_object(Bucket=town.bucket, Key=f"datasets/usage/tenant_id={LEAVER}/late", Body=b"x")
    assert (await stores["objects"].held(aws, LEAVER)).parts == {"usage": 1}


@pytest.fixture
def locked(small_company: Sandbox) -> Iterator[str]:
    """A bucket whose objects are held against deletion."""
    s3, bucket = small_company.client("s3"), "holdings-locked"
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    yield bucket
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for one in page.get("Versions", []):
            named = {"Bucket": bucket, "Key": one["Key"], "VersionId": one["VersionId"]}
            s3.put_object_legal_hold(**named, LegalHold={"Status": "OFF"})
            s3.delete_object(**named)
    s3.delete_bucket(Bucket=bucket)


async def test_what_a_lock_keeps_is_told_and_not_tried_for_ever(small_company: Sandbox, locked: str):
    key = f"datasets/usage/tenant_id={LEAVER}/x"
    s3 = small_company.client("s3")
    s3.put_object(Bucket=locked, Key=key, Body=b"x", ObjectLockLegalHoldStatus="ON")
    s3.put_object(Bucket=locked, Key=f"datasets/usage/tenant_id={ALIKE[0]}/x", Body=b"x")
    async with caller_of(small_company, LEAVER) as aws:  # the account's root: the bucket is none of the server's
        with pytest.raises(Conflict, match="object lock"):
            await Objects(locked).erase(aws, LEAVER, seconds=30)
        assert (await Objects(locked).held(aws, LEAVER)).count == 1
