"""The price book's file: YAML that the company owns, read strictly, with one sentence for what is wrong with it."""

import re
from collections.abc import Mapping
from typing import Any, cast

from tenantscope_core.results.documents import DocumentFault, capital, mapping, only, read_yaml, sequence

from tenantscope_pricing.book import FORMAT, Book, Meter, Plan, Rounding, Version, minor_digits, version_hash
from tenantscope_pricing.contract_file import parse_contract
from tenantscope_pricing.fields import boolean, label, labels, month, name, needed, number, one_of
from tenantscope_pricing.price_file import parse_meter, parse_prices

BookError = DocumentFault
"""The price book cannot be used; the message is one sentence that names the entry and the key at fault."""

MAX_VERSIONS, MAX_PLANS, MAX_METERS, MAX_CONTRACTS = 120, 50, 100, 100_000
_FILE = "the price book"
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_CURRENCY = re.compile(r"[A-Z]{3}")


def parse_book(text: str) -> Book:
    """The book in a YAML text.

    Raises:
        BookError: The text is not YAML, or says something that is not understood.
    """
    return book_of(read_yaml(text, _FILE))


def book_of(document: object, *, hashes: Mapping[str, str] | None = None) -> Book:
    """The book in a document, which is what YAML or JSON holds.

    `hashes` are those of the versions, by name, where the document is a part of a book and does not tell.

    Raises:
        BookError: It says something that is not understood.
    """
    top = mapping(document, _FILE)
    only(top, {"format", "currency", "rounding", "meters", "versions", "contracts"}, _FILE)
    if top.get("format") != FORMAT:
        raise BookError(f"{capital(_FILE)} must say `format: {FORMAT}`.")
    currency = needed(top, "currency", _FILE)
    if not isinstance(currency, str) or _CURRENCY.fullmatch(currency) is None:
        raise BookError(f"`currency` of {_FILE} is {currency!r}; it must be a code such as USD.")
    rounding = cast(Rounding, one_of(top.get("rounding", "half_up"), ("half_up", "half_even"), "`rounding`"))
    listed = _bounded(mapping(top.get("meters", {}), "`meters`"), MAX_METERS, "`meters`")
    meters = {key: parse_meter(key, value) for key, value in listed.items()}
    digits = minor_digits(currency)
    versions = _versions(needed(top, "versions", _FILE), currency, rounding, meters, hashes)
    signed = _bounded(mapping(top.get("contracts", {}), "`contracts`"), MAX_CONTRACTS, "`contracts`")
    for tenant in signed:
        if _TENANT.fullmatch(tenant) is None:
            raise BookError(f"`contracts` has {tenant!r}, which is no tenant id.")
    contracts = {tenant: parse_contract(tenant, each, versions, meters, digits) for tenant, each in signed.items()}
    return Book(currency, rounding, meters, versions, contracts)


def _versions(
    value: object, currency: str, rounding: Rounding, meters: Mapping[str, Meter], hashes: Mapping[str, str] | None
) -> tuple[Version, ...]:
    entries = sequence(value, "`versions`")
    if not 1 <= len(entries) <= MAX_VERSIONS:
        raise BookError(f"`versions` has {len(entries)} entries; it must have 1 to {MAX_VERSIONS}.")
    versions: list[Version] = []
    for position, entry in enumerate(entries, start=1):
        at = f"version {position}"
        given = mapping(entry, at)
        only(given, {"version", "effective", "plans"}, at)
        called = label(needed(given, "version", at), f"the name (`version`) of {at}")
        effective = month(needed(given, "effective", at), f"`effective` of version {called!r}")
        if any(one.name == called for one in versions):
            raise BookError(f"Two versions are named {called!r}; a name must be unique.")
        if versions and effective <= versions[-1].effective:
            raise BookError(f"Version {called!r} is not effective after the one before it; list them in order of time.")
        plans = _plans(given, f"version {called!r}", meters, minor_digits(currency))
        made = version_hash(currency, rounding, meters, plans) if hashes is None else hashes.get(called, "")
        versions.append(Version(called, effective, plans, made))
    return tuple(versions)


def _plans(given: Mapping[str, Any], at: str, meters: Mapping[str, Meter], digits: int) -> dict[str, Plan]:
    entries = _bounded(mapping(needed(given, "plans", at), f"`plans` of {at}"), MAX_PLANS, f"`plans` of {at}")
    return {key: _plan(key, value, f"plan `{key}` of {at}", meters, digits) for key, value in entries.items()}


def _plan(key: str, value: object, at: str, meters: Mapping[str, Meter], digits: int) -> Plan:
    given = mapping(value, at)
    only(given, {"name", "public", "proration", "fee", "minimum", "features", "prices"}, at)
    prices = parse_prices(given.get("prices", {}), meters, digits, at)
    return Plan(
        id=name(key, f"the key of {at}"),
        name=label(given.get("name", key.replace("_", " ").capitalize()), f"`name` of {at}"),
        public=boolean(given.get("public", True), f"`public` of {at}"),
        prorated=one_of(given.get("proration", "day"), ("day", "none"), f"`proration` of {at}") == "day",
        fee=number(given.get("fee", 0), f"`fee` of {at}", places=digits),
        minimum=number(given.get("minimum", 0), f"`minimum` of {at}", places=digits),
        features=labels(given.get("features", []), f"`features` of {at}"),
        prices=prices,
    )


def _bounded(entries: Mapping[str, Any], most: int, at: str) -> Mapping[str, Any]:
    if len(entries) > most:
        raise BookError(f"{capital(at)} has {len(entries)} entries; at most {most} are read.")
    return entries
