"""Where a line says whose it is, as SQL."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tenantscope_core.results.documents import DocumentFault
from tenantscope_core.stores.sql_text import string_literal

from tenantscope_metrics_logs.log_rules import Constant, Field, Host, PathPart, QueryParameter, Source


@dataclass(frozen=True, slots=True)
class Places:
    """What a format knows of a line, as SQL; `query` only where it stands apart from the target.

    `field` raises DocumentFault where the format has none of that name.
    """

    field: Callable[[str], str]
    target: str
    host: str | None
    query: str | None = None


def first_value(sources: Sequence[Source], places: Places) -> str:
    """The value of the first source that has one, as text.

    Raises:
        DocumentFault: The format says nothing of what a source asks for.
    """
    values = [_value(source, places) for source in sources]
    if not values:
        return "CAST(NULL AS VARCHAR)"
    return values[0] if len(values) == 1 else f"coalesce({', '.join(_said(value) for value in values)})"


def _value(source: Source, places: Places) -> str:
    match source:
        case Field(name):
            return places.field(name)
        case Constant(value):
            return string_literal(value)
        case Host(before, after):
            if places.host is None:
                raise DocumentFault("This format does not say which host was asked, unless `fields.host` names it.")
            pattern = f"^{re.escape(before)}([a-z0-9_-]+){re.escape(after)}(:[0-9]+)?$"
            return f"regexp_extract(lower({places.host}), {string_literal(pattern)}, 1)"
        case PathPart(below):
            folders = "".join(f"/(?i:{re.escape(one)})" for one in below)
            pattern = f"^([a-zA-Z]+://[^/?#]*)?{folders}/([^/?#]+)"
            return f"regexp_extract({places.target}, {string_literal(pattern)}, 2)"
        case QueryParameter(name):
            path, query = (r"[^?#]*\?", places.target) if places.query is None else ("", places.query)
            pattern = f"^{path}([^#]*?&)??{re.escape(name)}=([^&#]*)"
            return f"regexp_extract({query}, {string_literal(pattern)}, 2)"


def _said(value: str) -> str:
    return f"nullif(nullif({value}, '-'), '')"
