"""The price book as typed values: what is metered, which plans there are from when, and who has which."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Literal

from tenantscope_core.results.periods import Month

FORMAT = 1
FEE = "fee"
"""The line of a plan's own fee."""
MINIMUM = "minimum"
"""The line that tops up a plan's minimum."""
ZERO = Decimal(0)

Rounding = Literal["half_up", "half_even"]
Aggregate = Literal["sum", "max"]


@dataclass(frozen=True, slots=True)
class Meter:
    """A quantity of use: a column of a dataset, of the rows where all of `where` hold, summed up day by day.

    Over a month, days are summed, or the highest counts (`max`, for seats).
    """

    name: str
    dataset: str
    measure: str
    where: tuple[tuple[str, str], ...]
    aggregate: Aggregate
    unit: str


@dataclass(frozen=True, slots=True)
class Flat:
    """An amount a month, used or not."""

    amount: Decimal


@dataclass(frozen=True, slots=True)
class PerUnit:
    """The same price for each unit."""

    unit_price: Decimal


@dataclass(frozen=True, slots=True)
class Tier:
    """Units up to and including `up_to` (None: without end), and a fee once any of them is charged for."""

    up_to: Decimal | None
    unit_price: Decimal
    fee: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Tiered:
    """Graduated: each unit at the price of the tier it lies in. Volume: all at the price of the tier of the last."""

    mode: Literal["graduated", "volume"]
    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True)
class Package:
    """A price for each package begun."""

    size: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class Percentage:
    """A share of an amount: of a metered cost, or of what other lines (`of`) come to. 130 is cost plus 30 %."""

    percent: Decimal
    of: tuple[str, ...] = ()


Model = Flat | PerUnit | Tiered | Package | Percentage


@dataclass(frozen=True, slots=True)
class Price:
    """One line of a plan. `included`, `minimum` and `maximum` are a whole month's."""

    line: str
    model: Model
    meter: str | None = None
    included: Decimal = ZERO
    minimum: Decimal = ZERO
    maximum: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a tenant pays by. `prorated`: a part of a month counts by its days, else as a whole month."""

    id: str
    name: str
    public: bool
    prorated: bool
    fee: Decimal
    minimum: Decimal
    features: tuple[str, ...]
    prices: tuple[Price, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """The names of its lines."""
        return (FEE, *(price.line for price in self.prices))


@dataclass(frozen=True, slots=True)
class Version:
    """The plans from a month on, until the next version. `hash` changes when anything that is charged for does."""

    name: str
    effective: Month
    plans: Mapping[str, Plan]
    hash: str


@dataclass(frozen=True, slots=True)
class Discount:
    """A percentage off the lines named, or (none named) off every line but minimums."""

    percent: Decimal
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Term:
    """A stretch of a contract, `through` included. What is agreed apart stands in place of the plan's own."""

    since: date
    through: date | None
    plan: str
    pinned: str | None = None
    fee: Decimal | None = None
    minimum: Decimal | None = None
    prices: tuple[Price, ...] = ()
    discount: Discount | None = None

    def resolved(self, plan: Plan) -> Plan:
        """The plan as this tenant has it."""
        own = {price.line: price for price in self.prices}
        kept = tuple(own.pop(price.line, price) for price in plan.prices)
        return replace(
            plan,
            fee=plan.fee if self.fee is None else self.fee,
            minimum=plan.minimum if self.minimum is None else self.minimum,
            prices=(*kept, *own.values()),
        )


@dataclass(frozen=True, slots=True)
class Credit:
    """Money that pays bills: given (`price` 0) or bought. Good for the bills of `granted` to `expires`, both included.

    It pays for the lines named, or for all.
    """

    name: str
    amount: Decimal
    granted: Month
    expires: Month | None = None
    price: Decimal = ZERO
    lines: tuple[str, ...] = ()
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Contract:
    """What one tenant agreed to: terms in order of time that do not overlap, and credits."""

    tenant: str
    terms: tuple[Term, ...]
    credits: tuple[Credit, ...] = ()


@dataclass(frozen=True, slots=True)
class Book:
    """The whole price book, or what one tenant may see of it. Versions are in order of time."""

    currency: str
    rounding: Rounding
    meters: Mapping[str, Meter]
    versions: tuple[Version, ...]
    contracts: Mapping[str, Contract] = field(default_factory=dict[str, Contract])

    @property
    def minor_unit(self) -> Decimal:
        """The smallest amount of the currency that is charged."""
        return minor_unit(self.currency)

    def version_in(self, month: Month) -> Version | None:
        """The version in force in a month; None before the first."""
        return next((one for one in reversed(self.versions) if one.effective <= month), None)

    def version_named(self, name: str) -> Version | None:
        """A version by its name."""
        return next((one for one in self.versions if one.name == name), None)

    def plan_of(self, term: Term, month: Month) -> tuple[Version, Plan]:
        """The version and the plan, with what is agreed apart, that a term is rated by in a month.

        Raises:
            LookupError: The book has none, which a book that was read from its file never says of its own contracts.
        """
        version = self.version_named(term.pinned) if term.pinned else self.version_in(month)
        if version is None or term.plan not in version.plans:
            raise LookupError(f"no plan {term.plan} in {month}")
        return version, term.resolved(version.plans[term.plan])


_NO_MINOR_UNIT = (
    "BIF",
    "CLP",
    "DJF",
    "GNF",
    "ISK",
    "JPY",
    "KMF",
    "KRW",
    "PYG",
    "RWF",
    "UGX",
    "VND",
    "VUV",
    "XAF",
    "XPF",
)
_THREE_DIGITS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")


def minor_digits(currency: str) -> int:
    """Decimal places of a currency's minor unit (ISO 4217)."""
    return 0 if currency in _NO_MINOR_UNIT else 3 if currency in _THREE_DIGITS else 2


def minor_unit(currency: str) -> Decimal:
    """The smallest amount of a currency."""
    return Decimal(1).scaleb(-minor_digits(currency))


def version_hash(currency: str, rounding: Rounding, meters: Mapping[str, Meter], plans: Mapping[str, Plan]) -> str:
    """Twelve hexadecimal digits of all that bills of a version are made of, and of what its plans are called."""
    used = sorted({price.meter for plan in plans.values() for price in plan.prices if price.meter is not None})
    meaning = (FORMAT, currency, rounding, [meters[name] for name in used], sorted(plans.items()))
    return hashlib.sha256(repr(meaning).encode()).hexdigest()[:12]
