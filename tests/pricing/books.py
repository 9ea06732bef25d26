"""Books, contracts and use for properties: everything that the file can say, small enough to be read."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

MONTH = date(2026, 9, 1)
DAYS = [MONTH + timedelta(days=n) for n in range(30)]
METERS: Mapping[str, Mapping[str, Any]] = {
    "calls": {"dataset": "usage", "metric": "calls"},
    "bytes": {"dataset": "feature_usage", "feature": "files", "measure": "bytes"},
    "seats": {"dataset": "usage", "metric": "users", "aggregate": "max"},
    "models": {"dataset": "llm_usage", "measure": "cost"},
}


def text(value: Decimal) -> str:
    return f"{value:f}"


def cents(most: int = 50_000) -> st.SearchStrategy[str]:
    return st.integers(0, most).map(lambda n: text(Decimal(n).scaleb(-2)))


unit_prices = st.integers(0, 3_000).map(lambda n: text(Decimal(n).scaleb(-4)))
limits = st.integers(1, 4_000).map(lambda n: text(Decimal(n).scaleb(-1)))
quantities = st.integers(-10, 60_000).map(lambda n: Decimal(n).scaleb(-2))


@st.composite
def tiers(draw: st.DrawFn) -> list[dict[str, Any]]:
    ends = sorted(draw(st.sets(st.integers(1, 500), max_size=3)))
    made: list[dict[str, Any]] = []
    for end in [*ends, None]:
        tier: dict[str, Any] = {"unit_price": draw(unit_prices)}
        if end is not None:
            tier["up_to"] = end
        if draw(st.integers(0, 3)) == 0:
            tier["fee"] = draw(cents(500))
        made.append(tier)
    return made


@st.composite
def metered_models(draw: st.DrawFn, meter: str) -> dict[str, Any]:
    kinds = ["percentage"] if meter == "models" else ["per_unit", "graduated", "volume", "package"]
    kind = draw(st.sampled_from(kinds))
    price: dict[str, Any] = {"model": kind, "meter": meter}
    match kind:
        case "percentage":
            price["percent"] = draw(st.integers(0, 300))
        case "per_unit":
            price["unit_price"] = draw(unit_prices)
        case "package":
            price |= {"package_size": draw(limits), "package_price": draw(unit_prices)}
        case _:
            price["tiers"] = draw(tiers())
    if draw(st.booleans()):
        price["included"] = draw(limits)
    return price


@st.composite
def prices(draw: st.DrawFn) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for line in draw(st.lists(st.sampled_from("abcd"), unique=True)):
        price = draw(
            st.sampled_from(list(METERS)).flatmap(metered_models)
            | cents().map(lambda amount: {"model": "flat", "amount": amount})
            | st.integers(0, 200).map(lambda n, of=["fee", *made]: {"model": "percentage", "percent": n, "of": of})
        )
        if draw(st.integers(0, 3)) == 0:
            price = {**price, "minimum": draw(cents(5_000))}
        if draw(st.integers(0, 3)) == 0:
            least = Decimal(str(price.get("minimum", 0)))
            price = {**price, "maximum": text(least + Decimal(draw(cents(20_000))))}
        made[line] = price
    return made


@st.composite
def plans(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "fee": draw(cents()),
        "minimum": draw(st.just("0") | cents()),
        "proration": draw(st.sampled_from(["day", "day", "none"])),
        "prices": draw(prices()),
    }


@st.composite
def contracts(draw: st.DrawFn) -> dict[str, Any]:
    starts = sorted(draw(st.sets(st.integers(-40, 29), min_size=1, max_size=3)))
    terms: list[dict[str, Any]] = []
    for start in starts:
        term: dict[str, Any] = {"plan": draw(st.sampled_from(["one", "two"])), "since": MONTH + timedelta(days=start)}
        if draw(st.integers(0, 3)) == 0:
            term["discount"] = {"percent": draw(st.integers(1, 100)), "lines": draw(st.sampled_from([[], ["fee"]]))}
        if draw(st.integers(0, 3)) == 0:
            term["fee"] = draw(cents())
        terms.append(term)
    if draw(st.booleans()):
        terms[-1]["through"] = terms[-1]["since"] + timedelta(days=draw(st.integers(0, 40)))
    return {"terms": terms}


@st.composite
def books(draw: st.DrawFn) -> dict[str, Any]:
    """A document of a book with two plans, a version effective in the month or before, and a contract."""
    versions = [{"version": "first", "effective": "2026-01", "plans": {"one": draw(plans()), "two": draw(plans())}}]
    if draw(st.booleans()):
        versions.append(
            {"version": "now", "effective": "2026-09", "plans": {"one": draw(plans()), "two": draw(plans())}}
        )
    return {
        "format": 1,
        "currency": "USD",
        "rounding": draw(st.sampled_from(["half_up", "half_even"])),
        "meters": METERS,
        "versions": versions,
        "contracts": {"acme": draw(contracts())},
    }


@st.composite
def use(draw: st.DrawFn) -> dict[date, dict[str, Decimal]]:
    """Use on a few days of the month."""
    days = draw(st.lists(st.sampled_from(DAYS), unique=True, max_size=5))
    return {day: {meter: draw(quantities) for meter in METERS if draw(st.booleans())} for day in days}
