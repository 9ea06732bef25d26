"""Changes of a registry record: plain values in, the record as it should be out, and what the audit trail is told."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from tenantscope_core.results.errors import InvalidArgument

from tenantscope_tenant_management.registry import (
    DamagedRecord,
    as_json,
    config_of,
    items_of,
    mapping_of,
    tags_of,
    whole,
)
from tenantscope_tenant_management.tiers import Terms, Tier, terms
from tenantscope_tenant_management.tiers_file import MAX_QUOTA, MAX_QUOTAS

MAX_TAGS = 20
_DIGITS, _LARGEST_POWER = 38, 125  # of DynamoDB's numbers
_TAG_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@+-]{0,63}")
_QUOTA_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")

Record = Mapping[str, Any]


def changed(record: Record, now: datetime, **fields: Any) -> dict[str, Any]:
    """A record with other fields, one version on; a field that is given as None goes."""
    kept = {name: value for name, value in {**record, **fields}.items() if value is not None}
    return {**kept, "version": version_of(record) + 1, "updatedAt": now.isoformat(timespec="milliseconds")}


def version_of(record: Record) -> int:
    """How often a record was changed; what the Toolkit alone has written counts 0."""
    return whole(record.get("version", 0), "version")


def overrides_of(record: Record) -> dict[str, int]:
    """The exceptions from its tier's quotas that a tenant has."""
    kept = mapping_of(record.get("quotaOverrides"))
    return {name: whole(limit, "quotaOverrides") for name, limit in kept.items()}


def terms_of(record: Record) -> Terms:
    """What a tenant may use now, as its record says."""
    quotas = {name: whole(limit, "quotas") for name, limit in mapping_of(record.get("quotas")).items()}
    return Terms(frozenset(map(str, items_of(record.get("entitlements")))), quotas)


def with_terms(
    record: Record, tier: Tier, overrides: Mapping[str, int], now: datetime, **fields: Any
) -> dict[str, Any]:
    """A record on a tier, with what the tier and the tenant's exceptions make of its entitlements and quotas."""
    given = terms(tier, overrides)
    return changed(
        record,
        now,
        tier=tier.name,
        entitlements=sorted(given.features),
        quotas=dict(given.quotas),
        quotaOverrides=dict(overrides) or None,
        **fields,
    )


def merged_tags(record: Record, patch: Mapping[str, str | None]) -> dict[str, str]:
    """A tenant's tags after a patch, in which null takes a tag away.

    Raises:
        InvalidArgument: A name or value is not of its form, or there would be too many.
    """
    tags = tags_of(record)
    for name, value in patch.items():
        if _TAG_NAME.fullmatch(name) is None:
            raise InvalidArgument(
                "A tag's name is 1 to 64 letters, digits or _.:/@+- and begins with a letter or digit.",
                parameter="tags",
            )
        if value is None:
            tags.pop(name, None)
        elif 0 < len(value) <= 128 and value.isprintable():
            tags[name] = value
        else:
            raise InvalidArgument("A tag's value is 1 to 128 printable characters.", parameter="tags")
    if len(tags) > MAX_TAGS:
        raise InvalidArgument(f"A tenant has {MAX_TAGS} tags at most.", parameter="tags")
    return tags


def merged_overrides(record: Record, patch: Mapping[str, int | None]) -> dict[str, int]:
    """A tenant's exceptions from its tier's quotas after a patch, in which null takes one away.

    Raises:
        InvalidArgument: A name or number is not of its form, or there would be too many.
    """
    overrides = overrides_of(record)
    for name, value in patch.items():
        if _QUOTA_NAME.fullmatch(name) is None:
            raise InvalidArgument(
                "A quota's name is small letters, digits and '_', as list_tiers shows them.",
                parameter="quota_overrides",
            )
        if value is None:
            overrides.pop(name, None)
        elif 0 <= value <= MAX_QUOTA:
            overrides[name] = value
        else:
            raise InvalidArgument(f"A quota is a number from 0 to {MAX_QUOTA}.", parameter="quota_overrides")
    if len(overrides) > MAX_QUOTAS:
        raise InvalidArgument(f"A tenant has {MAX_QUOTAS} exceptions at most.", parameter="quota_overrides")
    return overrides


def checked_name(name: str) -> str:
    """A tenant's name, as it will be sorted and searched by.

    Raises:
        InvalidArgument: It is none.
    """
    if not 0 < len(name) <= 100 or not name.isprintable() or name != name.strip():
        raise InvalidArgument(
            "name must be 1 to 100 printable characters without spaces at its ends.", parameter="name"
        )
    return name


def checked_email(email: str) -> str:
    """A contact's address.

    Raises:
        InvalidArgument: It is none.
    """
    if _EMAIL.fullmatch(email) is None or not email.isprintable():
        raise InvalidArgument("email must be an address such as ops@example.com.", parameter="email")
    return email


def with_config(record: Record, config: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """A record with other settings of the tenant's own: JSON text, or a map where another control plane keeps one."""
    text = json.dumps(config, sort_keys=True, ensure_ascii=False)
    if isinstance(record.get("tenantConfig"), dict):
        settings = json.loads(text, parse_float=Decimal)
        if _fits_a_map(settings):
            return changed(record, now, tenantConfig=settings)
    return changed(record, now, tenantConfig=text)


def _fits_a_map(value: Any) -> bool:
    """Whether DynamoDB can keep a value outside of a text: names that are not empty, numbers of 38 digits."""
    match value:
        case dict():
            return all(name and _fits_a_map(inner) for name, inner in mapping_of(cast(object, value)).items())
        case list():
            return all(map(_fits_a_map, cast(list[Any], value)))
        case int() | Decimal():
            number = Decimal(value)
            return len(number.as_tuple().digits) <= _DIGITS and abs(number.adjusted()) <= _LARGEST_POWER
        case _:
            return True


def visible(record: Record) -> dict[str, Any]:
    """A record as the audit trail compares it: JSON values, without what every change touches."""
    skipped = {"version", "updatedAt", "quotaUse", "lastActiveAt", "tenantConfig"}
    plain = {name: as_json(value) for name, value in record.items() if name not in skipped}
    try:
        return {**plain, "config": config_of(record.get("tenantConfig"))}
    except DamagedRecord:
        return {**plain, "config": "(damaged)"}
