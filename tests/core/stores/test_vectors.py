"""Neighbours of one tenant among many: all of them found, nobody else's, whatever plan was made for whom."""

import math
import re
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, LiteralString

import numpy as np
import psycopg
import pytest
from fixtures.stores import Database
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tenantscope_core.stores import vectors
from tenantscope_core.stores.migrations import Migration, migrate
from tenantscope_core.stores.postgres import PostgresLimits, PostgresStore, Statement
from tenantscope_core.stores.vectors import (
    INDEXED_DIMENSIONS,
    VECTOR_SETTINGS,
    comparable,
    distance,
    near,
    nearest,
    vector_literal,
)

pytestmark = pytest.mark.requirement("vectors-of-one-tenant")

SCHEMA = "vectors_test"
DIMENSIONS = 384
TAG, OTHER_TAG = "model-a.384", "model-b.384"
LIMIT = 10
LARGE, SMALL_ROWS = 2_600, 25
NEAREST: LiteralString = nearest("thing", "tenant_id, id, embedder", DIMENSIONS)
WITHOUT_A_TENANT: LiteralString = NEAREST.replace("tenant_id = %(tenant)s AND ", "")
NAIVE: LiteralString = f"SELECT id FROM thing WHERE {comparable(DIMENSIONS)} ORDER BY {distance(DIMENSIONS)} LIMIT 10"
NAIVE_WITHOUT_A_TENANT: LiteralString = NAIVE.replace("tenant_id = %(tenant)s AND ", "")

Vectors = NDArray[np.float64]


@dataclass(frozen=True)
class Company:
    """A large tenant, middling and small ones, all in one partition, with vectors in the same clusters."""

    large: str
    middling: Sequence[str]
    small: Sequence[str]
    kept: dict[str, Vectors]
    asked: Callable[[], list[float]]

    def exact(self, tenant: str, vector: Sequence[float]) -> set[int]:
        """What there is to find."""
        return set(np.argsort(-(self.kept[tenant] @ np.array(vector)))[:LIMIT].tolist())


def documented_pattern() -> str:
    """The migration that the module's docstring shows."""
    found = re.search(r"(    CREATE TABLE thing.*?    END \$\$;)", vectors.__doc__ or "", re.DOTALL)
    assert found is not None
    return found[1].replace("id uuid", "id int")


def _unit(rows: Vectors) -> Vectors:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
async def company(database: Database) -> Company:
    await migrate(database.owner, [Migration("1.sql", documented_pattern())], schema=SCHEMA, login="tenantscope_app")
    random = np.random.default_rng(20_261_121)
    centres = random.normal(size=(40, DIMENSIONS))

    def clustered(count: int) -> Vectors:
        return _unit(
            centres[random.integers(0, len(centres), count)] + random.normal(scale=0.8, size=(count, DIMENSIONS))
        )

    with psycopg.connect(database.superuser, autocommit=True) as connection:
        large, *others = _in_one_partition(connection, 25)
        middling, small = others[:4], others[4:]
        kept = {large: clustered(LARGE)}
        kept |= {tenant: clustered(200) for tenant in middling} | {tenant: clustered(SMALL_ROWS) for tenant in small}
        with connection.cursor().copy(f"COPY {SCHEMA}.thing FROM STDIN") as copy:
            for tenant, rows in kept.items():
                for number, row in enumerate(rows.tolist()):
                    copy.write_row((tenant, number, TAG, vector_literal(row)))
        connection.execute(f"ANALYZE {SCHEMA}.thing")
    return Company(large, middling, small, kept, lambda: clustered(1)[0].tolist())


def _in_one_partition(connection: psycopg.Connection, count: int) -> list[str]:
    """Names of tenants whose rows lie together."""
    candidates = connection.execute(
        "SELECT name FROM (SELECT 'tenant-' || number AS name FROM generate_series(1, 2000) AS number) AS names "
        f"WHERE satisfies_hash_partition('{SCHEMA}.thing'::regclass, 16, 5, name) LIMIT %s",
        (count,),
    ).fetchall()
    assert len(candidates) == count
    return [name for (name,) in candidates]


@pytest.fixture
async def store(database: Database, company: Company) -> AsyncIterator[PostgresStore]:
    """One connection, so that what one tenant's query prepared is there for the next one's."""
    async with PostgresStore(
        database.application, schema=SCHEMA, limits=PostgresLimits(connections=1, statement_seconds=20)
    ) as store:
        yield store


