"""Route templates learned from the paths of a log.

Each segment is first told by its form alone: a short word stays, and an id, a number, a date, a hash, an address, a
long slug or anything encoded becomes `{}` (`shape_sql`, for every line). What is left is a tree of words. Where a place
in it has more words than a product has names for things, the rare ones become `{id}` as well, and what follows them is
one; so do codes of countries and languages, where several stand side by side (`learn`, on the commonest shapes). The
result depends on the shapes and their counts alone, not on their order.

Only requests that succeeded are learned from: what strangers probe for does not become a feature's name.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tenantscope_core.stores.sql_text import string_literal

from tenantscope_metrics_logs.routes import ANY, Route

MAX_SHAPES = 50_000
"""How many different shapes are looked at, the commonest first."""
MAX_ROUTES = 120
MAX_DEPTH = 8
MAX_WORD = 24
MOST_WORDS = 30
"""More words than this at one place, and the rare ones are values."""
COMMON_SHARE = 0.01
"""A word with this share of its place's requests is never rare."""
CODE_LENGTH, FEWEST_CODES = 2, 5
"""So many words of two letters at one place are codes of countries or languages."""
RARE_CALLS = 3
"""A route with fewer calls is not worth a name."""

WORD = "v[0-9]{1,3}([.][0-9]{1,3})?|[a-z][a-z]*([._-][a-z]+){0,2}([._-]?[0-9]{1,2})?([._][a-z]{2,5})?"
"""A segment that can be a name: letters, two separators at most, a version or an ending."""
HEX = "[0-9a-f]{8,}"
STATIC = (
    "css", "js", "mjs", "map", "png", "jpg", "jpeg", "gif", "svg", "ico", "webp", "avif", "woff", "woff2", "ttf", "eot",
    "otf", "mp3", "mp4", "webm", "pdf", "zip", "gz", "txt", "xml",
)  # fmt: skip
"""Endings of files that nobody makes a request for by name."""


def shape_sql(relation: str, tenant_place: int | None) -> str:
    """The relation with its `path` made a shape; `tenant_place` is the segment that names the tenant, if one does."""
    endings = ", ".join(string_literal(ending) for ending in STATIC)
    word = (
        f"CASE WHEN strlen(p) BETWEEN 1 AND {MAX_WORD} AND regexp_full_match(p, '{WORD}')"
        f" AND NOT regexp_full_match(p, '{HEX}') THEN p WHEN p = '' THEN '' ELSE '{ANY}' END"
    )
    if tenant_place is not None:
        word = f"CASE WHEN n = {tenant_place + 2} THEN '{ANY}' ELSE {word} END"
    ending = "regexp_extract(path, '\\.([a-z0-9]{1,8})$', 1)"
    return f"""
SELECT * EXCLUDE (parts, ending) REPLACE (CASE WHEN ending IN ({endings}) THEN '*.' || ending
  WHEN len(parts) <= {MAX_DEPTH + 1} THEN array_to_string(list_transform(parts, lambda p, n: {word}), '/') END AS path)
FROM (
  SELECT *, string_split(path, '/') AS parts,
    CASE WHEN contains(path, '.') THEN {ending} END AS ending
  FROM ({relation}))"""


@dataclass(slots=True)
class _Node:
    calls: int = 0
    ends: int = 0
    children: "dict[str, _Node]" = field(default_factory=dict[str, "_Node"])

    def add(self, segments: Sequence[str], calls: int) -> None:
        node = self
        node.calls += calls
        for segment in segments:
            node = node.children.setdefault(segment, _Node())
            node.calls += calls
        node.ends += calls

    def take(self, other: "_Node") -> None:
        self.calls += other.calls
        self.ends += other.ends
        for segment, child in other.children.items():
            self.children.setdefault(segment, _Node()).take(child)

    def gather(self) -> None:
        """Make rare words of crowded places values, from here down."""
        words = sorted((word for word in self.children if word != ANY), key=lambda w: (-self.children[w].calls, w))
        values = [word for word in words if len(word) == CODE_LENGTH]
        if len(values) < FEWEST_CODES:
            values = []
        if len(words) > MOST_WORDS:
            common = [word for word in words if self.children[word].calls >= COMMON_SHARE * self.calls]
            values += [word for word in words if word not in (*common[:MOST_WORDS], *values)]
        for word in values:
            self.children.setdefault(ANY, _Node()).take(self.children.pop(word))
        for child in self.children.values():
            child.gather()

    def routes(self, above: tuple[str, ...] = ()) -> "Iterator[tuple[tuple[str, ...], int]]":
        if self.ends:
            yield above, self.ends
        for segment, child in self.children.items():
            yield from child.routes((*above, segment))


def learn(shapes: Iterable[tuple[str, int]]) -> list[Route]:
    """Templates for shapes and their numbers of calls, the busiest first; what has none is of no feature."""
    tree = _Node()
    endings: dict[str, int] = {}
    for shape, calls in shapes:
        if shape.startswith("*."):
            endings[shape] = endings.get(shape, 0) + calls
        else:
            tree.add(shape.split("/")[1:], calls)
    tree.gather()
    found = [(_template(segments), calls) for segments, calls in tree.routes()] + list(endings.items())
    found.sort(key=lambda one: (-one[1], one[0]))
    return [Route(template, template) for template, calls in found[:MAX_ROUTES] if calls >= RARE_CALLS]


def _template(segments: Sequence[str]) -> str:
    return "/" + "/".join("{id}" if segment == ANY else segment for segment in segments)
