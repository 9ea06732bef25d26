"""A change that came too late: what others changed in the meantime."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tenantscope_core.results.errors import Conflict

_MOST_FIELDS = 12


@dataclass(frozen=True, slots=True)
class Since:
    """What changed since a version: fields by name, and the version now."""

    version: int
    fields: Sequence[str]
    complete: bool


class TenantChanged(Conflict):
    """Somebody else changed the tenant first; says what, and which version stands now."""

    def __init__(self, wanted: int, since: Since) -> None:
        shown = ", ".join(since.fields[:_MOST_FIELDS]) or "nothing that the audit trail knows of"
        more = "" if since.complete and len(since.fields) <= _MOST_FIELDS else " and more"
        super().__init__(
            f"The tenant was changed since version {wanted}: {shown}{more}. It is at version {since.version} now; "
            "look at it with get_tenant and decide again.",
            parameter="version",
        )
        self.since = since

    def as_fields(self) -> dict[str, Any]:
        """The common fields, the version now, and what changed."""
        told = {"current_version": self.since.version, "changed": list(self.since.fields[:_MOST_FIELDS])}
        return {**super().as_fields(), **told}
