"""The real S3 of these tests, and the sandbox's company rolled up into it."""

import pytest
from cost_explorer.wayfarer import Wayfarer, found
from fixtures.stores import (
    Cloud,
)
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
    shared_cloud as shared_cloud,
)
from fixtures.stores import (
    stores_state as stores_state,
)


@pytest.fixture(scope="session")
async def wayfarer(shared_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Wayfarer:
    """Twelve months of the sandbox's company, which no test changes."""
    return await found("wayfarer", shared_cloud, tmp_path_factory.mktemp("wayfarer"))