async def _found(
    store: PostgresStore, tenant: str, vector: list[float], text: LiteralString, settings: Iterable[Statement]
) -> list[dict[str, Any]]:
    parameters = near(tenant, TAG, vector, limit=LIMIT)
    return (await store.run(tenant, [*settings, Statement(text, parameters)]))[-1].rows


async def _recall(
    store: PostgresStore,
    company: Company,
    tenants: Sequence[str],
    text: LiteralString,
    settings: Iterable[Statement] = VECTOR_SETTINGS,
    *,
    questions: int = 2,
) -> float:
    """The share of the true neighbours that is found."""
    found = 0
    for tenant in tenants:
        for _ in range(questions):
            vector = company.asked()
            rows = await _found(store, tenant, vector, text, settings)
            found += len({row["id"] for row in rows} & company.exact(tenant, vector))
    return found / (LIMIT * questions * len(tenants))


async def test_a_prepared_plan_of_a_large_tenant_costs_the_others_nothing(store: PostgresStore, company: Company):
    assert await _recall(store, company, [company.large], NEAREST, questions=12) > 0.99
    assert await _recall(store, company, company.small, NEAREST) == 1
    assert await _recall(store, company, company.middling, NEAREST) == 1


async def test_nor_does_one_of_a_small_tenant_cost_the_large_one_anything(store: PostgresStore, company: Company):
    assert await _recall(store, company, company.small[:1], NEAREST, questions=12) == 1
    assert await _recall(store, company, [company.large], NEAREST, questions=12) > 0.99
    assert await _recall(store, company, company.middling, NEAREST) == 1


async def test_without_the_settings_and_the_tenant_in_the_query_a_small_tenant_finds_next_to_nothing(
    store: PostgresStore, company: Company
):
    """The trap itself: were it not there, the tests above would show nothing."""
    await _recall(store, company, [company.large], NAIVE_WITHOUT_A_TENANT, (), questions=12)
    assert await _recall(store, company, company.small, NAIVE_WITHOUT_A_TENANT, ()) < 0.5


async def test_the_index_alone_misses_neighbours_of_a_middling_tenant_that_comparing_finds(
    store: PostgresStore, company: Company
):
    assert await _recall(store, company, company.middling, NAIVE, (), questions=5) < 0.9


async def test_few_rows_are_compared_and_only_many_are_left_to_the_index(store: PostgresStore, company: Company):
    for tenant, by_index in ((company.large, True), (company.small[0], False)):
        plan = await _found(store, tenant, company.asked(), f"EXPLAIN (ANALYZE) {NEAREST}", VECTOR_SETTINGS)
        lines = [str(row["QUERY PLAN"]) for row in plan]
        asked = any("_embedding_idx" in line and "never executed" not in line for line in lines)
        assert asked is by_index, "\n".join(lines)


async def test_the_nearest_come_first_with_their_cosine_distance(store: PostgresStore, company: Company):
    for tenant in (company.large, company.small[0]):
        vector = company.asked()
        rows = await _found(store, tenant, vector, NEAREST, VECTOR_SETTINGS)
        distances = [row["distance"] for row in rows]
        assert len(rows) == LIMIT
        assert distances == sorted(distances)
        expected = [1 - float(company.kept[tenant][row["id"]] @ np.array(vector)) for row in rows]
        assert distances == pytest.approx(expected, abs=1e-5)


async def test_a_further_condition_holds_and_its_neighbours_are_all_found(store: PostgresStore, company: Company):
    text = nearest("thing", "id", DIMENSIONS, where="id >= %(first)s")
    vector = company.asked()
    similar = company.kept[company.large] @ np.array(vector)
    similar[: LARGE - 100] = -2
    parameters = {**near(company.large, TAG, vector, limit=LIMIT), "first": LARGE - 100}
    rows = (await store.run(company.large, [*VECTOR_SETTINGS, Statement(text, parameters)]))[-1].rows
    assert [row["id"] for row in rows] == np.argsort(-similar)[:LIMIT].tolist()


