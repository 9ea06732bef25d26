"""A vault and a Valkey whose parts are real."""

import pytest
from fixtures.stores import (
    stores_state as stores_state,
)
from fixtures.stores import (
    valkey_part as valkey_part,
)
from fixtures.valkeys import (
    valkey_admin as valkey_admin,
)
from fixtures.valkeys import (
    valkey_store as valkey_store,
)
from fixtures.valkeys import (
    valkey_url as valkey_url,
)
from fixtures.vaults import (
    clients as clients,
)
from fixtures.vaults import (
    clock as clock,
)
from fixtures.vaults import (
    open_vault as open_vault,
)
from fixtures.vaults import (
    process_identity as process_identity,
)
from fixtures.vaults import (
    server as server,
)
from fixtures.vaults import (
    sts as sts,
)
from tenantscope_core.embeddings.local import LocalEmbedder


@pytest.fixture(scope="session")
def local() -> LocalEmbedder:
    """The local model, loaded once."""
    return LocalEmbedder()
