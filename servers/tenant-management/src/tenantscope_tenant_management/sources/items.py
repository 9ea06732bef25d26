"""Items of DynamoDB as plain values, whatever table they are of: to its wire and back, one and by the page."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Item = dict[str, Any]


@functools.cache
def _converters() -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """To DynamoDB's values, and back."""
    from boto3.dynamodb.types import TypeDeserializer, TypeSerializer  # brings all of boto3, which no start needs

    return TypeSerializer().serialize, TypeDeserializer().deserialize


def typed(item: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values as DynamoDB takes them; what is None is left out."""
    serialise, _ = _converters()
    return {name: serialise(value) for name, value in item.items() if value is not None}


def plain(item: Mapping[str, Any]) -> Item:
    """DynamoDB's values as plain ones."""
    _, deserialise = _converters()
    return {name: deserialise(value) for name, value in item.items()}


@dataclass(frozen=True, slots=True)
class Page:
    """Items in order, and the key after which the next page begins; None at the end."""

    items: list[Item]
    next_key: Item | None


def page_of(answer: Mapping[str, Any]) -> Page:
    """What a query answered."""
    last = answer.get("LastEvaluatedKey")
    return Page([plain(item) for item in answer.get("Items", [])], None if last is None else plain(last))
