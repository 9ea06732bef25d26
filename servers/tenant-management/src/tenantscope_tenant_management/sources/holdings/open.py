"""The stores that this server is set up for; what each needs is imported here, when it is asked for."""

from collections.abc import Sequence

from tenantscope_tenant_management.settings import Settings
from tenantscope_tenant_management.sources.holdings.holding import Holding
from tenantscope_tenant_management.sources.holdings.logs import Logs
from tenantscope_tenant_management.sources.holdings.objects import Objects


def holdings(settings: Settings) -> Sequence[Holding]:
    """One for each store of the settings, in the order in which a leaving tenant is erased.

    The cache goes last: what is deleted elsewhere may be copied into it until then.
    """
    found: list[Holding] = []
    if settings.datasets_bucket is not None:
        found.append(Objects(settings.datasets_bucket))
    if settings.postgres_dsn is not None:
        from tenantscope_tenant_management.sources.holdings.database import Database

        found.append(Database(settings.postgres_dsn.get_secret_value(), settings.postgres_schemas))
    found.append(Logs())
    if settings.valkey_admin_url is not None:
        from tenantscope_tenant_management.sources.holdings.cache import Cache

        key = None if settings.cache_user_key is None else settings.cache_user_key.get_secret_value()
        found.append(Cache(settings.valkey_admin_url.get_secret_value(), key))
    return found
