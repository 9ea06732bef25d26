"""Names in the audit trail are what STS takes, and no two people share one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenantscope_core.credentials.names import role_session_name, source_identity

STS_TAKES = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
SUBJECTS = st.text(min_size=1) | st.from_regex(r"[a-z|=@. -]{1,80}", fullmatch=True)


@given(SUBJECTS)
def test_any_subject_becomes_what_sts_takes(subject: str):
    assert STS_TAKES.fullmatch(source_identity(subject))
    assert STS_TAKES.fullmatch(role_session_name("cost-explorer", subject))


@given(SUBJECTS, SUBJECTS)
def test_two_subjects_never_share_a_name(first: str, second: str):
    assert (source_identity(first) == source_identity(second)) == (first == second)


def test_the_name_made_for_one_cannot_be_claimed_by_another():
    made = source_identity("ann|1")
    assert source_identity(made) != made


@pytest.mark.parametrize("subject", ["ann@acme.example", "7f3c0a9e-8a52-4a9e-9d0e-2f5c7d1b6a11", "a" * 64])
def test_a_subject_that_sts_takes_stays_readable(subject: str):
    assert source_identity(subject) == subject
