"""What one tenant may see of the price book: public plans, its own plans, its own contract and nobody else's."""

import json
from collections.abc import Mapping
from typing import Any

from tenantscope_core.results.documents import mapping

from tenantscope_pricing.book import FORMAT, Book
from tenantscope_pricing.book_file import book_of


def stored(document: Mapping[str, Any], book: Book) -> str:
    """The whole book as it is kept: its document, which is its file's, and the hashes of its versions."""
    return _written(document, book)


def stored_for(document: Mapping[str, Any], book: Book, tenant: str) -> str:
    """The part of a book that one tenant may see, which is a book of the same format with the same hashes."""
    contract = book.contracts.get(tenant)
    own = {term.plan for term in contract.terms} if contract is not None else set[str]()
    versions: list[Mapping[str, Any]] = []
    for entry, version in zip(document["versions"], book.versions, strict=True):
        visible = {key: plan for key, plan in entry["plans"].items() if key in own or version.plans[key].public}
        versions.append({**entry, "plans": visible})
    used = {
        price.meter
        for version, entry in zip(book.versions, versions, strict=True)
        for plan in entry["plans"]
        for price in version.plans[plan].prices
    }
    used |= {price.meter for term in (contract.terms if contract else ()) for price in term.prices}
    meters = {name: meter for name, meter in document.get("meters", {}).items() if name in used}
    contracts = {tenant: document["contracts"][tenant]} if contract is not None else {}
    return _written({**document, "meters": meters, "versions": versions, "contracts": contracts}, book)


def read_stored(text: str) -> Book:
    """A book as it was kept.

    Raises:
        BookError: It is damaged.
        ValueError: It is no JSON, or of another format.
    """
    kept = mapping(json.loads(text), "the stored book")
    if kept.get("format") != FORMAT:
        raise ValueError("not a stored book of this format")
    return book_of(kept.get("book"), hashes=mapping(kept.get("hashes"), "the hashes of the stored book"))


def _written(document: Mapping[str, Any], book: Book) -> str:
    hashes = {version.name: version.hash for version in book.versions}
    return json.dumps({"format": FORMAT, "hashes": hashes, "book": document}, default=str, separators=(",", ":"))
