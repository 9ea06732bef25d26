"""A session policy opens one tenant and can be made to open nothing else."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenantscope_core.credentials.policy import MAX_POLICY_CHARS, PolicyError, render_session_policy

TENANT_IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", fullmatch=True)
NAMES = {"DatasetsBucket": "datasets", "AccountId": "210000000001"}


def document(
    resource: str = "arn:aws:s3:::${DatasetsBucket}/tenant_id=${aws:PrincipalTag/TenantId}/*",
) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": resource}],
    }


@pytest.mark.requirement("session-policies")
@given(TENANT_IDS)
def test_the_tenant_stands_literally_where_the_variable_stood(tenant: str):
    rendered = render_session_policy(document(), tenant=tenant, names=NAMES)
    assert json.loads(rendered) == document(f"arn:aws:s3:::datasets/tenant_id={tenant}/*")
    assert not re.search(r"\s", rendered)


@given(TENANT_IDS, TENANT_IDS)
def test_two_tenants_never_share_a_policy(first: str, second: str):
    rendered = [render_session_policy(document(), tenant=tenant, names=NAMES) for tenant in (first, second)]
    assert (rendered[0] == rendered[1]) == (first == second)


@pytest.mark.requirement("tenant-ids-as-they-are")
@given(st.text().filter(lambda text: not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", text)))
def test_what_is_no_tenant_id_is_refused(tenant: str):
    with pytest.raises(PolicyError):
        render_session_policy(document(), tenant=tenant, names=NAMES)


@pytest.mark.requirement("tenant-ids-as-they-are")
@given(
    st.text(max_size=20),
    st.sampled_from(["*", "?", "${aws:userid}", "$", "{", '"', "\n", " ", ","]),
    st.text(max_size=20),
)
def test_no_name_brings_a_wildcard_variable_or_quote_along(before: str, bad: str, after: str):
    with pytest.raises(PolicyError):
        render_session_policy(document(), tenant="acme", names={"DatasetsBucket": before + bad + after})


@pytest.mark.parametrize(
    "resource",
    [
        "${aws:userid}",
        "${aws:PrincipalTag/tenantid}",
        "${aws:PrincipalTag/TenantTier}",
        "${Unknown}",
        "${*}",
        "${$}",
        "${",
        "${DatasetsBucket",
        "${${DatasetsBucket}}",
        "${DatasetsBucket}${",
        "${}",
    ],
)
def test_a_variable_left_over_is_refused(resource: str):
    with pytest.raises(PolicyError):
        render_session_policy(document(resource), tenant="acme", names=NAMES)


def test_a_variable_in_a_key_is_refused():
    policy = document()
    policy["Statement"][0]["Condition"] = {"StringEquals": {"aws:RequestTag/${DatasetsBucket}": "x"}}
    with pytest.raises(PolicyError):
        render_session_policy(policy, tenant="acme", names=NAMES)


def test_names_cannot_redefine_the_tenant():
    with pytest.raises(PolicyError):
        render_session_policy(document(), tenant="acme", names={**NAMES, "aws:PrincipalTag/TenantId": "globex"})


def test_a_fleet_policy_cannot_use_the_tenant():
    with pytest.raises(PolicyError):
        render_session_policy(document(), tenant=None, names=NAMES)
    assert "datasets" in render_session_policy(document("${DatasetsBucket}"), tenant=None, names=NAMES)


@pytest.mark.requirement("session-policies")
def test_a_policy_longer_than_sts_takes_is_refused():
    spare = MAX_POLICY_CHARS - len(render_session_policy(document("x"), tenant="acme", names=NAMES)) + 1
    assert len(render_session_policy(document("x" * spare), tenant="acme", names=NAMES)) == MAX_POLICY_CHARS
    with pytest.raises(PolicyError, match="2049 characters"):
        render_session_policy(document("x" * (spare + 1)), tenant="acme", names=NAMES)


@pytest.mark.parametrize("policy", [{}, {"Version": "2012-10-17"}, {"Statement": []}])
def test_a_policy_that_says_nothing_is_refused(policy: dict[str, Any]):
    with pytest.raises(PolicyError, match="no statement"):
        render_session_policy(policy, tenant="acme", names=NAMES)
