"""A session that must not be used."""

from typing import Any


class Nobody:
    """What a local model is given: it has no use for it."""

    tenant = "acme"

    async def call(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        raise AssertionError(f"{service} was called")
