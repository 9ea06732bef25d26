"""Fifteen features: one route template each, one method per action, and how personas mix them."""

from collections.abc import Mapping
from dataclasses import dataclass

from .tenants import Persona, Tier


@dataclass(frozen=True, slots=True)
class Action:
    """What one method on the feature's route does."""

    method: str
    name: str
    share: float


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature of the product. `latency_ms` and `size_bytes` are medians."""

    name: str
    route: str
    actions: tuple[Action, ...]
    latency_ms: float
    size_bytes: float
    searchers: float
    bookers: float
    """Weight in the mix of each persona."""


def _view_and(*others: tuple[str, str, float]) -> tuple[Action, ...]:
    rest = tuple(Action(*other) for other in others)
    return (Action("GET", "view", 1 - sum(action.share for action in rest)), *rest)


FEATURES: tuple[Feature, ...] = (
    Feature("search_flights", "/v1/flights/search", (Action("GET", "search", 1.0),), 620, 42_000, 30, 10),
    Feature("search_hotels", "/v1/hotels/search", (Action("GET", "search", 1.0),), 480, 36_000, 20, 7),
    Feature("search_cars", "/v1/cars/search", (Action("GET", "search", 1.0),), 310, 18_000, 8, 3),
    Feature("seat_maps", "/v1/flights/{flight_id}/seats", _view_and(), 140, 9_000, 4, 8),
    Feature(
        "book_trip", "/v1/trips/{trip_id}/booking",
        _view_and(("POST", "book", 0.45), ("PATCH", "amend", 0.15)), 890, 6_500, 3, 18,
    ),
    Feature("cancel_trip", "/v1/trips/{trip_id}/cancellation", (Action("POST", "cancel", 1.0),), 540, 1_800, 0.6, 2),
    Feature("itineraries", "/v1/itineraries/{itinerary_id}", _view_and(("PUT", "edit", 0.25)), 95, 7_500, 6, 14),
    Feature("invoices", "/v1/invoices/{invoice_id}", _view_and(("POST", "issue", 0.3)), 120, 14_000, 2, 9),
    Feature("reports", "/v1/reports/{report_id}", _view_and(("POST", "run", 0.4)), 1400, 95_000, 3, 6),
    Feature("loyalty", "/v1/travellers/{traveller_id}/loyalty", _view_and(("POST", "redeem", 0.2)), 110, 2_200, 2, 6),
    Feature("traveller_profiles", "/v1/travellers/{traveller_id}", _view_and(("PUT", "edit", 0.3)), 70, 3_100, 4, 9),
    Feature(
        "price_alerts", "/v1/price-alerts/{alert_id}",
        _view_and(("POST", "create", 0.3), ("DELETE", "delete", 0.1)), 60, 1_200, 10, 1.5,
    ),
    Feature(
        "chat_assistant", "/v1/assistant/conversations/{conversation_id}/messages",
        (Action("POST", "ask", 1.0),), 2100, 5_200, 4, 4,
    ),
    Feature("visa_rules", "/v1/visa-rules/{country}", _view_and(), 55, 4_800, 3, 1.5),
    Feature("webhooks", "/v1/webhooks/{webhook_id}/deliveries", _view_and(("POST", "retry", 0.2)), 85, 2_600, 0.6, 2),
)  # fmt: skip
FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
ASSISTANT_LAUNCH = "2026-02"
"""The assistant and the written summaries of reports run on a language model, from this month on."""

_WITHHELD: Mapping[Tier, frozenset[str]] = {
    "starter": frozenset({"reports", "loyalty", "webhooks", "price_alerts"}),
    "growth": frozenset({"webhooks"}),
    "enterprise": frozenset(),
}
_TASTE_OF_ASSISTANT: Mapping[Tier, float] = {"starter": 0.25, "growth": 1.0, "enterprise": 1.5}


def feature_index(name: str) -> int:
    """Position of a feature in `FEATURES`."""
    return FEATURE_NAMES.index(name)


def feature_mix(tier: Tier, persona: Persona, *, assistant: float = 1.0) -> list[float]:
    """Share of each feature in a tenant's requests; sums to one. `assistant` scales the assistant's weight."""
    weights = [
        0.0 if feature.name in _WITHHELD[tier] else (feature.searchers if persona == "searchers" else feature.bookers)
        for feature in FEATURES
    ]
    weights[feature_index("chat_assistant")] *= _TASTE_OF_ASSISTANT[tier] * assistant
    total = sum(weights)
    return [weight / total for weight in weights]
