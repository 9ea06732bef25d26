"""A job of the provider's as what acts."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tenantscope_core.identity.caller import Audience, Caller
from tenantscope_core.stores.aws import AwsCaller


@dataclass(frozen=True, slots=True)
class Job:
    """The fleet's session, the time, and the name under which the audit trail knows the job."""

    aws: AwsCaller
    now: datetime
    name: str

    @property
    def caller(self) -> Caller:
        """The job as the audit trail names it."""
        return Caller(self.name, Audience.PROVIDER, None, None, frozenset(), self.now + timedelta(hours=1))
