"""Meters and prices as the price book's file writes them."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, Literal, cast

from tenantscope_core.results.documents import DocumentFault, capital, listing, mapping, only, sequence

from tenantscope_pricing.book import (
    FEE,
    Aggregate,
    Flat,
    Meter,
    Model,
    Package,
    Percentage,
    PerUnit,
    Price,
    Tier,
    Tiered,
)
from tenantscope_pricing.fields import QUANTITY_PLACES, UNIT_PLACES, label, name, needed, number, one_of, positive

MAX_TIERS = 20
_MEASURES = {
    "usage": ("quantity",),
    "feature_usage": ("calls", "errors", "bytes", "users"),
    "llm_usage": ("tokens", "tokens_in", "tokens_out", "tokens_cached", "requests", "cost"),
}
_TOLD_BY = {"usage": ("metric",), "feature_usage": ("feature", "action"), "llm_usage": ("model", "feature", "agent")}
_MODEL_KEYS = {
    "flat": {"amount"},
    "per_unit": {"unit_price"},
    "graduated": {"tiers"},
    "volume": {"tiers"},
    "package": {"package_size", "package_price"},
    "percentage": {"percent", "of"},
}


def parse_meter(key: str, value: object) -> Meter:
    """One entry of `meters`.

    Raises:
        DocumentFault: It says something that is not understood.
    """
    at = f"meter `{key}`"
    given = mapping(value, at)
    dataset = one_of(needed(given, "dataset", at), tuple(_MEASURES), f"`dataset` of {at}")
    only(given, {"dataset", "aggregate", "unit", "measure", *_TOLD_BY[dataset]}, at)
    default = _MEASURES[dataset][0] if len(_MEASURES[dataset]) == 1 else needed(given, "measure", at)
    measure = one_of(given.get("measure", default), _MEASURES[dataset], f"`measure` of {at}")
    if dataset == "usage":
        needed(given, "metric", at)
    where = tuple(
        (column, label(given[column], f"`{column}` of {at}")) for column in _TOLD_BY[dataset] if column in given
    )
    aggregate = one_of(given.get("aggregate", "sum"), ("sum", "max"), f"`aggregate` of {at}")
    if measure == "users" and (aggregate != "max" or len(where) != 2):
        raise DocumentFault(
            f"{capital(at)} counts users, who are told apart within one day, feature and action only: name `feature` "
            "and `action`, and let `aggregate` be `max`."
        )
    unit = label(given.get("unit", key), f"`unit` of {at}")
    return Meter(name(key, f"the name of {at}"), dataset, measure, where, cast(Aggregate, aggregate), unit)


MAX_PRICES = 30


def parse_prices(
    value: object, meters: Mapping[str, Meter], digits: int, at: str, *, alone: bool = True
) -> tuple[Price, ...]:
    """The entries of `prices`, in order. `alone`: a percentage may be of lines before it and no others.

    Raises:
        DocumentFault: One says something that is not understood.
    """
    entries = mapping(value, f"`prices` of {at}" if alone else at)
    if len(entries) > MAX_PRICES:
        raise DocumentFault(f"`prices` of {at} has {len(entries)} lines; at most {MAX_PRICES} are read.")
    prices: list[Price] = []
    for line, entry in entries.items():
        before = {FEE, *(price.line for price in prices)} if alone else None
        prices.append(_price(line, entry, meters, digits, at, before))
    return tuple(prices)


def _price(
    line: str, value: object, meters: Mapping[str, Meter], digits: int, within: str, before: Collection[str] | None
) -> Price:
    at = f"`{line}` in {within}"
    if name(line, f"the name of {at}") == FEE:
        raise DocumentFault(f"{capital(at)} is the plan's own fee; it stands as `fee` beside `prices`.")
    given = mapping(value, at)
    kind = one_of(needed(given, "model", at), tuple(_MODEL_KEYS), f"`model` of {at}")
    metered = kind != "flat" and "of" not in given
    only(
        given,
        {"model", "minimum", "maximum", *_MODEL_KEYS[kind], *({"meter", "included"} if metered else set[str]())},
        at,
    )
    model = _model(kind, given, digits, at, before)
    meter = None
    if metered:
        meter = given.get("meter", line)
        if meter not in meters:
            raise DocumentFault(f"{capital(at)} is of the meter {meter!r}; `meters` has {listing(meters)}.")
        if kind == "percentage" and meters[meter].measure != "cost":
            raise DocumentFault(f"{capital(at)} is a percentage of `{meter}`, which is no cost.")
    minimum = number(given.get("minimum", 0), f"`minimum` of {at}", places=digits)
    maximum = number(given["maximum"], f"`maximum` of {at}", places=digits) if "maximum" in given else None
    if maximum is not None and maximum < minimum:
        raise DocumentFault(f"{capital(at)} has a `maximum` below its `minimum`.")
    included = number(given.get("included", 0), f"`included` of {at}", places=QUANTITY_PLACES)
    return Price(line, model, meter, included, minimum, maximum)


def _model(kind: str, given: Mapping[str, Any], digits: int, at: str, before: Collection[str] | None) -> Model:
    match kind:
        case "flat":
            return Flat(number(needed(given, "amount", at), f"`amount` of {at}", places=digits))
        case "per_unit":
            return PerUnit(_unit_price(given, at))
        case "graduated" | "volume":
            return Tiered(kind, _tiers(needed(given, "tiers", at), digits, at))
        case "package":
            size = positive(needed(given, "package_size", at), f"`package_size` of {at}", places=QUANTITY_PLACES)
            price = needed(given, "package_price", at)
            return Package(size, number(price, f"`package_price` of {at}", places=UNIT_PLACES))
        case _:
            percent = number(needed(given, "percent", at), f"`percent` of {at}", places=QUANTITY_PLACES)
            of = tuple(str(each) for each in sequence(given["of"], f"`of` in {at}")) if "of" in given else ()
            if before is not None and (unknown := [each for each in of if each not in before]):
                raise DocumentFault(f"{capital(at)} is of `{unknown[0]}`, which is no line before it.")
            if len(set(of)) != len(of) or ("of" in given and not of):
                raise DocumentFault(f"`of` in {at} must name lines, each once.")
            return Percentage(percent, of)


def _unit_price(given: Mapping[str, Any], at: str) -> Decimal:
    return number(needed(given, "unit_price", at), f"`unit_price` of {at}", places=UNIT_PLACES)


def _tiers(value: object, digits: int, within: str) -> tuple[Tier, ...]:
    entries = sequence(value, f"`tiers` of {within}")
    if not 1 <= len(entries) <= MAX_TIERS:
        raise DocumentFault(f"`tiers` of {within} has {len(entries)} tiers; it must be 1 to {MAX_TIERS}.")
    tiers: list[Tier] = []
    for position, entry in enumerate(entries, start=1):
        at = f"tier {position} of {within}"
        given = mapping(entry, at)
        only(given, {"up_to", "unit_price", "fee"}, at)
        last = position == len(entries)
        if last == ("up_to" in given):
            raise DocumentFault(
                f"{capital(at)} is the last and must have no `up_to`: it has no end."
                if last
                else f"{capital(at)} needs `up_to`; only the last tier has no end."
            )
        up_to = None if last else positive(given["up_to"], f"`up_to` of {at}", places=QUANTITY_PLACES)
        before = tiers[-1].up_to if tiers else None
        if up_to is not None and before is not None and up_to <= before:
            raise DocumentFault(f"{capital(at)} ends at {up_to}, which is not above the end of the tier before it.")
        fee = number(given.get("fee", 0), f"`fee` of {at}", places=digits)
        tiers.append(Tier(up_to, _unit_price(given, at), fee))
    return tuple(tiers)


Kind = Literal["flat", "per_unit", "graduated", "volume", "package", "percentage"]
"""The models by the names that the file gives them."""


def kind_of(model: Model) -> Kind:
    """The name of a model."""
    match model:
        case Flat():
            return "flat"
        case PerUnit():
            return "per_unit"
        case Tiered():
            return model.mode
        case Package():
            return "package"
        case Percentage():
            return "percentage"