async def test_no_neighbour_is_another_tenants_or_another_embedders(
    store: PostgresStore, company: Company, superuser: psycopg.Connection
):
    """The very vector asked for is there, as another tenant's and under another tag."""
    tenant, vector = company.small[0], company.asked()
    forged = [(company.small[1], TAG), (company.large, TAG), (tenant, OTHER_TAG)]
    for owner, tag in forged:
        superuser.execute(
            f"INSERT INTO {SCHEMA}.thing VALUES (%s, 90001, %s, %s)", (owner, tag, vector_literal(vector))
        )
    try:
        rows = await _found(store, tenant, vector, NEAREST, VECTOR_SETTINGS)
        assert {(row["tenant_id"], row["embedder"]) for row in rows} == {(tenant, TAG)}
        assert {row["id"] for row in rows} == company.exact(tenant, vector)
        parameters = near(tenant, OTHER_TAG, vector, limit=LIMIT)
        other = (await store.run(tenant, [*VECTOR_SETTINGS, Statement(NEAREST, parameters)]))[-1].rows
        assert [(row["id"], row["embedder"]) for row in other] == [(90_001, OTHER_TAG)]
    finally:
        superuser.execute(f"DELETE FROM {SCHEMA}.thing WHERE id = 90001")


async def test_row_level_security_alone_holds_where_the_query_names_no_tenant(store: PostgresStore, company: Company):
    for tenant in (company.small[0], company.middling[0], company.large):
        vector = company.asked()
        rows = await _found(store, tenant, vector, WITHOUT_A_TENANT, VECTOR_SETTINGS)
        assert {row["tenant_id"] for row in rows} == {tenant}
        partition = WITHOUT_A_TENANT.replace("FROM thing", "FROM thing_5")
        rows = await _found(store, tenant, vector, partition, VECTOR_SETTINGS)
        assert {row["tenant_id"] for row in rows} == {tenant}, "nor in a partition asked for by its name"


async def test_the_query_alone_holds_where_row_level_security_does_not(company: Company, superuser: psycopg.Connection):
    superuser.execute(f"SET search_path = {SCHEMA}")
    for statement in VECTOR_SETTINGS:
        superuser.execute(statement.text)
    tenant, vector = company.small[0], company.asked()
    rows = superuser.execute(NEAREST, near(tenant, TAG, vector, limit=LIMIT)).fetchall()
    assert {row[0] for row in rows} == {tenant}
    assert {row[1] for row in rows} == company.exact(tenant, vector)


async def test_the_settings_end_with_their_transaction(store: PostgresStore, company: Company):
    show = "SELECT current_setting('plan_cache_mode') AS mode, current_setting('hnsw.iterative_scan', true) AS scan"
    during = (await store.run(company.large, [*VECTOR_SETTINGS, Statement(show)]))[-1].rows
    assert during == [{"mode": "force_custom_plan", "scan": "relaxed_order"}]
    assert (await store.fetch(company.large, show))[0]["mode"] == "auto"


@pytest.mark.parametrize("dimensions", INDEXED_DIMENSIONS)
async def test_vectors_of_every_indexed_length_can_be_asked_for(
    dimensions: int, store: PostgresStore, company: Company, superuser: psycopg.Connection
):
    tag, vector = f"model-c.{dimensions}", [1.0] + [0.0] * (dimensions - 1)
    superuser.execute(
        f"INSERT INTO {SCHEMA}.thing VALUES (%s, %s, %s, %s)",
        (company.small[2], dimensions, tag, vector_literal(vector)),
    )
    parameters = near(company.small[2], tag, vector, limit=LIMIT)
    text = nearest("thing", "id", dimensions)
    rows = (await store.run(company.small[2], [*VECTOR_SETTINGS, Statement(text, parameters)]))[-1].rows
    assert rows == [{"id": dimensions, "distance": 0}]


def test_a_length_without_an_index_is_refused():
    for function in (distance, comparable, partial(nearest, "thing", "id")):
        with pytest.raises(ValueError, match="3072 dimensions have no index"):
            function(3072)


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_a_literal_holds_the_numbers_exactly(values: list[float]):
    assert [float(number) for number in vector_literal(values)[1:-1].split(",")] == values


@pytest.mark.parametrize("values", [[], [math.nan], [1.0, math.inf]])
def test_what_is_no_vector_has_no_literal(values: list[float]):
    with pytest.raises(ValueError, match="not a vector"):
        vector_literal(values)
