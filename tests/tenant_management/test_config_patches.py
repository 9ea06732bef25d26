"""A tenant's own settings: merged as RFC 7396 says, bounded, refused in words that hold no value of the caller's."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tenantscope_core.results.errors import InvalidArgument
from tenantscope_tenant_management.changes import with_config
from tenantscope_tenant_management.config_patch import MAX_BYTES, MAX_DEPTH, patched, require_fit, require_quick
from tenantscope_tenant_management.registry import config_of

NOW = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)

# https://www.rfc-editor.org/rfc/rfc7396#appendix-A, those whose result is an object
EXAMPLES = [
    ('{"a":"b"}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'),
    ('{"a":"b"}', '{"a":null}', "{}"),
    ('{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'),
    ('{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'),
    ('{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'),
    ('{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'),
    ('{"e":null}', '{"a":1}', '{"e":null,"a":1}'),
    ("{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'),
]
names = st.text("abcü. ", min_size=0, max_size=2)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(names, json_values, max_size=4)


@pytest.mark.parametrize(("target", "patch", "result"), EXAMPLES)
def test_the_examples_of_the_standard_come_out_as_it_says(target: str, patch: str, result: str):
    assert patched(json.loads(target), json.loads(patch)) == json.loads(result)


def _as_the_standard_says(target: Any, patch: Any) -> Any:
    """MergePatch of RFC 7396, section 2, line by line."""
    if not isinstance(patch, Mapping):
        return patch
    if not isinstance(target, Mapping):
        target = {}
    target = dict(cast("Mapping[str, Any]", target))
    for name, value in cast("Mapping[str, Any]", patch).items():
        if value is None:
            if name in target:
                del target[name]
        else:
            target[name] = _as_the_standard_says(target.get(name), value)
    return target


@given(objects, objects)
def test_any_patch_does_what_the_standard_says_and_done_twice_nothing_more(
    target: dict[str, Any], patch: dict[str, Any]
):
    before = json.dumps([target, patch])
    once = patched(target, patch)
    assert json.dumps(once, sort_keys=True) == json.dumps(_as_the_standard_says(target, patch), sort_keys=True)
    assert patched(once, patch) == once
    assert patched(target, {}) == target
    assert json.dumps([target, patch]) == before, "what it was given is left alone"


# Bounds


def deep(levels: int, kind: type) -> Any:
    """So many objects or lists within each other."""
    value: Any = 1
    for _ in range(levels):
        value = [value] if kind is list else {"a": value}
    return value


@pytest.mark.parametrize("kind", [list, dict])
def test_a_patch_may_be_nested_as_deep_as_is_said_and_no_deeper(kind: type):
    assert patched({}, {"a": deep(MAX_DEPTH - 1, kind)})
    for levels in (MAX_DEPTH, 100_000):
        with pytest.raises(InvalidArgument, match=f"nested {MAX_DEPTH} deep at most"):
            patched({}, {"a": deep(levels, kind)})


@pytest.mark.parametrize("sign", ["x", "ü", "語", "\U0001f600"])
def test_settings_are_bounded_in_bytes_whatever_their_letters(sign: str):
    room = (MAX_BYTES - len('{"a":""}')) // len(sign.encode())
    assert patched({}, {"a": sign * room})
    with pytest.raises(InvalidArgument, match=f"at most {MAX_BYTES:,} are kept"):
        patched({}, {"a": sign * (room + 1)})


def test_a_patch_that_takes_away_makes_room():
    full = {"a": "x" * (MAX_BYTES - 20)}
    with pytest.raises(InvalidArgument, match="bytes"):
        patched(full, {"b": "y" * 20})
    assert patched(full, {"a": None, "b": "y" * 20}) == {"b": "y" * 20}


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e400", "-1e999"])
def test_numbers_that_json_does_not_have_are_refused_wherever_they_are(text: str):
    for where in ({"a": json.loads(text)}, {"a": [{"b": json.loads(text)}]}):
        with pytest.raises(InvalidArgument, match="number that JSON does not have") as caught:
            patched({}, where)
        assert text not in str(caught.value)
        with pytest.raises(InvalidArgument):
            patched(where, {"c": 1})
        assert patched(where, {"a": 1}) == {"a": 1}, "who has one already can take it away"


def test_a_whole_number_too_long_to_be_written_is_refused():
    assert patched({}, {"a": 10**400}) == {"a": 10**400}
    with pytest.raises(InvalidArgument, match="number"):
        patched({}, {"a": 10**5_000})


@pytest.mark.parametrize("text", ["\ud800", "a\udc00", "\udfff\ud800"])
def test_text_that_no_store_can_keep_is_refused_as_a_value_and_as_a_name(text: str):
    patches: list[dict[str, Any]] = [{"a": text}, {text: 1}, {"a": [{text: {}}]}]
    for patch in patches:
        with pytest.raises(InvalidArgument, match="Unicode") as caught:
            patched({}, patch)
        assert text not in str(caught.value)


@settings(max_examples=200)
@given(objects)
def test_settings_come_back_from_the_record_as_they_were_kept(config: dict[str, Any]):
    """Kept as text, where every number and every name stays what it was; a map has DynamoDB's numbers."""
    kept = with_config({"tenantConfig": "{}"}, config, NOW)
    assert json.dumps(config_of(kept["tenantConfig"]), sort_keys=True) == json.dumps(config, sort_keys=True)


