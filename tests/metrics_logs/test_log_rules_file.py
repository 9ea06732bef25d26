"""The rules file of an access log: what it says, and one sentence for what is wrong with it."""

import pytest
from tenantscope_core.results.documents import DocumentFault
from tenantscope_metrics_logs.log_rules import Constant, Field, Host, PathPart, QueryParameter
from tenantscope_metrics_logs.log_rules_file import parse_log_rules, routes_text
from tenantscope_metrics_logs.routes import Route
from tenantscope_sandbox.company import ACCESS_LOG_RULES
from tenantscope_sandbox.company.features import FEATURES

FULL = """
format: 1
tenant:
  - {field: authorizer.tenant_id}
  - {host: "{tenant}.example.com"}
  - {path: "/t/{tenant}"}
  - {query: org}
  - {constant: acme}
tenants: {"42": acme}
user: {field: sub}
fields: {time: ts, method: verb, path: url, status: code, seconds: took}
other: leave_out
routes:
  - {route: "/v1/trips/{id}", feature: trips, actions: {GET: view}}
  - {route: "*.png"}
"""


def test_a_file_says_where_tenant_user_and_features_are():
    rules = parse_log_rules(FULL)
    assert rules.tenant == (
        Field("authorizer.tenant_id"), Host("", ".example.com"), PathPart(("t",)), QueryParameter("org"),
        Constant("acme"),
    )  # fmt: skip
    assert rules.tenants == (("42", "acme"),)
    assert rules.user == (Field("sub"),)
    assert rules.fields["seconds"] == "took"
    assert not rules.other_is_a_feature
    assert rules.routes == (Route("trips", "/v1/trips/{id}", (("GET", "view"),)), Route("*.png", "*.png"))
    assert rules.tenant_place == 1


def test_the_version_is_of_the_meaning_and_not_of_the_text():
    rules = parse_log_rules(FULL)
    assert parse_log_rules("# a comment\n" + FULL.replace("GET: view", "GET:   view")).version == rules.version
    for old, new in (("GET: view", "GET: look"), ("leave_out", "count"), ("took", "ms"), ("org", "o"), ("acme}", "b}")):
        assert parse_log_rules(FULL.replace(old, new)).version != rules.version


def test_the_sandbox_s_company_names_its_own_features():
    rules = parse_log_rules(ACCESS_LOG_RULES.read_text())
    assert rules.routes == tuple(
        Route(one.name, one.route, tuple(sorted((action.method, action.name) for action in one.actions)))
        for one in FEATURES
    )


def test_learned_routes_are_printed_as_a_file_takes_them():
    learned = [Route(one, one) for one in ("/", "/v1/trips/{id}", "*.png")]
    rules = parse_log_rules("format: 1\ntenant: {constant: a}\n" + routes_text(learned))
    assert list(rules.routes or ()) == learned


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must be a mapping"),
        ("format: 2\ntenant: {constant: a}", "must say `format: 1`"),
        ("format: 1", "need `tenant`"),
        ("{format: 1, tenant: {constant: a}, tenant: {constant: b}}", "stands twice"),
        ("{format: 1, tenant: {constant: a}, rout: []}", "does not know the key `rout`"),
        ("{format: 1, tenant: {constant: a, field: b}}", "exactly one of"),
        ("{format: 1, tenant: {header: a}}", "does not know the key `header`"),
        ("{format: 1, tenant: []}", "one to 5 sources"),
        ("{format: 1, tenant: {constant: '*'}}", "not an id"),
        ("{format: 1, tenant: {constant: 7}}", "must be text"),
        ("{format: 1, tenant: {field: 'a b'}}", "not a field's name"),
        ("{format: 1, tenant: {field: 'a\"b'}}", "not a field's name"),
        ("{format: 1, tenant: {host: 'example.com'}}", "must be like"),
        ("{format: 1, tenant: {host: '{tenant}'}}", "must be like"),
        ("{format: 1, tenant: {path: '/t/{tenant}/x'}}", "must end with"),
        ("{format: 1, tenant: {query: 'a=b'}}", "not a parameter's name"),
        ("{format: 1, tenant: {constant: a}, tenants: {x: '../b'}}", "not a tenant id"),
        ("{format: 1, tenant: {constant: a}, fields: {when: t}}", "does not know the key `when`"),
        ("{format: 1, tenant: {constant: a}, fields: {seconds: a, milliseconds: b}}", "only one of"),
        ("{format: 1, tenant: {constant: a}, other: drop}", "`count` or `leave_out`"),
        ("{format: 1, tenant: {constant: a}, routes: []}", "one to 500 routes"),
        ("{format: 1, tenant: {constant: a}, routes: [{feature: x}]}", "Route 1 needs a `route`"),
        ("{format: 1, tenant: {constant: a}, routes: [{route: x}]}", "must begin with `/`"),
        ("{format: 1, tenant: {constant: a}, routes: [{route: /x}, {route: /X/}]}", "stands twice"),
        ("{format: 1, tenant: {constant: a}, routes: [{route: /x, feature: (other)}]}", "not a name"),
        ("{format: 1, tenant: {constant: a}, routes: [{route: /x, feature: \"a\\nb\"}]}", "not a name"),
        ("{format: 1, tenant: {constant: a}, routes: [{route: /x, actions: {BREW: tea}}]}", "does not know the key"),
        ("{format: 1, tenant: {constant: a}, routes: [{route: /x, actions: {GET: ''}}]}", "not a name"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_a_sentence(text: str, words: str):
    with pytest.raises(DocumentFault) as fault:
        parse_log_rules(text)
    assert words in str(fault.value)
