"""What the rules file may say, and the sentence for what it may not."""

from pathlib import Path

import pytest
from tenantscope_cost_explorer.allocation.rules import After, Column, Direct, Measure, Split, Tag
from tenantscope_cost_explorer.allocation.rules_file import RulesError, parse_rules

EXAMPLE = Path(__file__).parents[2] / "examples/sandbox/allocation.yaml"

GOOD = """
format: 1
feature: {tag: feature}
rules:
  - name: own
    match: {tag: {tenant: "*"}}
    allocate: {method: direct, tenant: {tag: tenant}}
  - name: shared
    match: {service: [Amazon S3, Amazon EC2]}
    allocate: {method: driver, metric: usage.requests, fallback: [llm_usage.tokens, even]}
"""


def rule(match: str = "{service: x}", allocate: str = "{method: even}", name: str = "one") -> str:
    return f"format: 1\nrules:\n  - name: {name}\n    match: {match}\n    allocate: {allocate}\n"


def test_rules_come_out_typed_and_in_order() -> None:
    rules = parse_rules(GOOD)
    own, shared = rules.rules
    assert rules.feature == Tag("feature")
    assert own.allocate == Direct(Tag("tenant"))
    assert isinstance(shared.allocate, Split)
    assert shared.allocate.drivers == (Measure("usage", "requests", 6), Measure("llm_usage", "tokens", 0), "even")
    assert shared.conditions[0].values == ("Amazon S3", "Amazon EC2")
    assert [str(measure) for measure in rules.measures] == ["llm_usage.tokens", "usage.requests"]


def test_a_tenant_can_be_what_follows_a_text_in_a_column() -> None:
    (one,) = parse_rules(rule(allocate='{method: direct, tenant: {column: iam_principal, after: "tenant="}}')).rules
    assert one.allocate == Direct(After(Column("iam_principal"), "tenant="))


def test_the_version_of_rules_is_what_it_was_before_there_was_more_to_say() -> None:
    assert parse_rules(GOOD).version == "0a95c682ce43"


def test_the_version_follows_the_meaning_and_not_the_layout() -> None:
    assert parse_rules("# a comment\n" + GOOD).version == parse_rules(GOOD).version
    assert parse_rules(GOOD.replace("even]", "usage.bytes]")).version != parse_rules(GOOD).version


def test_the_example_that_users_start_from_is_valid() -> None:
    assert len(parse_rules(EXAMPLE.read_text()).rules) > 5


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- a", "The rules file must be a mapping"),
        ("format: [", "not valid YAML at line"),
        ("format: 2\nrules: []", "`format: 1`"),
        ("format: 1\nrules: []", "at least one rule"),
        ("format: 1\nrule: []\nrules: []", "does not know the key `rule`"),
        (rule() + "  - {name: one, match: {service: y}, allocate: {method: even}}", "Two rules are named 'one'"),
        (rule(name="a/b"), "Rule 1 needs a `name`"),
        (rule(match="{}"), "`match` of rule 'one' is empty"),
        (rule(match="{account: x}"), "does not know `account`"),
        (rule(match="{sub_account: 210000000002}"), "`match.sub_account` of rule 'one' must be text"),
        (rule(match="{sub_account: ['*', a]}"), "stands alone"),
        (rule(match="{tag: x}"), "`match.tag` of rule 'one' must be a mapping"),
        (rule(match="{tag: {a: ''}}"), "`match.tag.a` of rule 'one' must be text"),
        (rule(allocate="{method: guess}"), "`allocate.method` of rule 'one' must be one of"),
        (rule(allocate="{method: even, metric: usage.requests}"), "does not know the key `metric`"),
        (rule(allocate="{method: driver}"), "needs a `metric`"),
        (rule(allocate="{method: driver, metric: feature_usage.p95_ms}"), "`allocate.metric` of rule 'one' is"),
        (rule(allocate="{method: driver, metric: usage.requests, per: week}"), "`allocate.per` of rule 'one'"),
        (rule(allocate="{method: driver, metric: usage.requests, fallback: even}"), "must be a list"),
        (
            rule(allocate="{method: driver, metric: usage.requests, cascade: {feature: usage.bytes}}"),
            "known by feature",
        ),
        (rule(allocate="{method: direct}"), "`allocate.tenant` of rule 'one' must be a mapping"),
        (rule(allocate="{method: direct, tenant: {map: {sub_account: {'1': 'a b'}}}}"), "not a tenant id"),
        (rule(allocate="{method: direct, tenant: {column: description}}"), "must be `{tag: <key>}`"),
        (rule(allocate="{method: direct, tenant: {column: iam_principal, after: ''}}"), "`after` in `allocate.tenant`"),
        (rule(allocate="{method: direct, tenant: {column: region, before: x}}"), "must be `{tag: <key>}`"),
        (
            rule(allocate="{method: direct, tenant: {map: {tag: {t: {a: b}}}, after: x}}"),
            "does not know the key `after`",
        ),
        (
            rule(allocate="&it {method: driver, metric: feature_usage.calls, cascade: *it}"),
            "`allocate.cascade` of rule 'one'",
        ),
        (rule(allocate="{method: proxy, fallback: &it [*it]}"), "`allocate.fallback` of rule 'one'"),
        (rule(match="{tag: &it {a: *it}}"), "`match.tag.a` of rule 'one'"),
        (rule(match="{service: x, service: y}"), "stands twice"),
        (rule(match="{1: x}"), "which is not text"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence_that_names_rule_and_key(text: str, says: str) -> None:
    with pytest.raises(RulesError) as raised:
        parse_rules(text)
    assert says in str(raised.value)
    assert str(raised.value).endswith(".")
