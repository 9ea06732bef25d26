"""What leaves the process for the stores names one tenant, and each layer alone keeps to it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, LiteralString, cast

import psycopg
import pytest
import valkey
from fixtures.stores import Database
from psycopg.rows import dict_row
from semantic_cache.asking import SCHEMA, TABLES, Parts, User
from tenantscope_core.stores.postgres import Answer, PostgresStore, Statement

PROMPT = "How do I get a refund for my annual plan?"
PARAPHRASE = "How can I get a refund for my annual plan?"


@dataclass(frozen=True)
class Asked:
    """A statement of a fixed text: none of this server's is composed."""

    text: LiteralString
    parameters: Any


class Recorded:
    """A PostgreSQL that remembers what it was asked, and for whom."""

    def __init__(self, store: PostgresStore) -> None:
        self._store = store
        self.asked: list[tuple[str, Asked]] = []

    async def run(self, tenant: str, statements: Sequence[Statement], **options: Any) -> list[Answer]:
        for statement in statements:
            assert isinstance(statement.text, str)
            self.asked.append((tenant, Asked(statement.text, statement.parameters)))
        return await self._store.run(tenant, statements, **options)

    async def fetch(self, tenant: str, text: Any, parameters: Any = None) -> list[dict[str, Any]]:
        return (await self.run(tenant, [Statement(text, parameters)]))[0].rows


async def use(user: User) -> None:
    """Everything that the tools do."""
    await user.store(PROMPT, f"{user.tenant}'s own")
    await user.store(PROMPT, f"{user.tenant}'s shared", shared=True)
    for prompt in (PROMPT, PARAPHRASE, "and him?", "Which plans include single sign-on?"):
        await user.look_up(prompt)
    await user.stats()


async def recorded(parts: Parts, *tenants: str) -> Recorded:
    store = Recorded(parts.postgres)
    for tenant in tenants:
        for with_valkey in (True, False):
            given = replace(parts, postgres=cast(PostgresStore, store))
            await use(given.user(tenant, with_valkey=with_valkey))
    return store


@pytest.mark.requirement("filter-holds-alone")
async def test_every_statement_is_asked_for_one_tenant_and_names_it_at_every_table(parts: Parts):
    store = await recorded(parts, "acme", "globex", "acme_corp")
    on_tables = [(tenant, one) for tenant, one in store.asked if re.search(rf"\b({'|'.join(TABLES)})\b", one.text)]
    assert {table for _, one in on_tables for table in TABLES if re.search(rf"\b{table}\b", one.text)} == set(TABLES)
    for tenant, statement in on_tables:
        parameters = cast(dict[str, Any], statement.parameters)
        assert parameters["tenant"] == tenant
        others = {"acme", "globex", "acme_corp"} - {tenant}
        assert not others & {value for value in parameters.values() if isinstance(value, str)}
        reads = len(re.findall(rf"\b(?:FROM|JOIN|UPDATE|INTO) ({'|'.join(TABLES)})\b", statement.text))
        named = len(re.findall(r"tenant_id = %\(tenant\)s|VALUES \(%\(tenant\)s|SELECT %\(tenant\)s", statement.text))
        assert reads <= named, statement.text


@pytest.mark.requirement("filter-holds-alone")
async def test_without_row_level_security_our_own_filter_still_finds_one_tenants_rows(
    parts: Parts, superuser: psycopg.Connection
):
    store = await recorded(parts, "acme", "globex")
    superuser.execute(f"SET search_path = {SCHEMA}")
    superuser.row_factory = dict_row  # pyright: ignore[reportAttributeAccessIssue]
    found = 0
    for tenant, statement in store.asked:
        if "a.text" in statement.text and statement.text.lstrip().startswith("SELECT"):
            rows = cast(list[dict[str, Any]], superuser.execute(statement.text, statement.parameters).fetchall())
            found += len(rows)
            assert all(row["text"] is None or row["text"].startswith(f"{tenant}'s") for row in rows)
    assert found > 4


@pytest.mark.requirement("database-holds-alone")
async def test_without_our_filter_row_level_security_still_shows_one_tenants_rows(parts: Parts):
    await recorded(parts, "acme", "acme_corp")
    for table in TABLES:
        for tenant in ("acme", "acme_corp"):
            rows = await parts.postgres.fetch(tenant, cast(Any, f"SELECT tenant_id FROM {table}"))
            assert {row["tenant_id"] for row in rows} == {tenant}, table
        assert await parts.postgres.fetch("globex", cast(Any, f"SELECT tenant_id FROM {table}")) == []
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await parts.postgres.execute("globex", "INSERT INTO ledger VALUES ('acme', 9, 9, now())")


async def test_every_key_and_index_begins_with_the_tenant_and_partitions_are_protected_too(
    database: Database, parts: Parts, superuser: psycopg.Connection
):
    indexes = superuser.execute(
        "SELECT i.indexrelid::regclass::text, a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid "
        "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0] "
        "WHERE c.relnamespace = %s::regnamespace AND c.relname <> 'tenantscope_migrations'",
        (SCHEMA,),
    ).fetchall()
    assert len(indexes) > 16 * 6
    assert {column for _, column in indexes} == {"tenant_id"}
    unprotected = superuser.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'p') "
        "AND relname <> 'tenantscope_migrations' AND NOT (relrowsecurity AND relforcerowsecurity)",
        (SCHEMA,),
    ).fetchall()
    assert unprotected == []


async def test_meanings_are_compared_in_the_tenants_own_partition_alone(parts: Parts, superuser: psycopg.Connection):
    store = await recorded(parts, "acme")
    statement = next(one for _, one in store.asked if "similarity" in one.text)
    superuser.execute(f"SET search_path = {SCHEMA}")
    plan = str(superuser.execute(cast(Any, "EXPLAIN " + statement.text), statement.parameters).fetchall())
    assert len(set(re.findall(r"entry_\d+", plan))) == 1


@pytest.mark.requirement("leaves-its-own")
async def test_every_key_in_valkey_lies_behind_its_tenants_prefix(parts: Parts):
    await recorded(parts, "acme", "acme_corp")
    with valkey.Valkey.from_url(parts.valkey_admin) as client:  # pyright: ignore[reportUnknownMemberType]
        keys = [key.decode() for key in cast(list[bytes], client.keys("*"))]  # pyright: ignore[reportUnknownMemberType]
    owners = {re.match(r"ts:\{([^}]+)\}:(semantic-cache|embeddings):", key) for key in keys}
    assert None not in owners
    assert {owner[1] for owner in owners if owner} == {"acme", "acme_corp"}


async def test_a_copy_under_another_tenants_key_serves_nobody(parts: Parts):
    """As if a prefix had been mistaken: the copy itself still says whose it is."""
    acme, globex = parts.user("acme"), parts.user("globex")
    await acme.store(PROMPT, "acme's own")
    await globex.store(PROMPT, "globex's own")
    with valkey.Valkey.from_url(parts.valkey_admin) as client:  # pyright: ignore[reportUnknownMemberType]
        keys = cast(list[bytes], client.keys("ts:*semantic-cache*"))  # pyright: ignore[reportUnknownMemberType]
        acmes = next(key.decode() for key in keys if b"{acme}" in key)
        globexs = next(key.decode() for key in keys if b"{globex}" in key)
        client.copy(acmes, globexs, replace=True)  # pyright: ignore[reportUnknownMemberType]
    assert (await globex.look_up(PROMPT)).answer == "globex's own"
