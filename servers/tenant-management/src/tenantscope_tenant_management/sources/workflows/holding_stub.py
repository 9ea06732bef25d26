"""Stands for the stores until they are here."""

from typing import Protocol

from tenantscope_core.stores.aws import AwsCaller


class Holding(Protocol):
    """One store, as far as one tenant is concerned."""

    @property
    def name(self) -> str:
        """What receipts call the store."""
        ...

    async def prepare(self, aws: AwsCaller, tenant: str) -> str | None:
        """Make what a new tenant needs here."""
        ...

    async def unprepare(self, aws: AwsCaller, tenant: str) -> None:
        """Take it away."""
        ...
