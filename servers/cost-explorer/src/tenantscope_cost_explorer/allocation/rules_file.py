"""The rules file: YAML that the company owns, read strictly, with one clear sentence for what is wrong with it."""

import re
from typing import cast

from tenantscope_core.results.documents import (
    DocumentFault,
    capital,
    listing,
    mapping,
    only,
    read_yaml,
    sequence,
)
from tenantscope_core.stores.schemas import TENANT_ID

from tenantscope_cost_explorer.allocation.rules import (
    COLUMNS,
    EVEN,
    FORMAT,
    After,
    Column,
    Condition,
    Direct,
    Even,
    Measure,
    Method,
    Rule,
    RuleSet,
    Split,
    Tag,
    Unallocated,
)

MAX_RULES = 200
_MEASURED = {
    "feature_usage": {"calls": 0, "bytes": 0, "errors": 0},
    "llm_usage": {"tokens": 0, "requests": 0, "cost": 12},
}
_USAGE_SCALE = 6
_METRIC = re.compile(r"[a-z][a-z0-9_]{0,62}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,62}")


RulesError = DocumentFault
"""The rules file cannot be used; the message is one sentence that names the rule and the key at fault."""


def parse_rules(text: str) -> RuleSet:
    """The rules in a YAML text.

    Raises:
        RulesError: The text is not YAML, or says something that is not understood.
    """
    top = mapping(read_yaml(text, "the rules file"), "the rules file")
    only(top, {"format", "feature", "environment", "rules"}, "the rules file")
    if top.get("format") != FORMAT:
        raise RulesError(f"The rules file must say `format: {FORMAT}`.")
    listed = top.get("rules")
    if not isinstance(listed, list) or not listed:
        raise RulesError("The rules file needs a list `rules` with at least one rule.")
    items = cast(list[object], listed)
    if len(items) > MAX_RULES:
        raise RulesError(f"The rules file has {len(items)} rules; at most {MAX_RULES} are read.")
    rules = tuple(_rule(item, number) for number, item in enumerate(items, start=1))
    seen: set[str] = set()
    for rule in rules:
        if rule.name in seen:
            raise RulesError(f"Two rules are named {rule.name!r}; a name must be unique.")
        seen.add(rule.name)
    feature, environment = (
        _selector(top[key], f"`{key}`") if key in top else None for key in ("feature", "environment")
    )
    return RuleSet(rules, feature, environment, text)


def _rule(item: object, number: int) -> Rule:
    given = mapping(item, f"rule {number}")
    name = given.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise RulesError(f"Rule {number} needs a `name` of letters, digits, spaces, `.`, `_` or `-`, at most 63.")
    where = f"rule {name!r}"
    only(given, {"name", "match", "allocate"}, where)
    return Rule(name, _conditions(given.get("match"), where), _allocation(given.get("allocate"), where))


def _conditions(value: object, where: str) -> tuple[Condition, ...]:
    match = mapping(value, f"`match` of {where}")
    if not match:
        raise RulesError(f"`match` of {where} is empty; name at least one of {listing(('tag', *COLUMNS))}.")
    conditions: list[Condition] = []
    for key, wanted in match.items():
        at = f"`match.{key}` of {where}"
        if key == "tag":
            tags = mapping(wanted, at)
            if not tags:
                raise RulesError(f"{capital(at)} names no tag.")
            conditions += [
                Condition(Tag(tag), _values(each, f"`match.tag.{tag}` of {where}")) for tag, each in tags.items()
            ]
        elif key in COLUMNS or key == "description":
            conditions.append(Condition(Column(key), _values(wanted, at)))
        else:
            raise RulesError(
                f"`match` of {where} does not know `{key}`; it knows {listing(('tag', *COLUMNS, 'description'))}."
            )
    return tuple(conditions)


