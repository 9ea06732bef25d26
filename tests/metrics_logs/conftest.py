"""The real S3 of these tests."""

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
