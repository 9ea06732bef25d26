"""Exact money: decimals as strings on the wire, parts rounded so that they still sum to the total."""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Annotated

from pydantic import PlainSerializer, WithJsonSchema

CENT = Decimal("0.01")

Amount = Annotated[
    Decimal,
    PlainSerializer(lambda value: format(value, "f"), return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^-?\d+(\.\d+)?$"}),
]
"""A decimal amount; its currency stands beside it. A string on the wire, so that no reader makes a float of it."""


def round_half_even(value: Decimal, unit: Decimal = CENT) -> Decimal:
    """`value` rounded to a multiple of `unit`, halves to even."""
    return value.quantize(unit, rounding=ROUND_HALF_EVEN)


def round_to_total(parts: Sequence[Decimal], *, unit: Decimal = CENT, total: Decimal | None = None) -> list[Decimal]:
    """Parts rounded to `unit` by largest remainder, so that they sum to `total` (default: the rounded sum of parts).

    Each part moves by less than one unit; ties go to the earlier part. The method is Hamilton's.

    Raises:
        ValueError: `total` is not the parts' sum to within a unit per part, so no such rounding exists.
    """
    wanted = round_half_even(sum(parts, Decimal(0)) if total is None else total, unit)
    floors = [part.quantize(unit, rounding=ROUND_FLOOR) for part in parts]
    missing = int((wanted - sum(floors, Decimal(0))) / unit)
    if not 0 <= missing <= len(parts):
        raise ValueError("the total is not the sum of the parts")
    by_remainder = sorted(range(len(parts)), key=lambda i: (floors[i] - parts[i], i))
    for i in by_remainder[:missing]:
        floors[i] += unit
    return floors
