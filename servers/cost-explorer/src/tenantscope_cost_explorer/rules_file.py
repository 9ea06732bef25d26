"""The rules file: YAML that the company owns, read strictly, with one clear sentence for what is wrong with it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import yaml
from yaml.nodes import MappingNode

from tenantscope_cost_explorer.rules import (
    COLUMNS,
    EVEN,
    FORMAT,
    Column,
    Condition,
    Direct,
    Even,
    Measure,
    Method,
    Rule,
    RuleSet,
    Selector,
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


class RulesError(ValueError):
    """The rules file cannot be used; the message is one sentence that names the rule and the key at fault."""


def parse_rules(text: str) -> RuleSet:
    """The rules in a YAML text.

    Raises:
        RulesError: The text is not YAML, or says something that is not understood.
    """
    try:
        document = yaml.load(text, Loader=_UniqueKeyLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark is not None else ""
        raise RulesError(f"The rules file is not valid YAML{where}: {getattr(error, 'problem', error)}.") from None
    top = _mapping(document, "the rules file")
    _only(top, {"format", "feature", "environment", "rules"}, "the rules file")
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
    given = _mapping(item, f"rule {number}")
    name = given.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise RulesError(f"Rule {number} needs a `name` of letters, digits, spaces, `.`, `_` or `-`, at most 63.")
    where = f"rule {name!r}"
    _only(given, {"name", "match", "allocate"}, where)
    return Rule(name, _conditions(given.get("match"), where), _allocation(given.get("allocate"), where))


def _conditions(value: object, where: str) -> tuple[Condition, ...]:
    match = _mapping(value, f"`match` of {where}")
    if not match:
        raise RulesError(f"`match` of {where} is empty; name at least one of {_listing(('tag', *COLUMNS))}.")
    conditions: list[Condition] = []
    for key, wanted in match.items():
        at = f"`match.{key}` of {where}"
        if key == "tag":
            tags = _mapping(wanted, at)
            if not tags:
                raise RulesError(f"{_capital(at)} names no tag.")
            conditions += [
                Condition(Tag(tag), _values(each, f"`match.tag.{tag}` of {where}")) for tag, each in tags.items()
            ]
        elif key in COLUMNS or key == "description":
            conditions.append(Condition(Column(key), _values(wanted, at)))
        else:
            raise RulesError(
                f"`match` of {where} does not know `{key}`; it knows {_listing(('tag', *COLUMNS, 'description'))}."
            )
    return tuple(conditions)


def _allocation(value: object, where: str) -> Direct | Split | Unallocated:
    given = _mapping(value, f"`allocate` of {where}")
    try:
        method = Method(given.get("method", ""))
    except ValueError:
        raise RulesError(f"`allocate.method` of {where} must be one of {_listing(tuple(Method))}.") from None
    known = {
        Method.DIRECT: {"tenant"},
        Method.DRIVER: {"metric", "per", "cascade", "fallback"},
        Method.PROXY: {"fallback"},
        Method.EVEN: set[str](),
        Method.RESIDUAL: set[str](),
    }
    _only(given, {"method"} | known[method], f"`allocate` of {where}")
    if method is Method.RESIDUAL:
        return Unallocated()
    if method is Method.DIRECT:
        return _direct(given.get("tenant"), where)
    drivers: tuple[Measure | Even, ...] = tuple(
        _driver(each, f"`allocate.fallback` of {where}") for each in _list(given.get("fallback", []), where)
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
        asked = _mapping(given["cascade"], at)
        _only(asked, {"feature"}, at)
        cascade = _measure(asked.get("feature"), f"`allocate.cascade.feature` of {where}")
        if not cascade.has_feature:
            raise RulesError(f"{_capital(at)} needs a measure that is known by feature, and `{cascade}` is not.")
    return Split(method, (first, *drivers), per, cascade)


def _direct(value: object, where: str) -> Direct:
    at = f"`allocate.tenant` of {where}"
    given = _mapping(value, at)
    if set(given) != {"map"}:
        return Direct(_selector(given, at))
    by = _mapping(given["map"], at)
    if len(by) != 1:
        raise RulesError(f"`map` in {at} needs exactly one key, such as `sub_account`.")
    key, names = next(iter(by.items()))
    if key == "tag":
        tags = _mapping(names, at)
        if len(tags) != 1:
            raise RulesError(f"`map.tag` in {at} needs exactly one tag.")
        key, names = next(iter(tags.items()))
        selector: Selector = Tag(key)
    elif key in COLUMNS:
        selector = Column(key)
    else:
        raise RulesError(f"`map` in {at} does not know `{key}`; it knows {_listing(('tag', *COLUMNS))}.")
    pairs = _mapping(names, at)
    return Direct(selector, tuple((each, _tenant_id(tenant, at)) for each, tenant in sorted(pairs.items())))


def _selector(value: object, at: str) -> Selector:
    given = _mapping(value, at)
    if len(given) == 1:
        kind, name = next(iter(given.items()))
        if kind == "tag" and isinstance(name, str) and name:
            return Tag(name)
        if kind == "column" and isinstance(name, str) and name in COLUMNS:
            return Column(name)
    raise RulesError(f"{_capital(at)} must be `{{tag: <key>}}` or `{{column: <one of {_listing(COLUMNS)}>}}`.")


def _tenant_id(value: object, at: str) -> str:
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", value):
        return value
    raise RulesError(f"{_capital(at)} maps to {value!r}, which is not a tenant id.")


def _driver(value: object, at: str) -> Measure | Even:
    return "even" if value == EVEN else _measure(value, at)


def _measure(value: object, at: str) -> Measure:
    dataset, _, column = value.partition(".") if isinstance(value, str) else ("", "", "")
    if dataset == "usage" and _METRIC.fullmatch(column):
        return Measure(dataset, column, _USAGE_SCALE)
    if column in _MEASURED.get(dataset, {}):
        return Measure(dataset, column, _MEASURED[dataset][column])
    known = [f"{name}.{column}" for name, columns in _MEASURED.items() for column in columns]
    raise RulesError(f"{_capital(at)} is {value!r}; it must be one of {_listing((*known, 'usage.<metric>'))}.")


def _values(value: object, at: str) -> tuple[str, ...] | None:
    if value == "*":
        return None
    values = cast(list[object], value) if isinstance(value, list) else [value]
    if not values or not all(isinstance(each, str) and each for each in values):
        raise RulesError(f'{_capital(at)} must be text, a list of text, or "*"; put numbers in quotes.')
    if "*" in values:
        raise RulesError(f'{_capital(at)} has "*" in a list; it stands alone and means any value.')
    return tuple(str(each) for each in values)


def _mapping(value: object, at: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise RulesError(f"{_capital(at)} must be a mapping of keys to values.")
    pairs = cast(dict[object, Any], value)
    for key in pairs:
        if not isinstance(key, str):
            raise RulesError(f"{_capital(at)} has the key {key!r}, which is not text; put it in quotes.")
    return {str(key): each for key, each in pairs.items()}


def _list(value: object, where: str) -> Sequence[object]:
    if not isinstance(value, list):
        raise RulesError(f"`allocate.fallback` of {where} must be a list.")
    return cast(list[object], value)


def _only(given: Mapping[str, Any], known: set[str], at: str) -> None:
    for key in given:
        if key not in known:
            raise RulesError(
                f"{_capital(at)} does not know the key `{key}`; it knows {_listing(tuple(sorted(known)))}."
            )


def _listing(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


class _UniqueKeyLoader(yaml.SafeLoader):
    """Refuses a key that stands twice in a mapping, of which YAML would silently keep the last."""

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = str(key_node.value)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)
