"""The tables of a schema that hold rows of tenants, as PostgreSQL's catalog tells, and statements about them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, LiteralString

from psycopg import sql
from tenantscope_core.stores.postgres import Statement, TenantTransaction

from tenantscope_tenant_management.holdings import children_first

RECORD_OF_MIGRATIONS = "tenantscope_migrations"
MAX_PAGE_ROWS = 500

_SCHEMA: LiteralString = "SELECT FROM pg_namespace WHERE nspname = %(schema)s"
_TABLES: LiteralString = """
SELECT class.relname::text AS name,
       EXISTS (SELECT FROM pg_attribute WHERE attrelid = class.oid AND attname = 'tenant_id' AND NOT attisdropped)
           AS by_tenant,
       ARRAY(SELECT attname::text FROM unnest(key.indkey::int[]) WITH ORDINALITY AS part (number, place)
               JOIN pg_attribute ON attrelid = class.oid AND attnum = part.number ORDER BY place) AS key
  FROM pg_class AS class JOIN pg_namespace AS schema ON schema.oid = class.relnamespace
  LEFT JOIN pg_index AS key ON key.indrelid = class.oid AND key.indisprimary
 WHERE schema.nspname = %(schema)s AND class.relkind IN ('r', 'p') AND NOT class.relispartition
 ORDER BY 1
"""
_REFERENCES: LiteralString = """
SELECT child.relname::text AS child, parent.relname::text AS parent
  FROM pg_constraint JOIN pg_class AS child ON child.oid = conrelid JOIN pg_class AS parent ON parent.oid = confrelid
  JOIN pg_namespace AS schema ON schema.oid = child.relnamespace
 WHERE schema.nspname = %(schema)s AND contype = 'f' AND conparentid = 0
"""


class NoSchema(LookupError):
    """There is no such schema in this database."""


@dataclass(frozen=True, slots=True)
class TenantTable:
    """A table with a `tenant_id`, and the other columns of its primary key: none where it has a row a tenant.

    A table without a primary key is emptied in one statement, and cannot be exported.
    """

    schema: str
    name: str
    key: tuple[str, ...]
    has_key: bool

    @property
    def part(self) -> str:
        """What receipts call it."""
        return f"{self.schema}.{self.name}"

    def count(self, tenant: str) -> Statement:
        """How many rows a tenant has: `rows`."""
        return self._statement("SELECT count(*) AS rows FROM {table} WHERE tenant_id = {tenant}", tenant)

    def delete(self, tenant: str, *, at_most: int) -> Statement:
        """Delete some of a tenant's rows; all of them where there is no key to choose them by."""
        if not self.has_key:
            return self._statement("DELETE FROM {table} WHERE tenant_id = {tenant}", tenant)
        return self._statement(
            "DELETE FROM {table} WHERE tenant_id = {tenant} AND ({key}) IN "
            "(SELECT {key} FROM {table} WHERE tenant_id = {tenant} LIMIT {most})",
            tenant,
            most=sql.Literal(at_most),
            key=_columns(("tenant_id", *self.key)),
        )

    def page(self, tenant: str, after: str | None, *, most_bytes: int) -> Statement:
        """The rows after one given as JSON, in order of the key, each as a `line` of JSON; one at least."""
        key = self.key or ("tenant_id",)
        later = sql.SQL("")
        if after is not None:
            # Literals, which take the columns' types: an index is only entered in the middle by what is known before.
            row: dict[str, Any] = json.loads(after, parse_float=Decimal)
            values = sql.SQL(", ").join(sql.Literal(_text(row[name])) for name in key)
            later = sql.SQL("AND ({}) > ({})").format(_columns(key, "content"), values)
        return self._statement(
            "WITH page AS (SELECT content, {named} FROM {table} AS content "
            "WHERE content.tenant_id = {tenant} {later} ORDER BY {named} LIMIT {rows}), "
            "measured AS (SELECT to_jsonb(content)::text AS line, row_number() OVER wide AS number, "
            "sum(octet_length(to_jsonb(content)::text)) OVER wide AS size FROM page WINDOW wide AS (ORDER BY {key})) "
            "SELECT line FROM measured WHERE number = 1 OR size <= {bytes} ORDER BY number",
            tenant, named=_columns(key, "content"), key=_columns(key), later=later,
            rows=sql.Literal(MAX_PAGE_ROWS), bytes=sql.Literal(most_bytes),
        )  # fmt: skip

    @property
    def _name(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)

    def _statement(self, text: LiteralString, tenant: str, **parts: sql.Composable) -> Statement:
        return Statement(sql.SQL(text).format(table=self._name, tenant=sql.Literal(tenant), **parts))


def _text(value: Any) -> str:
    """A value of JSON as PostgreSQL reads it, whatever the column's type."""
    return json.dumps(value) if isinstance(value, bool | dict | list) else str(value)


def _columns(names: Sequence[str], table: str | None = None) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(*((table, name) if table else (name,))) for name in names)


@dataclass(frozen=True, slots=True)
class Catalog:
    """The tables of a schema: those with a `tenant_id`, children before parents, and the names of the others."""

    tables: Sequence[TenantTable]
    others: Sequence[str]


async def read_catalog(transaction: TenantTransaction, schema: str) -> Catalog:
    """What tables there are.

    Raises:
        NoSchema: There is no such schema; that it holds nothing of a tenant would be no news.
    """
    asked = {"schema": schema}
    found, tables, references = await transaction.run(
        [Statement(_SCHEMA, asked), Statement(_TABLES, asked), Statement(_REFERENCES, asked)]
    )
    if not found.count:
        raise NoSchema(schema)
    by_name = {row["name"]: _table(schema, row) for row in tables.rows if row["by_tenant"]}
    pairs = [(row["child"], row["parent"]) for row in references.rows]
    others = [row["name"] for row in tables.rows if not row["by_tenant"] and row["name"] != RECORD_OF_MIGRATIONS]
    return Catalog([by_name[name] for name in children_first(by_name, pairs)], others)


def _table(schema: str, row: dict[str, Any]) -> TenantTable:
    key = tuple(name for name in row["key"] if name != "tenant_id")
    return TenantTable(schema, row["name"], key, has_key=bool(row["key"]))
