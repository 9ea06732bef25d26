"""Route templates, and the SQL that finds the template of a path.

A template is matched segment by segment, letter case and a last `/` aside: a literal takes itself, a parameter any one
segment. Of several that match, the one whose literal comes first wins. `*.png` takes every path with that ending,
before all others. A percent-encoded segment is a value and never a literal; a path that climbs (`..`) matches nothing.

Each path is written as a number, its key, whose digits are its segments: the position of the literal among those that
templates of that length have at that place, 0 for any other segment. The keys that lead to a template are listed
beforehand, so that one look-up finds it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import prod

from tenantscope_core.stores.sql_text import string_literal

MAX_SEGMENTS = 16
MAX_KEYS = 20_000
MAX_KEY = 1 << 56
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE")
ANY = "{}"

_PARAMETER = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]{0,39}\}")
_LITERAL = re.compile(r"[A-Za-z0-9._~@:+,;=!$&()-]{1,60}")
_ENDING = re.compile(r"\*\.([a-z0-9]{1,8})")


class RouteFault(ValueError):
    """A template cannot be used; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Route:
    """Paths of one form: the feature they belong to, and what each method does there (else its own name)."""

    feature: str
    template: str
    actions: tuple[tuple[str, str], ...] = ()

    @property
    def ending(self) -> str | None:
        """The ending that it takes, for `*.png`."""
        match = _ENDING.fullmatch(self.template)
        return match[1] if match else None

    @property
    def segments(self) -> tuple[str, ...]:
        """Its segments in lower case, parameters as `{}`.

        Raises:
            RouteFault: It is no template.
        """
        if self.template == "/":
            return ()
        head, *rest = self.template.removesuffix("/").split("/")
        if head or not rest or len(rest) > MAX_SEGMENTS:
            raise RouteFault(f"The route {self.template!r} must begin with `/` and have at most {MAX_SEGMENTS} parts.")
        for part in rest:
            if not _PARAMETER.fullmatch(part) and (part in (".", "..") or not _LITERAL.fullmatch(part)):
                raise RouteFault(
                    f"The part {part!r} of the route {self.template!r} is neither a name nor a parameter in braces."
                )
        return tuple(ANY if part.startswith("{") else part.lower() for part in rest)


@dataclass(frozen=True, slots=True)
class RouteTable:
    """Templates made ready for look-up: `keys` lead to positions in `routes`, and so do `endings`."""

    routes: tuple[Route, ...]
    keys: Mapping[int, int]
    endings: Mapping[str, int]
    literals: Mapping[int, tuple[tuple[str, ...], ...]]
    """For each length, the literals at each place."""

    @classmethod
    def of(cls, routes: Sequence[Route]) -> "RouteTable":
        """Make ready.

        Raises:
            RouteFault: One is no template, two are the same, or they overlap in too many ways.
        """
        endings: dict[str, int] = {}
        known: dict[tuple[str, ...], int] = {}
        for position, route in enumerate(routes):
            if route.ending is not None:
                fresh = endings.setdefault(route.ending, position) == position
            else:
                fresh = known.setdefault(route.segments, position) == position
            if not fresh:
                raise RouteFault(f"The route {route.template!r} stands twice, the names of its parameters aside.")
        keys: dict[int, int] = {}
        literals: dict[int, tuple[tuple[str, ...], ...]] = {}
        for length, group in groupby(sorted(known, key=len), key=len):
            alike = list(group)
            literals[length] = tuple(tuple(sorted({one[place] for one in alike} - {ANY})) for place in range(length))
            if prod(len(names) + 1 for names in literals[length]) >= MAX_KEY:
                raise RouteFault("The routes overlap in too many ways; give fewer that are so long.")
            for key, one in _keys(alike, literals[length]):
                keys[key] = known[one]
                if len(keys) > MAX_KEYS:
                    raise RouteFault("The routes overlap in too many ways; give fewer with a parameter before a name.")
        return cls(tuple(routes), keys, endings, literals)

    def routed(self, relation: str) -> str:
        """The relation with `route` beside its columns: the position of the route that takes its `path`, or NULL.

        Reads the table `route_keys` (key, route), which holds `keys`.
        """
        return f"""
SELECT * EXCLUDE (parts, key, ending, key_route), coalesce(ending, key_route) AS route FROM (
  SELECT *, {self._key()} AS key, {self._ending()} AS ending FROM (
    SELECT *, string_split(path, '/') AS parts FROM ({relation})))
LEFT JOIN (SELECT key, route AS key_route FROM route_keys) USING (key)"""

    def _key(self) -> str:
        cases = [f"WHEN {length + 1} THEN {_number(length, at)}" for length, at in sorted(self.literals.items())]
        if not cases:
            return "CAST(NULL AS BIGINT)"
        return f"CASE WHEN parts[1] = '' THEN CASE len(parts) {' '.join(cases)} END END"

    def _ending(self) -> str:
        if not self.endings:
            return "CAST(NULL AS INTEGER)"
        cases = " ".join(f"WHEN {string_literal(ending)} THEN {position}" for ending, position in self.endings.items())
        ending = "regexp_extract(path, '\\.([a-z0-9]{1,8})$', 1)"
        return f"CASE WHEN contains(path, '.') THEN CASE {ending} {cases} END END"


