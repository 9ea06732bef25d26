"""Schema migrations: SQL files, applied once each and in order by the owner of the tables."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

from tenantscope_core.stores.postgres_safety import protect

_RECORD = "tenantscope_migrations"
_LOCK_SECONDS = 60
# A migration protects its tables by `SELECT protect('name')`.
_PROTECT: LiteralString = f"""
CREATE OR REPLACE FUNCTION protect(target regclass) RETURNS void LANGUAGE plpgsql AS $do$
BEGIN EXECUTE replace($sql${protect("%TARGET%")}$sql$, '%TARGET%', target::text); END $do$
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of SQL."""

    name: str
    text: str

    @property
    def digest(self) -> str:
        """What tells whether the file changed after it was applied."""
        return hashlib.sha256(self.text.encode()).hexdigest()


class MigrationChanged(Exception):
    """A migration that was applied reads differently now; write a further one instead."""


def read_migrations(folder: Path | Traversable) -> list[Migration]:
    """The `*.sql` files of a folder, in the order of their names."""
    files = sorted((item for item in folder.iterdir() if item.name.endswith(".sql")), key=lambda item: item.name)
    return [Migration(item.name, item.read_text(encoding="utf-8")) for item in files]


async def migrate(owner_dsn: str, migrations: Iterable[Migration], *, schema: str, login: str) -> list[str]:
    """Bring a schema up to date and let `login` read and write its tables; returns the names applied now.

    Safe to run again and from several processes at once. Each migration is one transaction together with its record.

    Raises:
        MigrationChanged: An applied file was edited.
        psycopg.Error: A migration failed; those before it stay applied.
    """
    applied_now: list[str] = []
    names = {"schema": sql.Identifier(schema), "login": sql.Identifier(login), "record": sql.Identifier(_RECORD)}
    async with await psycopg.AsyncConnection.connect(owner_dsn, autocommit=True, connect_timeout=5) as connection:
        await connection.execute(sql.SQL("SET lock_timeout = {}").format(f"{_LOCK_SECONDS}s"))
        await connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (f"tenantscope:{schema}",))
        await connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {schema}").format(**names))
        await connection.execute(sql.SQL("SET search_path = {schema}, public").format(**names))
        await connection.execute(
            sql.SQL(
                "CREATE TABLE IF NOT EXISTS {schema}.{record} (name text PRIMARY KEY, digest text NOT NULL, "
                "applied timestamptz NOT NULL DEFAULT now())"
            ).format(**names)
        )
        await connection.execute(_PROTECT)
        rows = await (
            await connection.execute(sql.SQL("SELECT name, digest FROM {schema}.{record}").format(**names))
        ).fetchall()
        known = dict(rows)
        for migration in migrations:
            if migration.name in known:
                if known[migration.name] != migration.digest:
                    raise MigrationChanged(f"{migration.name} was applied and has changed since")
                continue
            async with connection.transaction():
                await connection.execute(migration.text.encode())
                await connection.execute(
                    sql.SQL("INSERT INTO {schema}.{record} (name, digest) VALUES (%s, %s)").format(**names),
                    (migration.name, migration.digest),
                )
            applied_now.append(migration.name)
        async with connection.transaction():
            for grant in (
                "GRANT USAGE ON SCHEMA {schema} TO {login}",
                "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {login}",
                "GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {login}",
                "REVOKE ALL ON {schema}.{record} FROM {login}",
            ):
                await connection.execute(sql.SQL(grant).format(**names))
    return applied_now
