"""What is learned from paths: names stay, values become parameters, and no sentence becomes a feature."""

import random
import string

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tenantscope_metrics_logs.learning import MAX_ROUTES, learn, shape_sql
from tenantscope_metrics_logs.routes import RouteTable

SAFE = set(string.ascii_lowercase + string.digits + "/{}._-*")


def shapes(paths: list[str], tenant_place: int | None = None) -> list[str | None]:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE asked (n INTEGER, path VARCHAR)")
        connection.executemany("INSERT INTO asked VALUES (?, ?)", list(enumerate(paths)))
        query = f"SELECT path FROM ({shape_sql('FROM asked', tenant_place)}) ORDER BY n"
        return [row[0] for row in connection.execute(query).fetchall()]


@pytest.mark.parametrize(
    "value",
    [
        "7", "1234567890123", "0", "-5", "3.14", "2026-10-05", "2026-10-05t10:00:00z", "deadbeef", "cafebabe1234",
        "7f3c2b1a-9d4e-4c6b-8a57-0e1f2d3c4b5a", "01hzx4t9q2m7v5r8k3n6p1w0yb", "tv_ac51d", "rpt-2026-000123", "wf123",
        "alice@example.com", "%e2%82%ac", "a%00b", "..", "x" * 25, "ignore-all-previous-instructions", "a b", "é", "{}",
        "this-is-a-slug-of-words", "\x1b[31m", "<script>", "'; drop table", "sk_live_51h8x", "...", "=",
        "+1-202-555-0100",
    ],
)  # fmt: skip
def test_a_value_becomes_a_parameter(value: str):
    assert shapes([f"/v1/things/{value}"]) == ["/v1/things/{}"]


@pytest.mark.parametrize(
    "word",
    ["trips", "v1", "v2.1", "oauth2", "price-alerts", "visa_rules", "search", "a", "index.html", "feed.rss", "s3"],
)
def test_a_short_word_stays(word: str):
    assert shapes([f"/{word}"]) == [f"/{word}"]


def test_files_are_told_by_their_ending_and_depth_is_bounded():
    assert shapes(["/img/a/7.png", "/app.js", "/" + "a/" * 8 + "a", "", "/a.b.c.min.css"]) == [
        "*.png", "*.js", None, "", "*.css",
    ]  # fmt: skip


def test_the_tenants_segment_is_a_parameter():
    assert shapes(["/t/acme/trips/7", "/t/globex/trips"], 1) == ["/t/{}/trips/{}", "/t/{}/trips"]


def templates(found: dict[str, int]) -> list[str]:
    return [route.template for route in learn(found.items())]


def test_routes_are_listed_by_how_much_they_are_used():
    assert templates({"/trips/{}": 10, "/trips": 30, "": 20, "*.png": 5, "/rare": 2}) == [
        "/trips", "/", "/trips/{id}", "*.png",
    ]  # fmt: skip


def test_a_crowd_of_words_at_one_place_is_values_and_what_follows_them_is_one():
    cities = ["".join(random.Random(n).choices(string.ascii_lowercase, k=7)) for n in range(150)]
    found = {f"/{city}/hotels/{{}}": 10 for city in cities} | {"/about/team": 400, "/{}/hotels/{}": 5}
    assert templates(found) == ["/{id}/hotels/{id}", "/about/team"]


def test_few_words_are_names_however_rare():
    found = {f"/{word}": 3 for word in ("login", "logout", "me", "health", "docs")} | {"/trips/{}": 10_000}
    assert set(templates(found)) == {"/trips/{id}", "/login", "/logout", "/me", "/health", "/docs"}


def test_country_codes_are_values_and_a_few_short_names_are_not():
    assert templates({f"/visa/{code}": 9 for code in ("de", "fr", "it", "us", "br")}) == ["/visa/{id}"]
    assert set(templates({"/me": 9, "/go": 9, "/ui": 9})) == {"/me", "/go", "/ui"}


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.lists(st.sampled_from(["a", "bb", "{}", "word", *"defghijklmnopqrstuvwxyz"]), max_size=4).map(
            lambda parts: "".join(f"/{part}" for part in parts)
        ),
        st.integers(1, 50),
        max_size=60,
    ),
    st.randoms(use_true_random=False),
)
def test_learning_does_not_depend_on_order_and_its_routes_are_templates(found: dict[str, int], chance: random.Random):
    items = list(found.items())
    once = learn(items)
    chance.shuffle(items)
    assert learn(items) == once
    RouteTable.of(once)
    assert len(once) <= MAX_ROUTES
    assert all(set(route.template) <= SAFE for route in once)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=20))
def test_whatever_is_asked_for_a_feature_is_short_and_of_safe_characters(texts: list[str]):
    paths = ["/" + text.replace("\0", "").encode("utf-8", "ignore").decode() for text in texts]
    for route in learn((shape, 5) for shape in shapes(paths) if shape is not None):
        assert set(route.feature) <= SAFE
        assert len(route.feature) <= 220
        assert all(len(part) <= 24 for part in route.feature.split("/"))
