"""Query results as typed numpy columns."""

from typing import Any, cast

import duckdb
import numpy as np
from numpy.typing import NDArray


def fetch_columns(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, NDArray[np.generic]]:
    """Run a query whose columns hold numbers and no NULL."""
    return cast(Any, connection.execute(sql)).fetchnumpy()
