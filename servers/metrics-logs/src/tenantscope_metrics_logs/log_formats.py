"""The formats of access logs: how each is recognised, and the SQL that takes its lines apart.

A format's SQL reads a relation with one column `line` (and others, which it leaves alone) and adds, all of them NULL
where the line does not say:

| column | what |
| --- | --- |
| `fault` | why the line is none of this format: `comment` or `unreadable` |
| `at_utc` | when the request came, TIMESTAMP in UTC, between 2000 and 2100 |
| `method`, `target` | as the request spells them; the target with its query |
| `status` | 0 to 999, 0 where none was sent |
| `bytes` | BIGINT of what was sent, up to 10^15 |
| `us` | BIGINT microseconds that the request took, up to a day |
| `tenant`, `person` | VARCHAR, by the rules' sources |

- `combined`: Apache's and nginx's combined and common formats. Fields: `user`, `referer`, `agent`; a number right after
  the user agent is `after_agent`, and more quoted fields after that are `extra_1` and so on.
- `alb`: Application Load Balancers' access logs. Fields by AWS's names: `elb`, `domain_name`, `trace_id`.
- `cloudfront`: CloudFront's standard logs, fields by the names in the `#Fields` of each file.
- `api-gateway`: JSON lines with the names of API Gateway's context variables.
- `json`: JSON lines with the names that the rules give.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tenantscope_core.results.documents import DocumentFault
from tenantscope_core.stores.sql_text import string_literal

from tenantscope_metrics_logs.log_rules import Field, LogRules
from tenantscope_metrics_logs.log_sources import Places, first_value

MAX_BYTES = 10**15
MAX_MICROSECONDS = 86_400_000_000
MS = "milliseconds"
_NEEDED = ("time", "method", "path", "status")
_CLF_TIME = "%d/%b/%Y:%H:%M:%S %z"


class LogFormat(StrEnum):
    """The formats, by the name that settings give them."""

    COMBINED = "combined"
    ALB = "alb"
    CLOUDFRONT = "cloudfront"
    API_GATEWAY = "api-gateway"
    JSON = "json"


API_GATEWAY_FIELDS = {
    "time": "requestTime",
    "method": "httpMethod",
    "path": "path",
    "status": "status",
    "bytes": "responseLength",
    "milliseconds": "responseLatency",
    "host": "domainName",
}

_CLF = re.compile(r'\S+ \S+ .* \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "')
_ALB = re.compile(r"(https?|h2|grpcs|wss?) \d{4}-\d\d-\d\dT[0-9:.]+Z \S+ \S+ \S+ -?[0-9.]+ -?[0-9.]+ -?[0-9.]+ ")


def recognise(lines: Sequence[str]) -> LogFormat | None:
    """The format of most of these lines, the first of a log; None where no format has half of them."""
    votes = [found for line in lines if (found := _of_line(line)) is not None]
    best = max(LogFormat, key=votes.count)
    if LogFormat.CLOUDFRONT in votes:
        return LogFormat.CLOUDFRONT  # its data lines are told by its first two
    return best if votes and 2 * votes.count(best) >= len(lines) else None


def _of_line(line: str) -> LogFormat | None:
    if line.startswith("#Fields:"):
        return LogFormat.CLOUDFRONT
    if line.startswith("{"):
        try:
            document: Any = json.loads(line)
        except (ValueError, RecursionError):
            return None
        return LogFormat.API_GATEWAY if {"requestTime", "httpMethod", "status"} <= set(document) else LogFormat.JSON
    if _ALB.match(line):
        return LogFormat.ALB
    return LogFormat.COMBINED if _CLF.match(line) else None


@dataclass(frozen=True, slots=True)
class _Taken:
    """A line taken apart: SQL over the columns of `apart`."""

    apart: str
    """A relation over the lines with the columns `made`, which the expressions read and nobody else does."""
    made: str
    fault: str
    at: str
    method: str
    target: str
    status: str
    bytes: str | None
    seconds: str | None
    host: str | None
    field: Callable[[str], str]
    query: str | None = None


def read_sql(kind: LogFormat, rules: LogRules, header: str | None, lines: str) -> str:
    """The relation of this module's docstring over the relation `lines`; `header` is a CloudFront file's `#Fields`.

    Raises:
        DocumentFault: The rules ask for a field that the format does not have.
    """
    return _read(_taken(kind, rules, header, lines), rules)


def object_columns(kind: LogFormat, rules: LogRules) -> Mapping[str, str] | None:
    """The columns by which DuckDB reads lines of JSON itself, with their types; None for other formats."""
    fields = _json_fields(kind, rules)
    return None if fields is None else {name: _type(inner) for name, inner in _structure(fields, rules).items()}


def read_objects_sql(kind: LogFormat, rules: LogRules, objects: str) -> str:
    """The same as `read_sql` over a relation whose column `_line` is a struct of `object_columns`."""
    fields = _json_fields(kind, rules)
    if fields is None:
        raise ValueError(f"{kind} is no JSON")
    return _read(_objects(fields, objects), rules)


def _taken(kind: LogFormat, rules: LogRules, header: str | None, lines: str) -> _Taken:
    match kind:
        case LogFormat.COMBINED:
            return _combined(rules, lines)
        case LogFormat.ALB:
            return _alb(rules, lines)
        case LogFormat.CLOUDFRONT:
            return _cloudfront(rules, header or "", lines)
        case LogFormat.API_GATEWAY | LogFormat.JSON:
            return _json_lines(_json_fields(kind, rules) or {}, rules, lines)


def _read(taken: _Taken, rules: LogRules) -> str:
    seconds = f"CAST(round(TRY_CAST({taken.seconds} AS DOUBLE) * 1000000) AS DOUBLE)" if taken.seconds else "NULL"
    size = f"TRY_CAST({taken.bytes} AS BIGINT)" if taken.bytes else "NULL"
    status = f"TRY_CAST(CASE {taken.status} WHEN '-' THEN '0' ELSE {taken.status} END AS SMALLINT)"
    places = Places(taken.field, taken.target, taken.host, taken.query)

    return f"""
