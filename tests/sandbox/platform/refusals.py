"""How AWS says no."""

from collections.abc import Generator
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError


@contextmanager
def refused(*codes: str) -> Generator[None]:
    """Expect AWS to refuse what the block asks, with one of these codes."""
    with pytest.raises(ClientError) as caught:
        yield
    assert caught.value.response.get("Error", {}).get("Code") in (codes or ("AccessDenied", "AccessDeniedException"))
