"""What an ARN tells of a resource: service, type, name and place.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
"""

import re
from dataclasses import dataclass

GLOBAL = "global"
UNKNOWN = "unknown"
_UNTYPED = {"s3": "bucket", "sqs": "queue", "sns": "topic", "codepipeline": "pipeline", "codecommit": "repository"}
"""Services that write a resource's name alone, and what it is then."""
_PARTS_OF_UNTYPED = {"s3": "object", "sns": "subscription", "codepipeline": "stage"}
"""What a name with something behind it is, there."""
_IN_THE_REGION_ASKED = {"s3"}
"""Services whose ARNs name no region, and whose resources are listed in the one they are in."""
_ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)")
_WORD = re.compile(r"[A-Za-z0-9.-]{1,63}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where was looked: what an ARN leaves out is from there."""

    region: str
    account: str


@dataclass(frozen=True, slots=True)
class Named:
    """A resource by what its ARN says; `type` is `service:kind`, `name` never holds a whole account id."""

    service: str
    type: str
    name: str
    region: str
    account: str


def read(arn: str, place: Place) -> Named:
    """The parts of an ARN. One that cannot be read is a resource of an unknown type without a name, and never shown."""
    parts = arn.split(":", 5)
    if len(parts) < 6 or parts[0] != "arn" or not _WORD.fullmatch(parts[2]) or not parts[5]:
        return Named(UNKNOWN, f"{UNKNOWN}:resource", "unnamed", place.region, place.account)
    service, region, account, resource = parts[2:]
    kind, name = _kind_and_name(service, resource.lstrip("/"))
    if not region:
        region = place.region if service in _IN_THE_REGION_ASKED else GLOBAL
    owner = account if account.isdigit() else place.account
    hidden = name.replace(owner, last_digits(owner)).replace(place.account, last_digits(place.account))
    hidden = _ACCOUNT.sub(lambda match: last_digits(match[0]), hidden)
    return Named(service, f"{service}:{kind}", hidden, region, owner)


def last_digits(account: str) -> str:
    """An account as it is shown: enough for who knows it, too little for who does not."""
    return f"…{account[-4:]}"


def _kind_and_name(service: str, resource: str) -> tuple[str, str]:
    found = re.match(r"([^:/]+)[:/](.+)", resource, re.DOTALL)
    if service in _UNTYPED and not (service == "s3" and resource.startswith("accesspoint/")):
        part = _PARTS_OF_UNTYPED.get(service)
        return (part, resource) if found and part else (_UNTYPED[service], resource)
    if found is None:
        return "resource", resource
    return found[1], found[2].removesuffix(":*")
