"""The registry's records: what an item of the AWS SaaS Builder Toolkit's tenant table means."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal, cast

from tenantscope_core.results.statuses import SWITCHES, status_in_effect

from tenantscope_tenant_management.models import Quota, TenantProfile, TenantSummary
from tenantscope_tenant_management.tiers import ENFORCED

Status = Literal["active", "trial", "pending", "suspended", "offboarding", "offboarded", "failed"]
LEAVING = frozenset({"offboarding", "offboarded"})


class DamagedRecord(ValueError):
    """An item of the table that lacks what every tenant has."""


_TEXTS = ("tenantId", "tenantName", "tenantStatus", "tier")


@dataclass(frozen=True, slots=True)
class Use:
    """How much of a quota is used; `at_least` where counting stopped there."""

    used: int
    as_of: datetime | None = None
    at_least: bool = False


def profile(item: Mapping[str, Any], use: Mapping[str, Use] | None = None) -> TenantProfile:
    """The whole record of an item (plain values, as DynamoDB's deserialiser gives them).

    `use` is how much of each quota is used, what the record itself says if left out.

    Raises:
        DamagedRecord: As `summary`; or a quota or version is no number, or a config no JSON object.
    """
    seen = summary(item)
    return TenantProfile(
        tenant_id=seen.tenant_id,
        name=seen.name,
        status=seen.status,
        status_reason=_text(item.get("statusReason")),
        legal_hold=item.get("legalHold") is True,
        tier=seen.tier,
        plan=_text(item.get("plan")),
        email=_text(item.get("email")),
        tags=seen.tags,
        entitlements=sorted(str(name) for name in items_of(item.get("entitlements"))),
        quotas=_quotas(item, recorded_use(item) if use is None else use),
        config=config_of(item.get("tenantConfig")),
        created=_time(item.get("createdAt")),
        last_active=seen.last_active,
        version=whole(item.get("version", 0), "version"),
    )


def within(seen: TenantProfile, room_bytes: int) -> TenantProfile:
    """A profile that takes no more room as JSON: what list_tenants and list_tiers also show goes before the config."""
    empty: dict[str, Any] = {"tags": {}, "quotas": [], "entitlements": [], "config": {}}
    left_out: list[str] = []
    for name, nothing in empty.items():
        if len(seen.model_dump_json(exclude_none=True).encode()) <= room_bytes:
            break
        left_out.append(name)
        seen = seen.model_copy(update={name: nothing, "left_out": left_out})
    return seen


def summary(item: Mapping[str, Any]) -> TenantSummary:
    """The short form of an item; the Toolkit also writes tenants that have no tier or no status yet.

    Raises:
        DamagedRecord: It has no id or name, or one of these, its status or its tier is no text.
    """
    missing = [name for name in ("tenantId", "tenantName") if not item.get(name)]
    odd = [name for name in _TEXTS if name in item and not isinstance(item[name], str)]
    if missing or odd:
        raise DamagedRecord(", ".join(dict.fromkeys([*missing, *odd])))
    return TenantSummary(
        tenant_id=item["tenantId"],
        name=item["tenantName"],
        status=status_of(item),
        tier=item.get("tier", ""),
        tags=tags_of(item),
        last_active=_time(item.get("lastActiveAt")),
    )


def tags_of(item: Mapping[str, Any]) -> dict[str, str]:
    """A tenant's tags."""
    return {name: str(value) for name, value in mapping_of(item.get("tags")).items()}


def is_leaving(item: Mapping[str, Any]) -> bool:
    """Whether a tenant leaves or has left: no job gives it anything."""
    return status_of(item) in LEAVING


def status_of(item: Mapping[str, Any]) -> str:
    """What a record's status means, in lower case; `inactive` where it is switched off, `unknown` where it has none."""
    return status_in_effect(
        item.get("tenantStatus"), switched_on=all(item.get(name, True) is True for name in SWITCHES)
    )


def has_left(item: Mapping[str, Any]) -> bool:
    """Whether an item is what this server left of a tenant: its id, and that it is never given again."""
    return "offboardedAt" in item and status_of(item) == "offboarded"


def recorded_use(item: Mapping[str, Any]) -> dict[str, Use]:
    """Use of quotas as a record has it: `quotaUse` holds `{name: {used, asOf}}`. What is no number is not measured."""
    found: dict[str, Use] = {}
    for name, measured in mapping_of(item.get("quotaUse")).items():
        kept = mapping_of(measured)
        with suppress(DamagedRecord):
            found[name] = Use(whole(kept.get("used"), "quotaUse"), _time(kept.get("asOf")))
    return found


def _quotas(item: Mapping[str, Any], use: Mapping[str, Use]) -> list[Quota]:
    """Quotas in order of name."""
    own = mapping_of(item.get("quotaOverrides"))
    found: list[Quota] = []
    for name, limit in sorted(mapping_of(item.get("quotas")).items()):
        measured = use.get(name)
        found.append(
            Quota(
                name=name,
                limit=whole(limit, "quotas"),
                used=None if measured is None else measured.used,
                used_as_of=None if measured is None else measured.as_of,
                at_least=measured is not None and measured.at_least,
                held_by=ENFORCED.get(name),
                own=name in own,
            )
        )
    return found


def config_of(value: object) -> dict[str, object]:
    """The settings of a tenant: JSON text, or a map where a control plane keeps one.

    Raises:
        DamagedRecord: They are no JSON object.
    """
    if value is None or value == "":
        return {}
    try:
        parsed: object = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise DamagedRecord("tenantConfig") from None
    if not isinstance(parsed, dict):
        raise DamagedRecord("tenantConfig")
    return cast(dict[str, object], as_json(cast(object, parsed)))


def as_json(value: Any) -> Any:
    """Plain JSON for what DynamoDB gives: numbers are decimals there, lists may be sets, and some are bytes."""
    match value:
        case dict():
            return {name: as_json(inner) for name, inner in mapping_of(cast(object, value)).items()}
        case list() | tuple():
            return [as_json(inner) for inner in cast(Sequence[Any], value)]
        case set() | frozenset():
            return sorted(str(inner) for inner in cast(frozenset[Any], value))
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case str() | int() | float() | None:
            return value
        case _:
            return "(bytes)"


def whole(value: Any, attribute: str) -> int:
    """A whole number of a record.

    Raises:
        DamagedRecord: It is none.
    """
    try:
        return int(value)
    except (TypeError, ValueError, ArithmeticError):
        raise DamagedRecord(attribute) from None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def mapping_of(value: object) -> dict[str, Any]:
    """A mapping of a record; an empty one where there is none."""
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def items_of(value: object) -> list[object]:
    """A list or set of a record; an empty list where there is none."""
    return list(cast(list[object], value)) if isinstance(value, (list, set, frozenset, tuple)) else []


def _time(value: object) -> datetime | None:
    """An ISO time, taken as UTC where it names no offset; None where it is none."""
    try:
        parsed = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
