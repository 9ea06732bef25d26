"""The `migrate` command of servers whose data lies in PostgreSQL."""

from argparse import ArgumentParser, Namespace
from importlib.resources import files

from tenantscope_core.results.errors import InvalidArgument, Unavailable
from tenantscope_core.serving.spec import OperatorCommand
from tenantscope_core.serving.store_settings import PostgresSettings


def migrate_command(package: str) -> OperatorCommand[PostgresSettings]:
    """The command that applies the `migrations/*.sql` of a server's package."""

    async def run(settings: PostgresSettings, _: Namespace) -> int:
        import psycopg  # a server that only answers connects later
        from psycopg.conninfo import conninfo_to_dict

        from tenantscope_core.stores.migrations import MigrationChanged, migrate, read_migrations

        if settings.postgres_owner_dsn is None:
            raise InvalidArgument("migrate needs the owner's login: set TENANTSCOPE_POSTGRES_OWNER_DSN.")
        login = conninfo_to_dict(settings.postgres_dsn.get_secret_value()).get("user")
        if not login:
            raise InvalidArgument("TENANTSCOPE_POSTGRES_DSN has to name the user that the server logs in as.")
        try:
            applied = await migrate(
                settings.postgres_owner_dsn.get_secret_value(),
                read_migrations(files(package) / "migrations"),
                schema=settings.postgres_schema,
                login=str(login),
            )
        except MigrationChanged as error:
            raise InvalidArgument(str(error)) from error
        except psycopg.OperationalError as error:
            raise Unavailable("The database does not answer, or refuses the owner's login.") from error
        print("migrate: " + (", ".join(applied) if applied else "nothing to do"))  # noqa: T201
        return 0

    return OperatorCommand("migrate", "bring the tables in PostgreSQL up to date", _no_arguments, run)


def _no_arguments(parser: ArgumentParser) -> None:
    """It takes none."""
