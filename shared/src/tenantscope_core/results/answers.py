"""What every answer is made of: a closed model, how fresh its numbers are, shares of a total."""

from datetime import date
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """An answer or a part of one: closed, so that what is declared is all there is."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Scan(Answer):
    """What Athena read for an answer."""

    queries: int = Field(description="Queries that Athena ran or reused.")
    bytes: int = Field(description="Bytes that it read, by which it bills.")
    reused: int = Field(description="How many of the queries it answered with an earlier result.")


class Freshness(Answer):
    """How complete the numbers are."""

    data_through: date | None = Field(default=None, description="Last day in the period with data.")
    missing_months: list[str] = Field(default=[], description="Months of the period for which nothing is committed.")
    stale: bool = Field(default=False, description="Storage does not answer; this is the last that was known.")
    scan: Scan | None = Field(default=None, description="Where Athena answered: what it read.")


def percent(part: Decimal | int, total: Decimal | int) -> float | None:
    """A share in per cent with one decimal; None where the total is not positive."""
    return round(float(part / total * 100), 1) if total > 0 else None