SELECT * EXCLUDE (_size, _us, _status, _at) REPLACE (nullif(nullif(tenant, '-'), '') AS tenant,
    nullif(nullif(person, '-'), '') AS person),
  CASE WHEN _at BETWEEN TIMESTAMP '2000-01-01' AND TIMESTAMP '2100-01-01' THEN _at END AS at_utc,
  CASE WHEN _status BETWEEN 0 AND 999 THEN _status END AS status,
  CASE WHEN _size BETWEEN 0 AND {MAX_BYTES} THEN _size END AS bytes,
  CASE WHEN _us BETWEEN 0 AND {MAX_MICROSECONDS} THEN CAST(_us AS BIGINT) END AS us
FROM (
  SELECT * EXCLUDE ({taken.made}), {taken.fault} AS fault, {taken.at} AS _at, {taken.method} AS method,
    {taken.target} AS target, {status} AS _status, {size} AS _size, {seconds} AS _us,
    {first_value(rules.tenant, places)} AS tenant, {first_value(rules.user, places)} AS person
  FROM ({taken.apart}))"""


def _clf_time(text: str) -> str:
    return f"CAST(try_strptime({text}, '{_CLF_TIME}') AS TIMESTAMP)"


def _iso_time(text: str) -> str:
    """UTC is read as it stands: with a zone it takes five times as long."""
    zoned = f"CAST(TRY_CAST({text} AS TIMESTAMP WITH TIME ZONE) AS TIMESTAMP)"
    return f"CASE WHEN suffix({text}, 'Z') THEN TRY_CAST({text} AS TIMESTAMP) ELSE {zoned} END"


def _any_time(text: str) -> str:
    """ISO 8601 (UTC where no zone is said), Apache's form, or seconds or milliseconds since 1970."""
    number = f"TRY_CAST({text} AS DOUBLE)"
    return (
        f"CASE substr({text}, 5, 1) WHEN '-' THEN {_iso_time(text)} ELSE"
        f" CASE WHEN substr({text}, 3, 1) = '/' THEN {_clf_time(text)}"
        f" WHEN {number} BETWEEN 1e8 AND 1e10 THEN make_timestamp(CAST({number} * 1000000 AS BIGINT))"
        f" WHEN {number} BETWEEN 1e11 AND 1e13 THEN make_timestamp(CAST({number} * 1000 AS BIGINT)) END END"
    )


