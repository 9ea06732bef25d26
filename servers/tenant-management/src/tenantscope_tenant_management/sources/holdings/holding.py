"""What every store offers for a tenant's coming and going."""

from collections.abc import Callable, Sequence
from typing import Protocol

from tenantscope_core.results.errors import Conflict
from tenantscope_core.stores.aws import AwsCaller, OtherTenant

from tenantscope_tenant_management.holdings import Export, Held
from tenantscope_tenant_management.sources.holdings.export_folder import ExportFolder

Clock = Callable[[], float]
"""Seconds that never run backwards."""


class Holding(Protocol):
    """One store, as far as one tenant is concerned.

    `aws` is a session of that tenant; with any other each method raises OtherTenant. All methods may be called again
    after any failure or kill, and raise AwsError or a ToolFailure.
    """

    @property
    def name(self) -> str:
        """What receipts call the store."""
        ...

    async def prepare(self, aws: AwsCaller, tenant: str) -> str | None:
        """Make what a new tenant needs here; a sentence of what there is now, None where it needs nothing.

        Raises:
            Conflict: Something of a former tenant of this id is left.
        """
        ...

    async def unprepare(self, aws: AwsCaller, tenant: str) -> None:
        """Take away what `prepare` made, and nothing else."""
        ...

    async def held(self, aws: AwsCaller, tenant: str) -> Held:
        """What is there now, read from the store itself."""
        ...

    async def export(self, aws: AwsCaller, tenant: str, folder: ExportFolder, *, seconds: float) -> Export:
        """Write what is there to the folder, in bounded memory; after about `seconds` it stops, to be called again.

        What an earlier call wrote is not written again.
        """
        ...

    async def erase(self, aws: AwsCaller, tenant: str, *, seconds: float) -> bool:
        """Delete what is there; after about `seconds` it stops, to be called again. True once nothing was left.

        A writer that comes late can leave something all the same: `held` tells.
        """
        ...

    async def kept(self, aws: AwsCaller, tenant: str) -> Sequence[str]:
        """Sentences on what of the tenant stays out of the reach of all this, and why."""
        ...


class Allowance:
    """Seconds to spend; whoever works within it does one piece of work before asking."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        self._clock = clock
        self._end = clock() + seconds

    @property
    def is_spent(self) -> bool:
        """Whether they are over."""
        return self._clock() >= self._end


def require_session_of(aws: AwsCaller, tenant: str) -> None:
    """Refuse a session that is not this very tenant's, the fleet's among them.

    Raises:
        OtherTenant: It is not.
    """
    if aws.tenant != tenant:
        raise OtherTenant


def left_behind(what: str) -> Conflict:
    """The failure of a tenant that cannot come, because `what` (`Objects`, …) of a former one is still there."""
    return Conflict(
        f"{what} of an earlier tenant with this id are still there; have it erased first, or choose another id.",
        parameter="tenant_id",
    )
