"""Which stores there are is said by the settings, and none costs anything before it is used."""

import subprocess
import sys
from typing import cast

from fixtures.serving import Served
from tenantscope_tenant_management.settings import Settings
from tenantscope_tenant_management.sources.holdings.open import holdings


def settings_with(served: Served, **changes: object) -> Settings:
    return cast(Settings, served.assembly.settings).model_copy(update=changes)


async def test_a_store_that_is_not_set_up_is_none_of_the_holdings(registry_server: Served):
    """The cache is erased last: what is deleted elsewhere may be copied into it until then."""
    named = [holding.name for holding in holdings(settings_with(registry_server))]
    assert named == ["objects", "database", "logs", "cache"]
    bare = settings_with(registry_server, datasets_bucket=None, postgres_dsn=None, valkey_admin_url=None)
    assert [holding.name for holding in holdings(bare)] == ["logs"]


def test_the_server_loads_no_driver_of_a_store_before_it_is_used():
    code = "import sys; import tenantscope_tenant_management.sources.holdings.open; print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "tenantscope_tenant_management.sources.holdings.objects" in loaded
    for driver in ("'psycopg'", "'psycopg_pool'", "'valkey'"):
        assert driver not in loaded
