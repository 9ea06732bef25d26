"""PostgreSQL for many tenants: every statement runs in a transaction that belongs to one of them."""

import asyncio
import contextlib
import logging
import os
import select
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, LiteralString, Self

import psycopg
import psycopg_pool
from psycopg import AsyncConnection, AsyncCursor, errors, sql
from psycopg.conninfo import make_conninfo
from psycopg.pq import ConnStatus, TransactionStatus
from psycopg.rows import DictRow, dict_row

from tenantscope_core.identity.caller import is_tenant_id
from tenantscope_core.results.errors import NotSetUp, Unavailable
from tenantscope_core.stores.postgres_safety import UnsafeDatabase, verify

logger = logging.getLogger(__name__)

Parameters = Sequence[Any] | Mapping[str, Any] | None
Connection = AsyncConnection[DictRow]

_OWNER = "SELECT set_config('tenantscope.tenant_id', %s, true), set_config('statement_timeout', %s, true), \
set_config('search_path', %s, true)"
_GRACE_SECONDS = 1.0
_OTHER_TABLES = (errors.UndefinedTable, errors.UndefinedColumn, errors.UndefinedFunction, errors.InvalidSchemaName)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement with its parameters; composed where names of tables come from the database's own catalog."""

    text: LiteralString | sql.Composed
    parameters: Parameters = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a statement returned, and how many rows it returned or changed."""

    rows: list[DictRow]
    count: int


@dataclass(frozen=True, slots=True)
class PostgresLimits:
    """Bounds of one store. The statement timeout is the server's; the client gives up one second after it."""

    connections: int = 10
    waiting: int = 200
    connect_seconds: float = 3.0
    wait_seconds: float = 3.0
    statement_seconds: float = 5.0


class TenantTransaction:
    """A transaction of one tenant; it commits where its block ends and rolls back where the block raises."""

    def __init__(self, connection: Connection, owner: tuple[str, str, str], seconds: float) -> None:
        self._connection = connection
        self._owner = owner
        self._seconds = seconds
        self._begun = False

    async def run(self, statements: Sequence[Statement], *, commit: bool = False) -> list[Answer]:
        """Answers to statements sent together, in one round trip (with BEGIN and the tenant if they are the first)."""
        cursors: list[AsyncCursor[DictRow]] = []
        seconds = self._seconds * len(statements) + _GRACE_SECONDS
        with _cut_after(self._connection, seconds):
            async with self._connection.pipeline():
                if not self._begun:
                    self._begun = True
                    await self._connection.execute("BEGIN")
                    await self._connection.execute(_OWNER, self._owner)
                for statement in statements:
                    cursor = self._connection.cursor()
                    await cursor.execute(statement.text, statement.parameters)
                    cursors.append(cursor)
                if commit:
                    await self._connection.execute("COMMIT")
        return [Answer(await cursor.fetchall() if cursor.description else [], cursor.rowcount) for cursor in cursors]

    async def fetch(self, text: LiteralString, parameters: Parameters = None) -> list[DictRow]:
        """The rows of one statement."""
        return (await self.run([Statement(text, parameters)]))[0].rows

    async def execute(self, text: LiteralString, parameters: Parameters = None) -> int:
        """How many rows one statement changed."""
        return (await self.run([Statement(text, parameters)]))[0].count

    async def end(self, command: LiteralString) -> None:
        """COMMIT or ROLLBACK, where anything was begun.

        Raises:
            InFailedSqlTransaction: A statement failed and its error was swallowed; COMMIT would silently roll back.
        """
        status = self._connection.info.transaction_status
        if command == "COMMIT" and status is TransactionStatus.INERROR:
            raise errors.InFailedSqlTransaction("a statement failed, so there is nothing to commit")
        if self._begun and status is not TransactionStatus.IDLE:
            with _cut_after(self._connection, self._seconds + _GRACE_SECONDS):
                await self._connection.execute(command)


