"""Allocation rules as typed values: which charges a rule takes, and how they come to tenants."""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

FORMAT = 1
Even = Literal["even"]
EVEN: Even = "even"

COLUMNS = (
    "service",
    "charge_category",
    "charge_class",
    "sub_account",
    "billing_account",
    "resource",
    "region",
    "commitment_status",
    "iam_principal",
    "user_identifier",
)
"""What a charge can be told by, beside its tags and its description."""

PARTLY = ("description", "iam_principal")
"""Columns of which a rule names a part; of the others it names the whole."""


Window = Literal["day", "month"]


class Method(StrEnum):
    """How a charge reaches tenants."""

    DIRECT = "direct"
    DRIVER = "driver"
    PROXY = "proxy"
    EVEN = "even"
    RESIDUAL = "residual"


@dataclass(frozen=True, slots=True)
class Tag:
    """The value of one tag of a charge."""

    key: str


@dataclass(frozen=True, slots=True)
class Column:
    """The value of one column of a charge, one of `COLUMNS` or `description`."""

    name: str


@dataclass(frozen=True, slots=True)
class After:
    """What follows the last `text` in a value, such as `acme` in `…/AppRole/tenant=acme` after `tenant=`."""

    of: Tag | Column
    text: str


Selector = Tag | Column | After


@dataclass(frozen=True, slots=True)
class Condition:
    """A test of one value of a charge: any non-empty value where `values` is None, else one of `values`.

    Of a column in `PARTLY`, one of `values` must be a part.
    """

    selector: Tag | Column
    values: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Measure:
    """A measured quantity of tenants, such as `usage.requests`; `scale` is its number of decimal places."""

    dataset: str
    column: str
    scale: int

    @property
    def has_feature(self) -> bool:
        """Whether it is known for each feature."""
        return self.dataset != "usage"

    def __str__(self) -> str:
        return f"{self.dataset}.{self.column}"


@dataclass(frozen=True, slots=True)
class Direct:
    """The charge belongs to one tenant: the selector's value, or what `names` says for that value."""

    tenant: Selector
    names: tuple[tuple[str, str], ...] | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """The charge is shared among tenants by the first of `drivers` that measures anything in the window."""

    method: Literal[Method.DRIVER, Method.PROXY, Method.EVEN]
    drivers: tuple[Measure | Even, ...] = ()
    per: Window = "month"
    cascade: Measure | None = None


@dataclass(frozen=True, slots=True)
class Unallocated:
    """The charge stays with the company, in sight."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: it consumes the charges that satisfy all its conditions and no earlier rule."""

    name: str
    conditions: tuple[Condition, ...]
    allocate: Direct | Split | Unallocated


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The ordered rules of a file; `version` is a hash of their meaning, not of comments and layout."""

    rules: tuple[Rule, ...]
    feature: Selector | None = None
    environment: Selector | None = None
    text: str = field(default="", compare=False)

    @property
    def version(self) -> str:
        """Twelve hexadecimal digits that change when the rules' meaning does."""
        meaning = repr((FORMAT, self.rules, self.feature, self.environment))
        return hashlib.sha256(meaning.encode()).hexdigest()[:12]

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Every measure the rules may ask for, in a fixed order."""
        found: set[Measure] = set()
        for rule in self.rules:
            if isinstance(rule.allocate, Split):
                found.update(driver for driver in rule.allocate.drivers if isinstance(driver, Measure))
                if rule.allocate.cascade is not None:
                    found.add(rule.allocate.cascade)
        return tuple(sorted(found, key=str))