def _allocation(value: object, where: str) -> Direct | Split | Unallocated:
    given = mapping(value, f"`allocate` of {where}")
    try:
        method = Method(given.get("method", ""))
    except ValueError:
        raise RulesError(f"`allocate.method` of {where} must be one of {listing(tuple(Method))}.") from None
    known = {
        Method.DIRECT: {"tenant"},
        Method.DRIVER: {"metric", "per", "cascade", "fallback"},
        Method.PROXY: {"fallback"},
        Method.EVEN: set[str](),
        Method.RESIDUAL: set[str](),
    }
    only(given, {"method"} | known[method], f"`allocate` of {where}")
    if method is Method.RESIDUAL:
        return Unallocated()
    if method is Method.DIRECT:
        return _direct(given.get("tenant"), where)
    drivers: tuple[Measure | Even, ...] = tuple(
        _driver(each, f"`allocate.fallback` of {where}")
        for each in sequence(given.get("fallback", []), f"`allocate.fallback` of {where}")
    )
    if method is Method.EVEN:
        return Split(method, (EVEN,))
    if method is Method.PROXY:
        return Split(method, drivers)
    if "metric" not in given:
        raise RulesError(f"`allocate` of {where} needs a `metric`, such as `usage.requests`.")
    first = _measure(given["metric"], f"`allocate.metric` of {where}")
    per = given.get("per", "month")
    if per not in ("day", "month"):
        raise RulesError(f"`allocate.per` of {where} must be `day` or `month`.")
    cascade = None
    if "cascade" in given:
        at = f"`allocate.cascade` of {where}"
        asked = mapping(given["cascade"], at)
        only(asked, {"feature"}, at)
        cascade = _measure(asked.get("feature"), f"`allocate.cascade.feature` of {where}")
        if not cascade.has_feature:
            raise RulesError(f"{capital(at)} needs a measure that is known by feature, and `{cascade}` is not.")
    return Split(method, (first, *drivers), per, cascade)


def _direct(value: object, where: str) -> Direct:
    at = f"`allocate.tenant` of {where}"
    given = dict(mapping(value, at))
    if "map" not in given:
        after = given.pop("after", None)
        selector = _selector(given, at)
        if after is None:
            return Direct(selector)
        if not isinstance(after, str) or not after:
            raise RulesError(f'`after` in {at} must be text, such as "tenant=".')
        return Direct(After(selector, after))
    only(given, {"map"}, at)
    by = mapping(given["map"], at)
    if len(by) != 1:
        raise RulesError(f"`map` in {at} needs exactly one key, such as `sub_account`.")
    key, names = next(iter(by.items()))
    if key == "tag":
        tags = mapping(names, at)
        if len(tags) != 1:
            raise RulesError(f"`map.tag` in {at} needs exactly one tag.")
        key, names = next(iter(tags.items()))
        selector = Tag(key)
    elif key in COLUMNS:
        selector = Column(key)
    else:
        raise RulesError(f"`map` in {at} does not know `{key}`; it knows {listing(('tag', *COLUMNS))}.")
    pairs = mapping(names, at)
    return Direct(selector, tuple((each, _tenant_id(tenant, at)) for each, tenant in sorted(pairs.items())))


def _selector(value: object, at: str) -> Tag | Column:
    given = mapping(value, at)
    if len(given) == 1:
        kind, name = next(iter(given.items()))
        if kind == "tag" and isinstance(name, str) and name:
            return Tag(name)
        if kind == "column" and isinstance(name, str) and name in COLUMNS:
            return Column(name)
    raise RulesError(f"{capital(at)} must be `{{tag: <key>}}` or `{{column: <one of {listing(COLUMNS)}>}}`.")


def _tenant_id(value: object, at: str) -> str:
    if isinstance(value, str) and re.fullmatch(TENANT_ID, value):
        return value
    raise RulesError(f"{capital(at)} maps to {value!r}, which is not a tenant id.")


def _driver(value: object, at: str) -> Measure | Even:
    return "even" if value == EVEN else _measure(value, at)


def _measure(value: object, at: str) -> Measure:
    dataset, _, column = value.partition(".") if isinstance(value, str) else ("", "", "")
    if dataset == "usage" and _METRIC.fullmatch(column):
        return Measure(dataset, column, _USAGE_SCALE)
    if column in _MEASURED.get(dataset, {}):
        return Measure(dataset, column, _MEASURED[dataset][column])
    known = [f"{name}.{column}" for name, columns in _MEASURED.items() for column in columns]
    raise RulesError(f"{capital(at)} is {value!r}; it must be one of {listing((*known, 'usage.<metric>'))}.")


def _values(value: object, at: str) -> tuple[str, ...] | None:
    if value == "*":
        return None
    values = cast(list[object], value) if isinstance(value, list) else [value]
    if not values or not all(isinstance(each, str) and each for each in values):
        raise RulesError(f'{capital(at)} must be text, a list of text, or "*"; put numbers in quotes.')
    if "*" in values:
        raise RulesError(f'{capital(at)} has "*" in a list; it stands alone and means any value.')
    return tuple(str(each) for each in values)
