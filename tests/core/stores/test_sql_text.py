"""SQL as text: a value can only ever be a value."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenantscope_core.stores.sql_text import Scalar, SqlText, identifier, literal, string_literal

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])
VALUES = st.one_of(
    TEXTS,
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.none(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals(min_value=-(10**20), max_value=10**20, places=12),
    st.dates(),
)


@given(VALUES)
def test_a_literal_is_exactly_its_value(value: Scalar):
    row = duckdb.sql(f"SELECT {literal(value)}").fetchone()
    assert row is not None
    assert row[0] == value
    assert isinstance(row[0], type(value))


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=ZONES))
def test_a_datetime_is_its_instant_in_utc(value: datetime):
    row = duckdb.sql(f"SELECT {literal(value)}").fetchone()
    assert row is not None
    assert row[0].replace(tzinfo=UTC) == value


@given(st.lists(TEXTS, max_size=4))
def test_whatever_the_texts_a_statement_stays_the_statement_it_was(values: list[str]):
    rendered = SqlText.read("SELECT " + ", ".join(["1", *"?" * len(values)])).rendered(values)
    assert duckdb.sql(rendered.text).fetchall() == [(1, *values)]


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        Decimal("NaN"),
        Decimal("1E+40"),
        Decimal("1E-40"),
        2**63,
        "a\0b",
        "\ud800",
        datetime(2026, 1, 1),
    ],
)
def test_a_value_without_a_literal_is_refused(value: Scalar):
    with pytest.raises(ValueError, match=r"."):
        literal(value)


def test_question_marks_in_strings_names_and_comments_are_no_placeholders():
    text = SqlText.read("""SELECT '?', "a?", ? /* ? */ -- ?\n, 'it''s ?'""")
    assert len(text.placeholders) == 1
    assert text.rendered([date(2026, 9, 1)]).text.count("CAST('2026-09-01' AS DATE)") == 1


def test_the_number_of_parameters_has_to_match():
    for values in ([], [1, 2]):
        with pytest.raises(ValueError, match="1 placeholders"):
            SqlText.read("SELECT ?").rendered(values)


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "DELETE FROM usage",
        "COPY usage TO 'x'",
        "SELECT 1; SELECT 2",
        "SELECT 1;",
        "SELECT 'open",
        'SELECT "open',
        "SELECT 1 /* open",
        "WITH RECURSIVE a AS (SELECT 1) SELECT * FROM a",
        "EXPLAIN SELECT 1",
        "SELECTED",
    ],
)
def test_only_one_whole_select_is_a_statement(sql: str):
    with pytest.raises(ValueError, match=r"."):
        SqlText.read(sql)


@given(st.text(max_size=20))
def test_a_name_is_quoted_or_refused(name: str):
    try:
        quoted = identifier(name)
    except ValueError:
        return
    assert quoted == f'"{name}"'
    assert '"' not in name


def test_a_quote_is_doubled():
    assert string_literal("o'neill") == "'o''neill'"