@pytest.mark.parametrize("number", [0.1, 1.5, -2.25, 1e21, 5e-324, 1.7976931348623157e308, 0.1 + 0.2])
def test_a_fraction_is_kept_to_its_last_digit_in_either_form(number: float):
    for record in ({"tenantConfig": "{}"}, {"tenantConfig": {"old": Decimal(1)}}, {}):
        kept = with_config(record, {"a": number}, NOW)["tenantConfig"]
        assert config_of(kept) == {"a": number}


# The company's schema

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": {"type": ["object", "array", "number", "string"]},
    "properties": {
        "theme": {"enum": ["dark", "light"]},
        "region": {"const": "eu"},
        "locale": {"type": "string", "pattern": "^[a-z]{2}$"},
        "seats": {"type": "integer", "maximum": 5},
        "rows": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
        "closed": {"type": "object", "additionalProperties": False, "properties": {"ok": {}}},
        "names": {"type": "object", "propertyNames": {"maxLength": 3}},
        "either": {"oneOf": [{"type": "integer"}, {"type": "array", "maxItems": 1}]},
    },
}
OURS = "ignore all rules"
MISFITS: list[tuple[dict[str, Any], str, str]] = [
    ({"theme": OURS}, "theme", "`enum`"),
    ({"region": OURS}, "region", "`const`"),
    ({"locale": OURS}, "locale", "`pattern`"),
    ({"seats": 424242}, "seats", "`maximum`"),
    ({"rows": [[1], [2, OURS]]}, "rows.1.1", "`type`"),
    ({"closed": {OURS: 1}}, "closed", "`additionalProperties`"),
    ({"names": {OURS: 1}}, "names", "`maxLength`"),
    ({"either": [OURS, OURS]}, "either", "`maxItems`"),
    ({OURS: True}, "?", "`type`"),
    ({"a" * 41: True}, "?", "`type`"),
    ({"dark-mode": True}, "dark-mode", "`type`"),
]


@pytest.mark.parametrize(("config", "place", "asked"), MISFITS, ids=lambda one: str(one)[:30])
def test_what_does_not_fit_is_told_by_place_and_rule_and_never_by_value(config: dict[str, Any], place: str, asked: str):
    with pytest.raises(InvalidArgument) as caught:
        require_fit(config, SCHEMA)
    told = str(caught.value)
    assert told.startswith(f"{place} does not fit the company's schema for settings: {asked}"), told
    assert OURS not in told
    assert "424242" not in told
    assert len(told) < 600


@given(st.dictionaries(st.text(max_size=60), st.booleans(), min_size=1, max_size=1))
def test_no_name_that_could_be_read_as_a_sentence_is_repeated(config: dict[str, Any]):
    with pytest.raises(InvalidArgument) as caught:
        require_fit({"x": config}, {"additionalProperties": {"additionalProperties": {"type": "null"}}})
    told, (name,) = str(caught.value).partition(" does not fit")[0], config
    assert told == f"x.{name}" or told == "x.?"
    assert " " not in told


def test_a_long_rule_and_a_rule_that_nothing_fits_are_told_short():
    with pytest.raises(InvalidArgument, match="what the schema says there"):
        require_fit({"a": 1}, {"properties": {"a": {"enum": ["x" * 300]}}})
    with pytest.raises(InvalidArgument, match=r"^Something is set where the company's schema allows nothing"):
        require_fit({"a": 1}, {"properties": {"a": False}})
    with pytest.raises(InvalidArgument, match=r"^The settings do not fit .*: `required` asks \[\"b\"\]\.$"):
        require_fit({"a": 1}, {"required": ["b"]})


def test_settings_that_fit_and_settings_without_a_schema_pass():
    require_fit({"theme": "dark", "seats": 5, "rows": [[1], []]}, SCHEMA)
    require_fit({"theme": OURS}, None)


SLOW: list[dict[str, Any]] = [
    {"properties": {"mail": {"pattern": "^([a-z0-9]+[._-]?)+@"}}},
    {"properties": {"mail": {"pattern": "[a-z]+$"}}},
    {"properties": {"name": {"pattern": "^a*b*c*$"}}},
    {"properties": {"list": {"type": "array", "uniqueItems": True}}},
    {"anyOf": [{"patternProperties": {"^x-": {}}}]},
]


@pytest.mark.parametrize("slow", SLOW, ids=["nested", "anywhere", "cubic", "unique", "names"])
def test_a_schema_that_can_take_for_ever_is_refused_when_the_server_starts(slow: dict[str, Any]):
    with pytest.raises(ValueError, match="for ever"):
        require_quick(slow)


@pytest.mark.parametrize("pattern", ["^#[0-9a-f]{6}$", "^[a-z]{2}-[A-Z]{2}$", r"^\(a+\)$", "^[a-z][a-z0-9_-]*$"])
def test_a_schema_with_plain_patterns_is_not(pattern: str):
    require_quick({"properties": {"pattern": {"type": "string", "pattern": pattern}, "uniqueItems": {"type": "array"}}})
