"""Pieces of SQL that several questions share."""

from collections.abc import Iterable

from tenantscope_core.results.periods import Period
from tenantscope_core.stores.sql_text import string_literal


def days_of(period: Period) -> str:
    """The predicate for rows whose `day` is in a period."""
    return f"day >= DATE '{period.start}' AND day < DATE '{period.end}'"


def literals(values: Iterable[str]) -> str:
    """Texts for an IN list."""
    return ", ".join(string_literal(value) for value in values)
