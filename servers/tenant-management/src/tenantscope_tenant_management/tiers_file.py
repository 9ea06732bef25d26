"""The tiers' file: YAML that the company owns, read strictly, with one sentence for what is wrong with it."""

import re
from collections.abc import Mapping

from tenantscope_core.results.documents import DocumentFault, mapping, only, read_yaml, sequence

from tenantscope_tenant_management.tiers import Tier

FORMAT = 1
MAX_TIERS, MAX_FEATURES, MAX_QUOTAS, MAX_QUOTA = 20, 100, 50, 10**15
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_WORD = re.compile(r"[a-z][a-z0-9_]{0,62}")


def parse_tiers(text: str) -> list[Tier]:
    """The tiers in a YAML text, the least first.

    Raises:
        DocumentFault: The text is not YAML, or says something that is not understood.
    """
    top = mapping(read_yaml(text, "the tiers file"), "the tiers file")
    only(top, {"format", "tiers"}, "the tiers file")
    if top.get("format") != FORMAT or isinstance(top["format"], bool):
        raise DocumentFault(f"The tiers file must say `format: {FORMAT}`.")
    listed = mapping(top.get("tiers"), "`tiers`")
    if not 1 <= len(listed) <= MAX_TIERS:
        raise DocumentFault(f"`tiers` has {len(listed)} entries; it must have 1 to {MAX_TIERS}.")
    return [_tier(name, value) for name, value in listed.items()]


def _tier(name: str, value: object) -> Tier:
    at = f"tier {name!r}"
    if NAME.fullmatch(name) is None:
        raise DocumentFault(f"The name of {at} must be 1 to 63 letters, digits, '_' or '-'.")
    given = mapping(value, at)
    only(given, {"title", "description", "features", "quotas"}, at)
    return Tier(
        name=name,
        title=_text(given.get("title", name.replace("_", " ").capitalize()), f"`title` of {at}", 60),
        description=_text(given.get("description", ""), f"`description` of {at}", 300),
        features=_features(given.get("features", []), f"`features` of {at}"),
        quotas=_quotas(given.get("quotas", {}), f"`quotas` of {at}"),
    )


def _features(value: object, at: str) -> tuple[str, ...]:
    listed = sequence(value, at)
    if len(listed) > MAX_FEATURES:
        raise DocumentFault(f"{at} has more than {MAX_FEATURES} entries.")
    found = [each for each in listed if isinstance(each, str) and _WORD.fullmatch(each)]
    if len(found) != len(listed) or len(set(found)) != len(found):
        raise DocumentFault(f"{at} must list each feature once, in small letters, digits and '_'.")
    return tuple(found)


def _quotas(value: object, at: str) -> Mapping[str, int]:
    listed = mapping(value, at)
    if len(listed) > MAX_QUOTAS:
        raise DocumentFault(f"{at} has more than {MAX_QUOTAS} entries.")
    for name, limit in listed.items():
        if _WORD.fullmatch(name) is None:
            raise DocumentFault(f"{at} has {name!r}; a quota's name has small letters, digits and '_'.")
        if isinstance(limit, bool) or not isinstance(limit, int) or not 0 <= limit <= MAX_QUOTA:
            raise DocumentFault(f"`{name}` in {at} must be a whole number from 0 to {MAX_QUOTA}.")
    return {name: int(limit) for name, limit in listed.items()}


def _text(value: object, at: str, most: int) -> str:
    if not isinstance(value, str) or len(value) > most or not value.isprintable():
        raise DocumentFault(f"{at} must be a text of one line and at most {most} characters.")
    return value
