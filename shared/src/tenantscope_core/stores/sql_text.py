"""SQL as text: what is a literal, a name or a placeholder, and how a value becomes a literal that is only a value."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TypeAlias

from tenantscope_core.results.texts import is_unicode

Scalar: TypeAlias = str | int | bool | float | Decimal | date | datetime | None

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_TYPE = re.compile(r"VARCHAR|BIGINT|DOUBLE|DATE|TIMESTAMP|BOOLEAN|DECIMAL\(\d{1,2},\d{1,2}\)|MAP\(VARCHAR, ?VARCHAR\)")
_TOKEN = re.compile(
    r"""
      (?P<string>'(?:[^']|'')*')
    | (?P<name>"(?:[^"]|"")*")
    | (?P<comment>--[^\n]*|/\*.*?\*/)
    | (?P<placeholder>\?)
    | (?P<end>;)
    | (?P<stray>['"]|/\*)
    | (?P<word>[A-Za-z_][A-Za-z0-9_$]*)
    """,
    re.VERBOSE | re.DOTALL,
)
_BIGINT = 2**63
_MAX_PRECISION = 38


@dataclass(frozen=True, slots=True)
class SqlText:
    """One SELECT statement of ours, split at its placeholders.

    `after_with` is what follows a leading WITH, None where the statement has none.
    """

    text: str
    words: frozenset[str]
    placeholders: tuple[int, ...]
    after_with: str | None

    @classmethod
    def read(cls, sql: str) -> "SqlText":
        """Read a statement.

        Raises:
            ValueError: It is not a single SELECT (or WITH … SELECT), or a quotation in it never ends.
        """
        text = sql.strip()
        words: list[str] = []
        placeholders: list[int] = []
        for token in _TOKEN.finditer(text):
            match token.lastgroup:
                case "placeholder":
                    placeholders.append(token.start())
                case "word" | "name":
                    words.append(token[0].strip('"').lower())
                case "end" | "stray":
                    raise ValueError("not a single statement")
                case _:
                    pass
        opening = re.match(r"(select|with)\b(\s+recursive\b)?", text, re.IGNORECASE)
        if opening is None or opening[2]:
            raise ValueError("a query starts with SELECT or WITH")
        after_with = text[opening.end() :].lstrip() if opening[1].lower() == "with" else None
        return cls(text, frozenset(words), tuple(placeholders), after_with)

    def rendered(self, parameters: Sequence[Scalar]) -> "SqlText":
        """The statement with each placeholder replaced by a typed literal.

        Raises:
            ValueError: Their numbers differ, or a value has no literal.
        """
        if len(parameters) != len(self.placeholders):
            raise ValueError(f"{len(self.placeholders)} placeholders, {len(parameters)} parameters")
        pieces: list[str] = []
        start = 0
        for position, value in zip(self.placeholders, parameters, strict=True):
            pieces += [self.text[start:position], literal(value)]
            start = position + 1
        return SqlText.read("".join(pieces) + self.text[start:])


def identifier(name: str) -> str:
    """A quoted name.

    Raises:
        ValueError: It has other characters than letters, digits and `_`.
    """
    if _IDENTIFIER.fullmatch(name) is None:
        raise ValueError(f"not an identifier: {name!r}")
    return f'"{name}"'


def column_type(kind: str) -> str:
    """A type that both engines know under this spelling.

    Raises:
        ValueError: It is not one.
    """
    if _TYPE.fullmatch(kind) is None:
        raise ValueError(f"not a column type: {kind!r}")
    return kind


def string_literal(value: str) -> str:
    """A quoted text.

    Raises:
        ValueError: It holds a NUL or half a surrogate pair.
    """
    if "\0" in value or not is_unicode(value):
        raise ValueError("a text that no engine takes")
    return "'" + value.replace("'", "''") + "'"


def literal(value: Scalar) -> str:
    """A value as a literal of exactly its type; datetimes as UTC timestamps without a zone.

    Raises:
        ValueError: A number is not finite or too long, a text has a NUL, or a datetime has no zone.
    """
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case int():
            if not -_BIGINT <= value < _BIGINT:
                raise ValueError("an integer beyond 64 bits")
            return f"CAST('{value}' AS BIGINT)"
        case float():
            if not math.isfinite(value):
                raise ValueError("a number that is not finite")
            return f"CAST('{value!r}' AS DOUBLE)"
        case Decimal():
            return _decimal(value)
        case datetime():
            return f"CAST('{utc(value).isoformat(sep=' ', timespec='microseconds')}' AS TIMESTAMP)"
        case date():
            return f"CAST('{value.isoformat()}' AS DATE)"
        case str():
            return string_literal(value)


def utc(value: datetime) -> datetime:
    """An aware datetime as UTC without a zone, as datasets store it.

    Raises:
        ValueError: It has no zone.
    """
    if value.tzinfo is None:
        raise ValueError("a datetime without a zone")
    return value.astimezone(UTC).replace(tzinfo=None)


def _decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError("a number that is not finite")
    text = format(value, "f")
    scale = len(text.partition(".")[2])
    if sum(character.isdigit() for character in text) > _MAX_PRECISION:
        raise ValueError("a decimal of more than 38 digits")
    return f"CAST('{text}' AS DECIMAL({_MAX_PRECISION},{scale}))"
