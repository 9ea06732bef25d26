"""What runs in the account, by tag: the silo tenant's own, and what all the others share."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .tenants import SILO_TENANT

TAG, POOL = "TenantId", "pool"
OF_THE_SILO = ("bookings", "itineraries")
SHARED = ("bookings", "search-requests")

Client = Callable[[str], Any]


def put_resources(client: Client) -> None:
    """Make a few queues, tables and a bucket with their tags; what is there already stays."""
    for owner, prefix, names in ((SILO_TENANT, "wayfarer-skyline", OF_THE_SILO), (POOL, "wayfarer", SHARED)):
        tags = {TAG: owner}
        for name in names:
            client("sqs").create_queue(QueueName=f"{prefix}-{name}", tags=tags)
        _put_table(client("dynamodb"), f"{prefix}-{names[0]}", tags)
    s3, bucket = client("s3"), "wayfarer-skyline-documents"
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": TAG, "Value": SILO_TENANT}]})


def _put_table(dynamodb: Any, name: str, tags: dict[str, str]) -> None:
    with suppress(dynamodb.exceptions.ResourceInUseException):
        dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )
