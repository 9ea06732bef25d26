"""Names in the audit trail are what STS takes, no two people share one, and nobody's looks like a tenant's."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenantscope_core.credentials.names import Kind, role_session_name, source_identity

STS_TAKES = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
SUBJECTS = st.text(min_size=1) | st.from_regex(r"[a-z|=@. -]{1,80}", fullmatch=True)
TENANTS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", fullmatch=True)
NAMED = st.tuples(TENANTS, st.just(Kind.TENANT)) | st.tuples(SUBJECTS, st.sampled_from([Kind.USER, Kind.STAFF]))
Named = tuple[str, Kind]


@given(NAMED)
def test_anyone_becomes_what_sts_takes(named: Named):
    assert STS_TAKES.fullmatch(source_identity(*named))
    assert STS_TAKES.fullmatch(role_session_name("cost-explorer", *named))


@given(NAMED, NAMED)
def test_no_two_share_a_name(first: Named, second: Named):
    assert (source_identity(*first) == source_identity(*second)) == (first == second)
    names = [role_session_name("cost-explorer", *each) for each in (first, second)]
    assert (names[0] == names[1]) == (first == second)


@given(NAMED, st.from_regex(r"[a-z-]{1,70}", fullmatch=True))
def test_the_mark_says_whose_name_it_is(named: Named, server: str):
    _, kind = named
    for name in (source_identity(*named), role_session_name(server, *named)):
        marks = [each for each in (Kind.USER, Kind.STAFF) if name.startswith(each)]
        assert marks == ([] if kind is Kind.TENANT else [kind])


def test_the_name_made_for_one_cannot_be_claimed_by_another():
    made = source_identity("ann|1", Kind.STAFF)
    for claimed in (made, made.removeprefix(Kind.STAFF)):
        assert source_identity(claimed, Kind.STAFF) != made


@pytest.mark.parametrize("subject", ["ann@acme.example", "7f3c0a9e-8a52-4a9e-9d0e-2f5c7d1b6a11", "a" * 58])
def test_a_subject_that_sts_takes_stays_readable(subject: str):
    assert source_identity(subject, Kind.STAFF) == f"staff={subject}"


def test_a_tenant_goes_by_its_own_name():
    assert source_identity("acme") == "acme"
    assert role_session_name("cost-explorer", "acme") == "cost-explorer@acme"
