"""Cursors, bound to caller, tool and question."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenantscope_core.results.cursors import CursorKey
from tenantscope_core.results.errors import InvalidCursor

KEY = CursorKey(b"k" * 32)
OWNER = {"server": "s", "tool": "t", "tenant": "acme", "subject": "ann"}
QUESTION = {"status": "active"}


def test_a_cursor_comes_back_to_its_owner():
    cursors = KEY.bind(**OWNER)
    assert cursors.read(cursors.write({"after": "x"}, question=QUESTION), question=QUESTION) == {"after": "x"}


@pytest.mark.parametrize(
    "change", [{"tenant": "globex"}, {"tenant": None}, {"subject": "bob"}, {"tool": "u"}, {"server": "x"}]
)
def test_a_cursor_of_another_caller_tool_or_server_is_refused(change: dict[str, str | None]):
    cursor = KEY.bind(**OWNER).write({"after": "x"}, question=QUESTION)
    with pytest.raises(InvalidCursor):
        KEY.bind(**{**OWNER, **change}).read(cursor, question=QUESTION)  # pyright: ignore[reportArgumentType]


def test_a_cursor_of_another_question_is_refused():
    cursors = KEY.bind(**OWNER)
    with pytest.raises(InvalidCursor):
        cursors.read(cursors.write({}, question=QUESTION), question={"status": "suspended"})


def test_a_cursor_under_another_key_is_refused():
    cursor = KEY.bind(**OWNER).write({}, question=QUESTION)
    with pytest.raises(InvalidCursor):
        CursorKey(b"other" * 8).bind(**OWNER).read(cursor, question=QUESTION)


@given(st.binary(max_size=80), st.text(max_size=40))
def test_anything_invented_is_refused(raw: bytes, text: str):
    cursors = KEY.bind(**OWNER)
    for invented in (base64.urlsafe_b64encode(raw).decode(), text, "A" * 5_000):
        with pytest.raises(InvalidCursor):
            cursors.read(invented, question=QUESTION)


def test_a_page_begins_where_the_one_before_ended_as_long_as_the_data_are_the_same():
    cursors, versions = KEY.bind(**OWNER), [f"run-{number:04d}-of-a-month" for number in range(240)]
    assert cursors.start(None, question=QUESTION, version=versions) == 0
    cursor = cursors.following(60, question=QUESTION, version=versions)
    assert cursors.start(cursor, question=QUESTION, version=versions) == 60
    with pytest.raises(InvalidCursor):
        cursors.start(cursor, question=QUESTION, version=[*versions[1:], "another"])
