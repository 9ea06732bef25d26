"""What makes row-level security hold: how a table is protected, and the proof that a login cannot step around it."""

from typing import Any, LiteralString

from psycopg import AsyncConnection, sql

TENANT_POLICY = "tenant_only"

_IS_OWN: LiteralString = "tenant_id = NULLIF(current_setting('tenantscope.tenant_id', true), '')"

_ROLE = """
SELECT role.rolsuper AS superuser, role.rolbypassrls AS bypasses,
       ARRAY(SELECT class.relname::text FROM pg_class AS class
              WHERE class.relnamespace = to_regnamespace(%(schema)s) AND class.relkind IN ('r', 'p', 'v', 'm', 'f')
                AND pg_has_role(current_user, class.relowner, 'MEMBER') ORDER BY 1) AS owned
  FROM pg_roles AS role WHERE role.rolname = current_user AND session_user = current_user
"""

_TABLES = """
SELECT class.relname::text AS name, class.relkind IN ('r', 'p') AS table,
       class.relrowsecurity AND class.relforcerowsecurity AS forced,
       COALESCE(class.reloptions @> ARRAY['security_invoker=true'], false) AS invoker,
       COALESCE((SELECT bool_and(COALESCE(pg_get_expr(polqual, polrelid), '-') = %(own)s
                             AND COALESCE(pg_get_expr(polwithcheck, polrelid), '-') = %(own)s)
                   FROM pg_policy WHERE polrelid = class.oid AND polpermissive), false) AS by_tenant
  FROM pg_class AS class JOIN pg_attribute AS attribute ON attribute.attrelid = class.oid
 WHERE class.relnamespace = to_regnamespace(%(schema)s) AND class.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND attribute.attname = 'tenant_id' AND NOT attribute.attisdropped
 ORDER BY 1
"""

# As PostgreSQL prints it back.
_STORED = "(tenant_id = NULLIF(current_setting('tenantscope.tenant_id'::text, true), ''::text))"


class UnsafeDatabase(Exception):
    """The database would let one tenant's query see another's rows; a server refuses to work on it."""


def protect(table: LiteralString) -> LiteralString:
    """The SQL that keeps each transaction to the rows of its tenant, for the owner as well as for everyone else.

    `table` is ours and has a `tenant_id text NOT NULL` column. Partitions need it too.
    """
    return (
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; "
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY; "
        f"DROP POLICY IF EXISTS {TENANT_POLICY} ON {table}; "
        f"CREATE POLICY {TENANT_POLICY} ON {table} USING ({_IS_OWN}) WITH CHECK ({_IS_OWN})"
    )


async def verify(connection: AsyncConnection[dict[str, Any]], schema: str) -> None:
    """Prove that the connected role is held by row-level security in `schema`.

    Raises:
        UnsafeDatabase: It is not, and why.
    """
    names = {"schema": sql.Identifier(schema).as_string(None), "own": _STORED}
    role = await (await connection.execute(_ROLE, names)).fetchone()
    if role is None or role["superuser"]:
        raise UnsafeDatabase("The PostgreSQL login is a superuser; give the server a role of its own.")
    if role["bypasses"]:
        raise UnsafeDatabase("The PostgreSQL login has BYPASSRLS; give the server a role without it.")
    if role["owned"]:
        raise UnsafeDatabase(
            f"The PostgreSQL login owns or is a member of the owner of {', '.join(role['owned'])}; "
            "tables have to belong to a role that the server cannot become."
        )
    for table in await (await connection.execute(_TABLES, names)).fetchall():
        if not (table["forced"] and table["by_tenant"]) and not (not table["table"] and table["invoker"]):
            raise UnsafeDatabase(
                f"{table['name']} has a tenant_id and no forced row-level security by tenant alone; "
                "protect it in a migration."
            )