def _quoted(lines: str) -> str:
    """Lines split at their quotes, of which those that are escaped do not count."""
    bare = """CASE WHEN contains(line, '\\') THEN replace(replace(line, '\\\\', chr(2)), '\\"', chr(1)) ELSE line END"""
    return f"SELECT *, string_split({bare}, '\"') AS _quoted FROM ({lines})"


def _combined(rules: LogRules, lines: str) -> _Taken:
    after_agent = "_quoted[7]"
    known = {"user": "split_part(_quoted[1], ' ', 3)", "referer": "_quoted[4]", "agent": "_quoted[6]"}
    known |= {f"extra_{number}": f"_quoted[{6 + 2 * number}]" for number in range(1, 6)}
    known["after_agent"] = f"split_part({after_agent}, ' ', 2)"
    return _Taken(
        apart=_quoted(lines),
        made="line, _quoted",
        fault="CASE WHEN len(_quoted) < 3 OR right(_quoted[1], 2) <> '] ' THEN 'unreadable' END",
        at=_clf_time("left(right(_quoted[1], 28), 26)"),
        method="split_part(_quoted[2], ' ', 1)",
        target="split_part(_quoted[2], ' ', 2)",
        status="split_part(_quoted[3], ' ', 2)",
        bytes="CASE split_part(_quoted[3], ' ', 3) WHEN '-' THEN '0' ELSE split_part(_quoted[3], ' ', 3) END",
        seconds=_duration(rules.fields, lambda name: _of(known, name, LogFormat.COMBINED)),
        host=_named(rules.fields, "host", known, LogFormat.COMBINED),
        field=lambda name: _of(known, name, LogFormat.COMBINED),
    )


def _alb(rules: LogRules, lines: str) -> _Taken:
    known = {"elb": "_words[3]", "trace_id": "_quoted[6]", "domain_name": "_quoted[8]", "user_agent": "_quoted[4]"}
    _no_fields(rules, LogFormat.ALB)
    times = [f"TRY_CAST(_words[{number}] AS DOUBLE)" for number in (6, 7, 8)]
    return _Taken(
        apart=f"SELECT *, string_split(_quoted[1], ' ') AS _words FROM ({_quoted(lines)})",
        made="line, _quoted, _words",
        fault="CASE WHEN len(_words) <> 13 OR len(_quoted) < 9 THEN 'unreadable' END",
        at=_iso_time("_words[2]"),
        method="split_part(_quoted[2], ' ', 1)",
        target="split_part(_quoted[2], ' ', 2)",
        status="_words[9]",
        bytes="_words[12]",
        seconds=f"CASE WHEN least({', '.join(times)}) >= 0 THEN {' + '.join(times)} END",
        host="CASE WHEN _quoted[8] = '-' THEN regexp_extract(_quoted[2], '://([^/:?# ]+)', 1) ELSE _quoted[8] END",
        field=lambda name: _of(known, name, LogFormat.ALB),
    )


def _cloudfront(rules: LogRules, header: str, lines: str) -> _Taken:
    names = header.removeprefix("#Fields:").split()
    known = {name: f"_fields[{place}]" for place, name in enumerate(names, start=1)}
    _no_fields(rules, LogFormat.CLOUDFRONT)

    def column(name: str) -> str:
        return known.get(name, "NULL")

    return _Taken(
        apart=f"SELECT *, string_split(line, chr(9)) AS _fields FROM ({lines})",
        made="line, _fields",
        fault=f"CASE WHEN starts_with(line, '#') THEN 'comment' WHEN len(_fields) <> {max(len(names), 1)}"
        f" OR {len(names)} = 0 THEN 'unreadable' END",
        at=f"TRY_CAST({column('date')} || ' ' || {column('time')} AS TIMESTAMP)",
        method=column("cs-method"),
        target=column("cs-uri-stem"),
        status=column("sc-status"),
        bytes=column("sc-bytes"),
        seconds=column("time-taken"),
        host=column("x-host-header"),
        field=lambda name: _of(known, name, LogFormat.CLOUDFRONT),
        query=column("cs-uri-query"),
    )


