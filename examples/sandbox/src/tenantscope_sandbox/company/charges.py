"""The charges of twelve months as exact integers, each with the knowledge of what it is."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from .activity import Floats, Ints
from .periods import DAYS, MONTH_OF_DAY, MONTHS
from .skus import COST_SCALE, PRICE_SCALE, SKUS, sku_index

Kind = Literal[
    "direct", "silo", "model", "feature", "platform", "security", "support", "tax", "credit", "purchase", "unused",
    "none",
]  # fmt: skip
"""What a charge is to the company, whatever the rules make of it; `none` belongs to nobody."""
MONTH_NUMBER: Ints = np.array([MONTHS.index(month) for month in MONTH_OF_DAY], dtype=np.int64)
_QUANTITY_SCALE = COST_SCALE // PRICE_SCALE


@dataclass(frozen=True, slots=True, kw_only=True)
class Charges:
    """Charges of one kind: shared attributes, and columns of equal length. Costs are in 1e-10 dollars."""

    kind: Kind
    sku: Ints
    day: Ints
    account: Ints
    quantity: Floats
    billed: Ints
    effective: Ints
    listed: Ints
    tenant: Ints
    feature: Ints
    month: Ints
    shared: str = ""
    environment: str = ""
    category: str = "Usage"
    charge_class: str | None = None
    frequency: str = "Usage-Based"
    pricing: str | None = "Standard"
    commitment: str = ""
    commitment_status: str | None = None
    whole_month: bool = False
    description: str | None = None

    def __len__(self) -> int:
        return len(self.sku)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Attributes of charges that are not plain metered usage."""

    shared: str = ""
    environment: str = ""
    category: str = "Usage"
    charge_class: str | None = None
    frequency: str = "Usage-Based"
    pricing: str | None = "Standard"
    commitment: str = ""
    commitment_status: str | None = None
    whole_month: bool = False
    description: str | None = None


PLAIN = Shape()


@dataclass(slots=True)
class Bill:
    """Collects charges."""

    parts: list[Charges] = field(default_factory=list[Charges])

    def metered(
        self,
        kind: Kind,
        sku: str,
        quantity: ArrayLike,
        *,
        account: ArrayLike,
        day: ArrayLike | None = None,
        tenant: ArrayLike = -1,
        feature: ArrayLike = -1,
        shape: Shape = PLAIN,
    ) -> Charges:
        """Usage at list price. Quantities are rounded to cents of a unit, so that quantity × price is exact."""
        hundredths = np.rint(np.asarray(quantity, dtype=np.float64) * _QUANTITY_SCALE).astype(np.int64)
        cost = hundredths * SKUS[sku_index(sku)].price
        return self.priced(
            kind, sku, cost, quantity=hundredths / _QUANTITY_SCALE, account=account, day=day, tenant=tenant,
            feature=feature, shape=shape,
        )  # fmt: skip

    def priced(
        self,
        kind: Kind,
        sku: str,
        effective: ArrayLike,
        *,
        account: ArrayLike,
        quantity: ArrayLike = 1.0,
        billed: ArrayLike | None = None,
        listed: ArrayLike | None = None,
        day: ArrayLike | None = None,
        month: ArrayLike | None = None,
        tenant: ArrayLike = -1,
        feature: ArrayLike = -1,
        shape: Shape = PLAIN,
    ) -> Charges:
        """Charges with their costs given in 1e-10 dollars; one a day unless `day` says otherwise."""
        days = np.arange(len(DAYS)) if day is None else np.atleast_1d(np.asarray(day, dtype=np.int64))

        def column(values: ArrayLike) -> Ints:
            return np.broadcast_to(np.asarray(values, dtype=np.int64), days.shape).copy()

        cost = column(effective)
        charges = Charges(
            kind=kind,
            sku=column(sku_index(sku)),
            day=days.astype(np.int64),
            account=column(account),
            quantity=np.broadcast_to(np.asarray(quantity, dtype=np.float64), days.shape).copy(),
            billed=cost if billed is None else column(billed),
            effective=cost,
            listed=cost if listed is None else column(listed),
            tenant=column(tenant),
            feature=column(feature),
            month=MONTH_NUMBER[days] if month is None else column(month),
            **{name: getattr(shape, name) for name in Shape.__slots__},
        )
        self.parts.append(charges)
        return charges

    def billed_by_month(self, accounts: set[int]) -> Ints:
        """BilledCost of these sub-accounts so far, by month."""
        totals = np.zeros(len(MONTHS), dtype=np.int64)
        for part in self.parts:
            chosen = np.isin(part.account, list(accounts))
            np.add.at(totals, part.month[chosen], part.billed[chosen])
        return totals
