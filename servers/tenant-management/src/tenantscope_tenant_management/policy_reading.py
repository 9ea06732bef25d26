"""What an IAM policy document of this server opens, and what in it narrows that to one tenant.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_multi-value-conditions.html
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

TENANT = "${aws:PrincipalTag/TenantId}"
REGISTRY, JOURNAL, OBJECTS, LOGS, USERS, EVENTS, TAGS = (
    "registry", "journal", "objects", "logs", "users", "events", "resource tags",
)  # fmt: skip
_STORES = {"s3": OBJECTS, "logs": LOGS, "cognito-idp": USERS, "events": EVENTS, "tag": TAGS}
_TABLES = {"${TenantsTable}": REGISTRY, "${JournalTable}": JOURNAL}
_LEADING, _ATTRIBUTES = "dynamodb:LeadingKeys", "dynamodb:Attributes"
_BOUNDED = re.compile(r"(?:^|[^A-Za-z0-9_*?-])" + re.escape(TENANT) + r"(?:[^A-Za-z0-9_*?-]|$)")
_COMMON_KEY = re.compile(r":[a-z-]+")
"""A key that no tenant can have, for no tenant id holds a colon."""
_FOLDER = re.compile(r"[a-z0-9_-]+/")
_WRITES = re.compile(r"dynamodb:(?:Put|Update|Delete|BatchWrite|PartiQL(?:Insert|Update|Delete)|\*)")


@dataclass(frozen=True, slots=True)
class Opened:
    """What one statement opens of one store. `common` are keys that it opens to every tenant alike.

    `attributes` are those that it lets be named at all; None for any.
    """

    store: str
    actions: Sequence[str]
    is_narrowed: bool
    common: Sequence[str] = ()
    attributes: Sequence[str] | None = None

    @property
    def writes(self) -> bool:
        """Whether one of its actions writes to a table."""
        return any(_WRITES.match(action) for action in self.actions)


def opened(document: Mapping[str, Any]) -> Iterator[Opened]:
    """What each statement that allows something opens, store by store."""
    for statement in cast("list[dict[str, Any]]", document["Statement"]):
        if statement["Effect"] == "Allow":
            yield from _opened(statement)


def _opened(statement: Mapping[str, Any]) -> Iterator[Opened]:
    actions, resources = _texts(statement.get("Action")), _texts(statement.get("Resource"))
    conditions = cast("dict[str, dict[str, Any]]", statement.get("Condition", {}))
    for store in dict.fromkeys(_store(action, resource) for action in actions for resource in resources):
        of_store = [action for action in actions for resource in resources if _store(action, resource) == store]
        named = [resource for resource in resources if any(_store(action, resource) == store for action in actions)]
        keys = _held_to(conditions, _LEADING)
        yield Opened(
            store=store,
            actions=list(dict.fromkeys(of_store)),
            is_narrowed=_is_narrowed_by(keys) or _is_below(named) or _is_listed_below(conditions),
            common=[key for key in keys or [] if key != TENANT],
            attributes=_held_to(conditions, _ATTRIBUTES),
        )


def _store(action: str, resource: str) -> str:
    service = action.partition(":")[0]
    if service == "dynamodb":
        return next((store for table, store in _TABLES.items() if table in resource), "other tables")
    return _STORES.get(service, service)


def _held_to(conditions: Mapping[str, Mapping[str, Any]], key: str) -> list[str] | None:
    """The values that a request's values are held to, None if any will do.

    `ForAllValues` is true of no values at all, so without a `Null` condition it holds nothing. Nor does an operator for
    one value, which is satisfied by one of many.
    """
    values = conditions.get("ForAllValues:StringEquals", {}).get(key)
    has_some = str(conditions.get("Null", {}).get(key, "")).lower() == "false"
    return _texts(values) if values is not None and has_some else None


def _is_narrowed_by(keys: Sequence[str] | None) -> bool:
    return bool(keys) and all(key == TENANT or _COMMON_KEY.fullmatch(key) for key in keys or [])


def _is_below(resources: Sequence[str]) -> bool:
    return all(_BOUNDED.search(resource) for resource in resources)


def _is_listed_below(conditions: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether only the tenant's part of a bucket can be listed, and of the rest folders down to the tenants' alone."""
    like = conditions.get("StringLike", {})
    prefixes = _texts(like.get("s3:prefix"))
    ends = like.get("s3:delimiter", conditions.get("StringEquals", {}).get("s3:delimiter"))
    names_folders = _texts(ends) == ["/tenant_id="]
    return bool(prefixes) and all(
        _BOUNDED.search(prefix) or (names_folders and _FOLDER.fullmatch(prefix)) for prefix in prefixes
    )


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(each) for each in cast("list[Any]", value)]
