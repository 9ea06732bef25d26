"""What runs for a tenant: tagged resources told apart by type, place and whose they are, counted and paged."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tenantscope_tenant_management.arns import Named, Place, read

Placement = Literal["silo", "pool"]
OTHER = "other"
MOST_KINDS = 12
_STATE = re.compile(r"[A-Za-z][A-Za-z0-9 _-]{0,30}")
_LONGEST_IN_KEY = 128


@dataclass(frozen=True, slots=True)
class Marks:
    """How resources are marked: the tag that says whose they are, its value on shared ones, the tag of their state."""

    tag: str
    pool: str
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource; `key` orders it among all others and holds nothing but what is shown, and a digest."""

    named: Named
    placement: Placement
    state: str | None
    digest: str

    @property
    def key(self) -> tuple[str, ...]:
        """The tenant's own first, then by type, region and name."""
        rank = "0" if self.placement == "silo" else "1"
        return (rank, self.named.type, self.named.region, self.named.name[:_LONGEST_IN_KEY], self.digest)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which resources are asked for; None leaves a criterion open. `type` is a service or `service:kind`."""

    type: str | None = None
    region: str | None = None
    placement: Placement | None = None

    @property
    def service(self) -> str | None:
        """The service of the type."""
        return None if self.type is None else self.type.partition(":")[0]

    def takes(self, resource: Resource) -> bool:
        """Whether a resource is meant."""
        named = resource.named
        return (
            self.type in (None, named.service, named.type)
            and self.region in (None, named.region)
            and self.placement in (None, resource.placement)
        )


def values_asked(tenant: str, marks: Marks, wanted: Wanted, *, sees_pool: bool) -> list[str]:
    """The values of the tag to ask for: the tenant's, and for who sees it the pool's."""
    both: dict[Placement, str] = {"silo": tenant, "pool": marks.pool} if sees_pool else {"silo": tenant}
    return [value for placement, value in both.items() if wanted.placement in (None, placement)]


def resource(found: Mapping[str, Any], asked: Sequence[str], marks: Marks, place: Place) -> Resource | None:
    """An entry of the Tagging API's list; None unless it bears the tag with exactly one of the values asked for."""
    tags = {str(tag["Key"]): str(tag["Value"]) for tag in found.get("Tags", [])}
    value = tags.get(marks.tag)
    if value is None or value not in asked:
        return None
    arn = str(found["ResourceARN"])
    state = tags.get(marks.state) if marks.state is not None else None
    return Resource(
        named=read(arn, place),
        placement="pool" if value == marks.pool else "silo",
        state=state if state is not None and _STATE.fullmatch(state) else None,
        digest=hashlib.sha256(arn.encode()).hexdigest()[:16],
    )


def counts(names: Iterable[str]) -> dict[str, int]:
    """How many of each, the most first, the rest as `other`: they sum to all."""
    ranked = sorted(Counter(names).items(), key=lambda each: (-each[1], each[0]))
    shown, rest = ranked[:MOST_KINDS], ranked[MOST_KINDS:]
    return dict(shown) | ({OTHER: sum(number for _, number in rest)} if rest else {})


def following(found: Iterable[Resource], after: Sequence[str] | None) -> list[Resource]:
    """Resources in order, from behind a key on: what came or went meanwhile moves nothing else."""
    ordered = sorted(found, key=lambda each: each.key)
    return ordered if after is None else [each for each in ordered if each.key > tuple(after)]
