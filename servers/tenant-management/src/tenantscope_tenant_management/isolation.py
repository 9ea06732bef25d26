"""What keeps a caller to its own data at this server, read from the policies and settings in force."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tenantscope_core.results.statuses import FELT_WITHIN_SECONDS

from tenantscope_tenant_management.caller_answers import IsolationLayer
from tenantscope_tenant_management.policy_reading import (
    EVENTS,
    JOURNAL,
    LOGS,
    OBJECTS,
    REGISTRY,
    TAGS,
    USERS,
    Opened,
    opened,
)

Broker = Literal["assume-role", "web-identity"]
Document = Mapping[str, Any]

_KEY = "tenantId"
_REFUSED = {
    OBJECTS: "S3 refuses what does not lie below this tenant's own prefix",
    LOGS: "CloudWatch refuses log groups of others",
}
_OURS = {
    REGISTRY: "this server builds each key from the tenant",
    JOURNAL: "this server builds each key from the tenant",
    USERS: "this server keeps to the tenant's group and its users",
    EVENTS: "this server names the tenant in each event",
    TAGS: "this server asks for the tenant's tag, and looks at each resource's again",
}
"""What this server does where IAM does nothing."""
_GRANTED = {USERS: "IAM opens the whole pool", EVENTS: "IAM opens the whole bus", TAGS: "IAM cannot narrow this"}


@dataclass(frozen=True, slots=True)
class Setup:
    """How this server is set up: its policy documents, its broker, and the stores that it has none of."""

    broker: Broker
    tenant: Document
    provider: Document
    admin: Document | None = None
    without: Collection[str] = field(default=())
    has_fleet: bool = True
    has_rows: bool = False
    has_cache: bool = False


def of_tenant(setup: Setup, *, holds: bool | None) -> list[IsolationLayer]:
    """The layers for a tenant's caller. `holds` is whether AWS refused its session another key, None if not tried."""
    namer = (
        "the issuer, by AssumeRoleWithWebIdentity" if setup.broker == "web-identity" else "this server, by AssumeRole"
    )
    named = _cloud("credentials", f"a role tagged with the tenant by {namer}, and a session policy that names it")
    layers = [named, *_of_policy(setup, setup.tenant)]
    if holds is False:
        layers = [_not_in_force(layer) for layer in layers]
    elif holds:
        layers = [_proven(layer) if layer.layer == REGISTRY else layer for layer in layers]
    return [
        _server("tenant", "taken from the verified token; no argument or header can change it"),
        *layers,
        _server(
            "suspension",
            f"refused unless the registry says active or trial; a change is felt within {FELT_WITHIN_SECONDS} seconds, "
            "or 15 minutes while the registry cannot be read",
        ),
    ]


def of_provider(setup: Setup) -> list[IsolationLayer]:
    """What the provider's sessions reach: the fleet's plainly, and what holds one for a single tenant to it."""
    document = setup.tenant if setup.admin is None else setup.admin
    role = "that tenant's role" if setup.admin is None else "the admin role"
    alone = [layer.model_copy(update={"layer": f"{layer.layer} of one tenant"}) for layer in _of_admin(setup, document)]
    return [
        _server("tenant", "a provider's token names no tenant; each call says which tenant it is about"),
        *_of_fleet(setup),
        _cloud("credentials of one tenant", f"{role}, tagged with it, and a session policy that names it"),
        *alone,
    ]


def _of_policy(setup: Setup, document: Document) -> Iterator[IsolationLayer]:
    """For each store that a policy opens to a tenant's session: what AWS refuses, and what it leaves to us."""
    for store, statements in _by_store(setup, document).items():
        narrowed = [each for each in statements if each.is_narrowed]
        if narrowed:
            yield _cloud(store, _refused(store, narrowed))
        rest = sorted({action for each in statements if not each.is_narrowed for action in each.actions})
        if rest:
            granted = _GRANTED.get(store) or f"IAM opens all tenants' to {', '.join(rest)}"
            yield _server(store, f"{granted}; {_OURS.get(store, 'this server asks for the tenant alone')}")


def _of_admin(setup: Setup, document: Document) -> Iterator[IsolationLayer]:
    yield from _of_policy(setup, document)
    if setup.has_rows:
        yield IsolationLayer(
            layer="rows", enforced_by="database", how="PostgreSQL's row-level security, the tenant set per transaction"
        )
    if setup.has_cache:
        yield _server("cache", "Valkey lets this server at all keys; it builds each behind the tenant's prefix")


def _of_fleet(setup: Setup) -> Iterator[IsolationLayer]:
    if not setup.has_fleet:
        yield _server("credentials", "none for the fleet: without a provider role, this server asks nothing about it")
        return
    yield _cloud("credentials", "for the fleet this server's provider role, by AssumeRole, without a tenant tag")
    for store, statements in _by_store(setup, setup.provider).items():
        actions = sorted({action.partition(":")[2] for each in statements for action in each.actions})
        writes = [each for each in statements if each.writes]
        scans = not {"Scan", "*"} & set(actions)
        yield _cloud(
            store,
            f"every tenant's, by {', '.join(actions)}"
            + (" and no Scan" if store in (REGISTRY, JOURNAL) and scans else "")
            + _attributes(writes, "; names no attributes but "),
        )


def _refused(store: str, narrowed: Sequence[Opened]) -> str:
    if store not in (REGISTRY, JOURNAL):
        return _REFUSED.get(store, "AWS refuses what does not bear this tenant's name")
    common = sorted({key for each in narrowed for key in each.common})
    but = f", but {', '.join(common)} that all may read" if common else ""
    writes = [each for each in narrowed if each.writes]
    return (
        f"DynamoDB refuses keys that do not lead with this tenant (dynamodb:LeadingKeys){but}"
        + ("" if writes else "; and all writes")
        + _attributes(writes, "; and writes that name attributes other than ")
    )


def _attributes(writes: Sequence[Opened], words: str) -> str:
    """What writes are held to, where each of them is."""
    held = [each.attributes for each in writes]
    if not held or None in held:
        return ""
    return words + ", ".join(sorted({name for names in held for name in names or [] if name != _KEY}))


def _by_store(setup: Setup, document: Document) -> dict[str, list[Opened]]:
    found: dict[str, list[Opened]] = {}
    for each in opened(document):
        if each.store not in setup.without:
            found.setdefault(each.store, []).append(each)
    return found


def _proven(layer: IsolationLayer) -> IsolationLayer:
    return layer.model_copy(update={"verified": True}) if layer.enforced_by == "cloud" else layer


def _not_in_force(layer: IsolationLayer) -> IsolationLayer:
    """A layer of the cloud as it is where AWS let the session at a key that its policy refuses."""
    if layer.enforced_by != "cloud":
        return layer
    ours = _OURS.get(layer.layer, "only this server's own filter holds")
    if layer.layer != REGISTRY:
        return _server(layer.layer, f"not to be relied on, for the registry's is not in force; {ours}")
    how = f"NOT in force in the cloud: AWS let this session ask for a key that is not this tenant's; {ours}"
    return IsolationLayer(layer=layer.layer, enforced_by="server", how=how, verified=False)


def _cloud(layer: str, how: str) -> IsolationLayer:
    return IsolationLayer(layer=layer, enforced_by="cloud", how=how)


def _server(layer: str, how: str) -> IsolationLayer:
    return IsolationLayer(layer=layer, enforced_by="server", how=how)
