"""PostgreSQL and Valkey hold the servers to what is theirs."""

from typing import Any

import psycopg
import pytest
import valkey
from psycopg import errors, sql
from psycopg.conninfo import make_conninfo
from tenantscope_sandbox import Sandbox
from valkey.exceptions import AuthenticationError, ResponseError


def test_the_application_role_cannot_bypass_row_level_security(bare_sandbox: Sandbox):
    with psycopg.connect(bare_sandbox.postgres_owner_dsn) as owner:
        owner.execute("DROP TABLE IF EXISTS notes")
        owner.execute("CREATE TABLE notes (tenant text NOT NULL, body text, embedding vector(3))")
        owner.execute("ALTER TABLE notes ENABLE ROW LEVEL SECURITY")
        owner.execute("ALTER TABLE notes FORCE ROW LEVEL SECURITY")
        owner.execute("CREATE POLICY own ON notes USING (tenant = current_setting('tenantscope.tenant', true))")
        owner.execute("GRANT SELECT, INSERT ON notes TO tenantscope_app")
    with psycopg.connect(bare_sandbox.postgres_admin_dsn) as admin:
        admin.execute("INSERT INTO notes VALUES ('acme', 'a', '[1,2,3]'), ('globex', 'g', '[3,2,1]')")
    with psycopg.connect(bare_sandbox.postgres_dsn) as application:
        application.execute("SELECT set_config('tenantscope.tenant', 'acme', true)")
        assert application.execute("SELECT tenant FROM notes").fetchall() == [("acme",)]
        with pytest.raises(errors.InsufficientPrivilege), application.transaction():
            application.execute("INSERT INTO notes VALUES ('globex', 'forged', '[0,0,0]')")
        evasions = (
            "SET LOCAL row_security = off; SELECT * FROM notes",
            "ALTER TABLE notes NO FORCE ROW LEVEL SECURITY",
        )
        for statement in evasions:
            with pytest.raises(errors.InsufficientPrivilege), application.transaction():
                application.execute(statement)
        for role in ("postgres", "tenantscope_owner"):
            with pytest.raises(errors.InsufficientPrivilege), application.transaction():
                application.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))


def test_the_application_role_has_no_power_and_owns_nothing(bare_sandbox: Sandbox):
    with psycopg.connect(bare_sandbox.postgres_dsn) as application:
        powers = "rolsuper, rolbypassrls, rolcreatedb, rolcreaterole, rolreplication"
        row = application.execute(f"SELECT {powers} FROM pg_roles WHERE rolname = current_user").fetchone()
        assert row == (False,) * 5
        owned = "SELECT count(*) FROM pg_class WHERE relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)"
        assert application.execute(owned).fetchone() == (0,)
        with pytest.raises(errors.InsufficientPrivilege):
            application.execute("CREATE TABLE mine (x int)")


def test_postgres_asks_for_a_password(bare_sandbox: Sandbox):
    forged = make_conninfo(bare_sandbox.postgres_dsn, password="wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(forged, connect_timeout=5)


def test_the_servers_user_of_valkey_is_confined_to_its_prefix(bare_sandbox: Sandbox):
    library: Any = valkey.Valkey  # its stubs are incomplete
    with library.from_url(bare_sandbox.valkey_url) as client:
        client.set("ts:acme:x", "1")
        assert client.get("ts:acme:x") == b"1"
        for refusal in (
            lambda: client.get("other"),
            lambda: client.set("ts", "1"),
            lambda: client.keys("*"),
            client.flushall,
            lambda: client.config_get("*"),
            client.acl_list,
            lambda: client.eval("return server.call('GET', KEYS[1])", 1, "other"),
        ):
            with pytest.raises(ResponseError, match=r"(?i)no permission"):
                refusal()


def test_valkeys_default_user_is_off(bare_sandbox: Sandbox):
    library: Any = valkey.Valkey
    anonymous = library(port=bare_sandbox.port("valkey") or 0)
    with anonymous, pytest.raises(AuthenticationError):
        anonymous.ping()
