"""Templates and the paths they take, by the SQL beside a plain matcher written from the definition."""

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tenantscope_metrics_logs.routes import MAX_KEYS, Route, RouteFault, RouteTable, with_path


def found(templates: list[str], targets: list[str]) -> list[str | None]:
    """The template that the SQL finds for each target."""
    table = RouteTable.of([Route(one, one) for one in templates])
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE route_keys (key BIGINT, route INTEGER)")
        if table.keys:
            connection.executemany("INSERT INTO route_keys VALUES (?, ?)", list(table.keys.items()))
        connection.execute("CREATE TABLE asked (n INTEGER, target VARCHAR)")
        connection.executemany("INSERT INTO asked VALUES (?, ?)", list(enumerate(targets)))
        routed = table.routed(with_path("FROM asked"))
        numbers = [row[0] for row in connection.execute(f"SELECT route FROM ({routed}) ORDER BY n").fetchall()]
    return [None if number is None else templates[number] for number in numbers]


def plainly(templates: list[str], path: str) -> str | None:
    """The template that takes a path, segment by segment, of several the one with the earliest literal."""
    parts = path.lower().strip("/").split("/") if path.strip("/") else []
    fitting: list[tuple[list[bool], str]] = []
    for template in templates:
        wanted = template.strip("/").lower().split("/") if template != "/" else []
        same = len(wanted) == len(parts) and all(
            want.startswith("{") or want == part for want, part in zip(wanted, parts, strict=True)
        )
        if same:
            fitting.append(([want.startswith("{") for want in wanted], template))
    return min(fitting)[1] if fitting else None


word = st.sampled_from(["a", "b", "c", "V1"])
template = st.lists(st.one_of(word, st.just("{id}")), max_size=4).map(lambda parts: "/" + "/".join(parts))
templates = st.lists(template, min_size=1, max_size=8, unique_by=str.lower)
path = st.lists(st.one_of(word, st.sampled_from(["7", "%61", "{}", "x y", "é"])), max_size=5).map(
    lambda parts: "/" + "/".join(parts)
)


@settings(max_examples=60, deadline=None)
@given(templates=templates, paths=st.lists(path, min_size=1, max_size=12))
def test_the_sql_finds_what_the_definition_says(templates: list[str], paths: list[str]):
    assert found(templates, paths) == [plainly(templates, one) for one in paths]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/trips/7", "/trips/{id}"),
        ("/Trips/7/?x=/trips/7/book", "/trips/{id}"),
        ("/trips/7#part", "/trips/{id}"),
        ("//trips///7//", "/trips/{id}"),
        ("https://acme.example.com:443/trips/7?x", "/trips/{id}"),
        ("HTTP://acme.example.com", "/"),
        ("/", "/"),
        ("/?x", "/"),
        ("/trips/new", "/trips/new"),
        ("/trips/new/book", "/trips/{id}/book"),
        ("/trips/%00", "/trips/{id}"),
        ("/%74rips/7", None),
        ("/trips/../admin", None),
        ("/trips/./7", None),
        ("/trips/..", None),
        ("/trips/..7", "/trips/{id}"),
        ("/logo.PNG?v=1", "*.png"),
        ("/trips/7.png", "*.png"),
        ("/trips/7.pngx", "/trips/{id}"),
        ("*", None),
        ("", None),
        ("trips/7", None),
        ("/trips/\x1b[31mred", "/trips/{id}"),
        ("/" + "/".join("abcdefghijklmnopqrst"), None),
    ],
)
def test_a_path_is_made_ready_before_it_is_matched(target: str, expected: str | None):
    assert found(["/trips/{id}", "/trips/new", "/trips/{id}/book", "/", "*.png"], [target]) == [expected]


def test_nothing_matches_where_there_is_nothing():
    assert found([], ["/", "/a"]) == [None, None]


@pytest.mark.parametrize(
    "wrong", ["trips", "/trips/{", "/trips/{a b}", "/../x", "/a//b", "/a b", "/" + "x/" * 17, "", "/a\x00", "/'", "/{}"]
)
def test_what_is_no_template_is_refused(wrong: str):
    with pytest.raises(RouteFault) as fault:
        RouteTable.of([Route("x", wrong)])
    assert repr(wrong) in str(fault.value)


@pytest.mark.parametrize("twice", [("/a/{x}", "/A/{y}/"), ("*.png", "*.png"), ("/", "/")])
def test_a_template_that_stands_twice_is_refused(twice: tuple[str, str]):
    with pytest.raises(RouteFault, match="stands twice"):
        RouteTable.of([Route("x", one) for one in twice])


def test_templates_that_overlap_without_end_are_refused_and_not_worked_out():
    many = [Route("x", "/" + "/".join("{p}" if n != m else f"w{m}" for n in range(16))) for m in range(16)]
    with pytest.raises(RouteFault, match="too many ways"):
        RouteTable.of(many)
    few = RouteTable.of(many[:8])
    assert len(few.keys) <= MAX_KEYS
