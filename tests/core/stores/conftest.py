"""The real stores of these tests."""

from fixtures.stores import (
    aws_part as aws_part,
)
from fixtures.stores import (
    bucket as bucket,
)
from fixtures.stores import (
    cloud as cloud,
)
from fixtures.stores import (
    database as database,
)
from fixtures.stores import (
    postgres_part as postgres_part,
)
from fixtures.stores import (
    shared_cloud as shared_cloud,
)
from fixtures.stores import (
    stores_state as stores_state,
)
from fixtures.stores import (
    superuser as superuser,
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
