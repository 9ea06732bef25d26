"""What the company says of its access log, as typed values: where a line's tenant and user are, and its features."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from tenantscope_metrics_logs.routes import Route

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the line, by the name that its format gives it; within JSON, dots lead deeper."""

    name: str


@dataclass(frozen=True, slots=True)
class Host:
    """The host that was asked, where `before` and `after` stand around the value."""

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class PathPart:
    """A segment of the path, counted from 0, below these segments."""

    below: tuple[str, ...]

    @property
    def place(self) -> int:
        """Which segment it is."""
        return len(self.below)


@dataclass(frozen=True, slots=True)
class QueryParameter:
    """A parameter of the query."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """The same for every line."""

    value: str


Source = Field | Host | PathPart | QueryParameter | Constant


@dataclass(frozen=True, slots=True)
class LogRules:
    """A rules file: of the sources of tenant and user, the first that has a value counts.

    `tenants` leads from values to tenant ids; where there are any, another value is of no tenant. `fields` names what
    the line calls time, method, path, status and so on. No `routes` means: they are learned.
    """

    tenant: tuple[Source, ...]
    tenants: tuple[tuple[str, str], ...] = ()
    user: tuple[Source, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict[str, str])
    routes: tuple[Route, ...] | None = None
    other_is_a_feature: bool = True

    @property
    def version(self) -> str:
        """Twelve hexadecimal digits that change when the rules' meaning does, not with comments and layout."""
        fields = tuple(sorted(self.fields.items()))
        meaning = (FORMAT, self.tenant, self.tenants, self.user, fields, self.routes, self.other_is_a_feature)
        return hashlib.sha256(repr(meaning).encode()).hexdigest()[:12]

    @property
    def tenant_place(self) -> int | None:
        """The segment of the path that names the tenant, if one does."""
        return next((source.place for source in self.tenant if isinstance(source, PathPart)), None)