class PostgresStore:
    """A pool of connections on which each transaction is one tenant's, held there by row-level security.

    The login has to be one that cannot step around it (see `postgres_safety`); the store refuses to work otherwise.
    A database that is down is `Unavailable`, also when the store opens, and comes back by itself.
    """

    def __init__(
        self,
        dsn: str,
        *,
        schema: str = "public",
        limits: PostgresLimits | None = None,
        password: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        self._dsn = dsn
        self._schema = schema
        self._limits = limits or PostgresLimits()
        self._password = password
        self._verified = False
        self._pool: psycopg_pool.AsyncConnectionPool[Connection] = psycopg_pool.AsyncConnectionPool(
            self._conninfo,
            kwargs={"autocommit": True, "row_factory": dict_row, "connect_timeout": self._limits.connect_seconds},
            min_size=0,
            max_size=self._limits.connections,
            max_waiting=self._limits.waiting,
            timeout=self._limits.wait_seconds,
            reconnect_timeout=self._limits.wait_seconds,
            check=_require_alive,
            open=False,
        )

    async def __aenter__(self) -> Self:
        """Open the pool.

        Raises:
            UnsafeDatabase: The role or a table would let a query see other tenants.
        """
        await self._pool.open(wait=False)
        try:
            with contextlib.suppress(Unavailable):  # verified at the first connection instead
                async with self._connection():
                    pass
        except BaseException:
            await self._pool.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.close()

    @contextlib.asynccontextmanager
    async def tenant(self, tenant: str, *, statement_seconds: float | None = None) -> AsyncGenerator[TenantTransaction]:
        """A transaction of one tenant; BEGIN travels with the first statement, so an unused one costs nothing.

        Raises:
            Unavailable: The database is down, overloaded, or took too long.
            NotSetUp: Tables, columns or functions are missing: the server's `migrate` has not run.
            psycopg.Error: A statement is at fault (a constraint, a wrong type).
        """
        async with self._connection() as connection:
            transaction = self._transaction(connection, tenant, statement_seconds)
            try:
                yield transaction
            except Exception:
                if not connection.broken:
                    await transaction.end("ROLLBACK")
                raise
            await transaction.end("COMMIT")

    async def run(
        self, tenant: str, statements: Sequence[Statement], *, statement_seconds: float | None = None
    ) -> list[Answer]:
        """A whole transaction of one tenant in one round trip: BEGIN, the tenant, the statements, COMMIT.

        Raises:
            Unavailable: The database is down, overloaded, or took too long.
            NotSetUp: Tables, columns or functions are missing: the server's `migrate` has not run.
            psycopg.Error: A statement is at fault, and nothing was changed.
        """
        async with self._connection() as connection:
            return await self._transaction(connection, tenant, statement_seconds).run(statements, commit=True)

    async def fetch(self, tenant: str, text: LiteralString, parameters: Parameters = None) -> list[DictRow]:
        """The rows of one statement, in a transaction of its own and one round trip."""
        return (await self.run(tenant, [Statement(text, parameters)]))[0].rows

    async def execute(self, tenant: str, text: LiteralString, parameters: Parameters = None) -> int:
        """How many rows one statement changed, in a transaction of its own and one round trip."""
        return (await self.run(tenant, [Statement(text, parameters)]))[0].count

    def _transaction(self, connection: Connection, tenant: str, seconds: float | None) -> TenantTransaction:
        if not is_tenant_id(tenant):
            raise ValueError("not a tenant id")
        limit = self._limits.statement_seconds if seconds is None else seconds
        path = sql.Identifier(self._schema).as_string(None)
        return TenantTransaction(connection, (tenant, str(int(limit * 1000)), path), limit)

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncGenerator[Connection]:
        try:
            async with self._pool.connection() as connection:
                if not self._verified:
                    with _cut_after(connection, self._limits.statement_seconds):
                        await verify(connection, self._schema)
                    self._verified = True
                yield connection
        except errors.QueryCanceled as error:
            raise Unavailable("The database took too long; try again shortly.") from error
        except (errors.SerializationFailure, errors.DeadlockDetected) as error:
            raise Unavailable("Another change came between; try again.", retry_after_seconds=0.2) from error
        except _OTHER_TABLES as error:
            logger.error("the tables are not those of this version: %s; run its migrate", error.diag.message_primary)
            raise NotSetUp(
                "The server's tables are missing or older than it is; ask its operator to run its migrate command."
            ) from error
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            logger.warning("PostgreSQL is not available: %s", type(error).__name__)
            raise Unavailable("The database does not answer; try again shortly.") from error

    async def _conninfo(self) -> str:
        if self._password is None:
            return self._dsn
        return make_conninfo(self._dsn, password=await self._password())


@contextlib.contextmanager
def _cut_after(connection: Connection, seconds: float) -> Generator[None]:
    """Break the connection when the block takes longer: a server that fell silent does not answer a cancel either."""

    def cut() -> None:
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as peer:
            peer.shutdown(socket.SHUT_RDWR)

    timer = asyncio.get_running_loop().call_later(seconds, cut)
    try:
        yield
    finally:
        timer.cancel()


async def _require_alive(connection: Connection) -> None:
    """Notice a dead connection without a round trip: one that waits for nothing has nothing to read but its end."""
    ready, _, _ = select.select([connection.fileno()], [], [], 0)
    if ready:
        connection.pgconn.consume_input()
    if connection.pgconn.status != ConnStatus.OK:
        raise psycopg.OperationalError("the connection was closed by the server")


__all__ = [
    "Answer",
    "PostgresLimits",
    "PostgresStore",
    "Statement",
    "TenantTransaction",
    "UnsafeDatabase",
]