def _json_fields(kind: LogFormat, rules: LogRules) -> Mapping[str, str] | None:
    """What JSON lines call what is needed; None where they are none.

    Raises:
        DocumentFault: The rules do not name what they have to.
    """
    match kind:
        case LogFormat.API_GATEWAY:
            other_unit = {"seconds", "microseconds"} & set(rules.fields)
            ours = {name: theirs for name, theirs in API_GATEWAY_FIELDS.items() if not other_unit or name != MS}
            fields = {**ours, **rules.fields}
        case LogFormat.JSON:
            fields = rules.fields
        case _:
            return None
    for needed in _NEEDED:
        if needed not in fields:
            raise DocumentFault(f"JSON lines need `fields.{needed}` in the rules: the name that they give it.")
    return fields


def _json_lines(fields: Mapping[str, str], rules: LogRules, lines: str) -> _Taken:
    structure = string_literal(json.dumps(_structure(fields, rules)))
    objects = f"""
SELECT * EXCLUDE (line), TRY(from_json(line, {structure})) AS _line FROM ({lines})
WHERE line IS NULL OR trim(line, chr(32) || chr(9) || chr(13)) <> ''"""
    return _objects(fields, objects)


def _objects(fields: Mapping[str, str], objects: str) -> _Taken:
    def column(name: str) -> str:
        return "_line" + "".join(f'."{part}"' for part in name.split("."))

    missing = " AND ".join(f"{column(fields[name])} IS NULL" for name in _NEEDED)
    return _Taken(
        apart=objects,
        made="_line",
        fault=f"CASE WHEN {missing} THEN 'unreadable' END",
        at=_any_time(column(fields["time"])),
        method=column(fields["method"]),
        target=column(fields["path"]),
        status=column(fields["status"]),
        bytes=column(fields["bytes"]) if "bytes" in fields else None,
        seconds=_duration(fields, column),
        host=column(fields["host"]) if "host" in fields else None,
        field=column,
    )


def _structure(fields: Mapping[str, str], rules: LogRules) -> dict[str, Any]:
    """What is to be looked for in an object: nested where names have dots, every value as text."""
    names = [*fields.values(), *(one.name for one in (*rules.tenant, *rules.user) if isinstance(one, Field))]
    found: dict[str, Any] = {}
    folded: dict[str, str] = {}
    for name in names:
        if folded.setdefault(name.lower(), name) != name:
            raise DocumentFault(f"The rules ask for the field `{name}` and for one that differs in case alone.")
        if any(one.startswith(f"{name}.") for one in names):
            raise DocumentFault(f"The rules ask for the field `{name}` and for one within it.")
        *folders, last = name.split(".")
        inner = found
        for folder in folders:
            inner = inner.setdefault(folder, {})
        inner[last] = "VARCHAR"
    return found


def _type(inner: Any) -> str:
    if isinstance(inner, str):
        return inner
    parts = ", ".join(f'"{name}" {_type(each)}' for name, each in inner.items())
    return f"STRUCT({parts})"


def _duration(fields: Mapping[str, str], column: Callable[[str], str]) -> str | None:
    for unit, scale in (("milliseconds", 1e-3), ("seconds", 1.0), ("microseconds", 1e-6)):
        if fields.get(unit):
            return f"(TRY_CAST({column(fields[unit])} AS DOUBLE) * {scale})"
    return None


def _named(fields: Mapping[str, str], ours: str, known: Mapping[str, str], kind: LogFormat) -> str | None:
    return _of(known, fields[ours], kind) if ours in fields else None


def _of(known: Mapping[str, str], name: str, kind: LogFormat) -> str:
    if name not in known:
        raise DocumentFault(f"A line of the format {kind} has no field `{name}`; it has {', '.join(sorted(known))}.")
    return known[name]


def _no_fields(rules: LogRules, kind: LogFormat) -> None:
    if rules.fields:
        raise DocumentFault(f"`fields` is for other formats: where {kind} has what is fixed.")