def with_path(relation: str) -> str:
    """The relation with `path`, its `target` made ready to match, in its stead.

    No query, no scheme and host, lower case, single `/`, none at the end (so the root is empty). NULL where the target
    is no path at all (`*`, empty) or climbs.
    """
    steps = (
        "CASE WHEN starts_with(target, '/') THEN target WHEN contains(left(target, 8), '://')"
        " THEN coalesce(nullif(regexp_extract(target, '^[a-zA-Z]+://[^/?#]*(/.*)$', 1), ''), '/') END",
        "CASE WHEN contains(target, '?') OR contains(target, '#') THEN regexp_extract(target, '^[^?#]*')"
        " ELSE target END",
        "CASE WHEN contains(target, '//') THEN regexp_replace(target, '/+', '/', 'g') ELSE target END",
        "CASE WHEN contains(target, '/.') AND regexp_matches(target, '/\\.\\.?(/|$)') THEN NULL ELSE target END",
        "lower(target)",
        "CASE WHEN suffix(target, '/') THEN rtrim(target, '/') ELSE target END",
    )
    for step in steps:
        relation = f"SELECT * REPLACE ({step} AS target) FROM ({relation})"
    return f"SELECT * RENAME (target AS path) FROM ({relation})"


def _number(length: int, literals: Sequence[Sequence[str]]) -> str:
    """The key of a path of this length, as SQL."""
    terms = [f"CAST({length} AS BIGINT)"]
    for place, (names, scale) in enumerate(zip(literals, _scales(literals), strict=True)):
        cases = " ".join(f"WHEN {string_literal(name)} THEN {n}" for n, name in enumerate(names, start=1))
        if names:
            terms.append(f"CASE parts[{place + 2}] {cases} ELSE 0 END * CAST({scale} AS BIGINT)")
    return " + ".join(terms)


def _scales(literals: Sequence[Sequence[str]]) -> list[int]:
    """What the digit of each place counts for, above the length itself."""
    scales = [MAX_SEGMENTS + 1]
    for names in literals[:-1]:
        scales.append(scales[-1] * (len(names) + 1))
    return scales[: len(literals)]


def _keys(alike: Sequence[tuple[str, ...]], literals: Sequence[Sequence[str]]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Every key that some template of one length matches, with the one that wins."""
    scales = _scales(literals)

    def follow(place: int, alive: Sequence[tuple[str, ...]], key: int) -> Iterator[tuple[int, tuple[str, ...]]]:
        if place == len(literals):
            yield key, min(alive, key=lambda one: [part == ANY for part in one])
            return
        for digit, part in enumerate((ANY, *literals[place])):
            matching = [one for one in alive if one[place] in (part, ANY)]
            if matching:
                yield from follow(place + 1, matching, key + digit * scales[place])

    return follow(0, alike, len(literals))
