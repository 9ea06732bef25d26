"""Sessions that must not be used."""

from typing import Any


class Nobody:
    """A tenant's session as a local model is given it: it has no use for it."""

    def __init__(self, tenant: str | None = "acme") -> None:
        self._tenant = tenant

    @property
    def tenant(self) -> str | None:
        return self._tenant

    async def call(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        raise AssertionError(f"{service} was called")
