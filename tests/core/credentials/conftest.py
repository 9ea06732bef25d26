"""A vault whose parts are real; only what stands behind STS's and S3's address is ours."""

from fixtures.sandbox import bare_sandbox as bare_sandbox
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
