"""Forty travel agencies: ids of every allowed form, three tiers, two personas in each."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Literal

from .periods import FIRST_DAY, LAST_DAY

Tier = Literal["starter", "growth", "enterprise"]
Persona = Literal["searchers", "bookers"]
Status = Literal["Active", "Pending", "Suspended"]

ENTITLEMENTS: Mapping[Tier, tuple[str, ...]] = {
    "starter": ("search", "booking", "itineraries", "invoices"),
    "growth": ("search", "booking", "itineraries", "invoices", "reports", "loyalty", "price_alerts", "assistant"),
    "enterprise": (
        "search", "booking", "itineraries", "invoices", "reports", "loyalty", "price_alerts", "assistant",
        "webhooks", "single_sign_on", "dedicated_support",
    ),
}  # fmt: skip
QUOTAS: Mapping[Tier, Mapping[str, int]] = {
    "starter": {"requests_per_minute": 60, "concurrent_requests": 4, "users": 10, "storage_gb": 20},
    "growth": {"requests_per_minute": 600, "concurrent_requests": 16, "users": 60, "storage_gb": 200},
    "enterprise": {"requests_per_minute": 6000, "concurrent_requests": 64, "users": 500, "storage_gb": 2000},
}


@dataclass(frozen=True, slots=True)
class Tenant:
    """One agency. `volume` is its mean number of requests a day in its first month, before seasons and growth."""

    id: str
    name: str
    tier: Tier
    persona: Persona
    volume: float
    growth: float = 1.2
    """Volume at the end of the twelve months as a multiple of the volume at their start."""
    plan: str = ""
    status: Status = "Active"
    joined: date = date(2023, 5, 1)
    left: date | None = None
    """First day without any use."""
    eu: bool = False
    users: int = 12
    tags: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def plan_name(self) -> str:
        """The plan it subscribes to: its tier's own unless it keeps a legacy one."""
        return self.plan or self.tier

    @property
    def region(self) -> str:
        """Where its data lives."""
        return "eu-west-1" if self.eu else "us-east-1"

    def first_active(self) -> date:
        """First day of use within the data."""
        return max(self.joined, FIRST_DAY)

    def last_active(self) -> date:
        """Last day of use within the data."""
        return LAST_DAY if self.left is None else self.left - timedelta(days=1)


CHURNER = "sunset-voyages"
NOISY_NEIGHBOUR = "megafare"
MONEY_LOSER = "budgetjet"
MONEY_LOSER_FROM = "harbourline"
MONEY_LOSER_FROM_MONTH = "2026-06"
SILO_TENANT = "skyline-global"
SPIKING = "atlas-business"

_E = "enterprise"
_G = "growth"
_S = "starter"

TENANTS: tuple[Tenant, ...] = (
    Tenant(SILO_TENANT, "Skyline Global Travel", _E, "bookers", 210, 1.25, users=180, tags={"segment": "corporate"}),
    Tenant("acme_corp", "Acme Corporate Travel", _E, "searchers", 260, 1.35, users=150),
    Tenant("northwind", "Northwind Journeys", _E, "bookers", 190, 1.1, eu=True, users=140),
    Tenant("7f3c2b1a-9d4e-4c6b-8a57-0e1f2d3c4b5a", "Meridian Group", _E, "searchers", 230, 1.4, users=160),
    Tenant("grand-tour", "Grand Tour Holdings", _E, "bookers", 170, 1.2, eu=True, users=120),
    Tenant(SPIKING, "Atlas Business Travel", _E, "searchers", 200, 1.15, users=130),
    Tenant("lighthouse", "Lighthouse Mobility", _E, "bookers", 160, 1.3, joined=date(2026, 1, 12), users=110),
    Tenant("polaris-alliance", "Polaris Alliance", _E, "searchers", 180, 1.2, eu=True, users=125),
    Tenant("acme", "Acme Travel", _G, "searchers", 95, 1.5, users=28, tags={"segment": "leisure"}),
    Tenant("globex", "Globex Tours", _G, "bookers", 80, 1.3, users=24, tags={"segment": "leisure"}),
    Tenant("org_01HZX4T9Q2M7V5R8K3N6P1W0YB", "Wanderlust Collective", _G, "searchers", 85, 1.6, eu=True, users=22),
    Tenant(NOISY_NEIGHBOUR, "Megafare", _G, "searchers", 110, 1.1, users=30, tags={"segment": "metasearch"}),
    Tenant(MONEY_LOSER_FROM, "Harbourline Cruises", _G, "bookers", 60, 1.0, plan="growth_unlimited", users=20),
    Tenant(CHURNER, "Sunset Voyages", _G, "bookers", 75, 1.0, left=date(2026, 9, 1), users=18),
    Tenant("bluebird", "Bluebird Travel", _G, "searchers", 70, 1.2, users=16),
    Tenant("cedar-and-sea", "Cedar & Sea", _G, "bookers", 65, 1.3, eu=True, users=15),
    Tenant("dolomiti", "Dolomiti Viaggi", _G, "searchers", 72, 1.4, eu=True, users=17),
    Tenant("evergreen", "Evergreen Trips", _G, "bookers", 58, 1.1, users=14),
    Tenant("fjordline", "Fjordline Reiser", _G, "searchers", 66, 1.2, eu=True, users=15),
    Tenant("golden-gate", "Golden Gate Getaways", _G, "bookers", 62, 1.25, joined=date(2026, 2, 3), users=15),
    Tenant("horizonte", "Horizonte Viajes", _G, "searchers", 68, 1.5, joined=date(2026, 4, 20), users=16),
    Tenant("ironwood", "Ironwood Expeditions", _G, "bookers", 55, 1.0, users=12),
    Tenant("Acme-2", "Acme Weekend Breaks", _S, "searchers", 24, 1.3, users=4),
    Tenant(MONEY_LOSER, "BudgetJet", _S, "searchers", 130, 1.5, plan="starter_unlimited", users=9),
    Tenant("jasmine", "Jasmine Tours", _S, "bookers", 18, 1.1, users=3),
    Tenant("kestrel", "Kestrel Air Charter", _S, "searchers", 22, 1.2, users=5),
    Tenant("lagoon", "Lagoon Holidays", _S, "bookers", 16, 1.2, users=3),
    Tenant("maple-leaf", "Maple Leaf Travel", _S, "searchers", 26, 1.1, users=5),
    Tenant("nomad", "Nomad Routes", _S, "bookers", 20, 1.4, users=4),
    Tenant("oasis", "Oasis Journeys", _S, "searchers", 19, 1.0, eu=True, users=4),
    Tenant("pelican", "Pelican Trips", _S, "bookers", 15, 1.3, users=3),
    Tenant("quill-travel", "Quill Travel", _S, "searchers", 23, 1.2, users=5),
    Tenant("riviera", "Riviera Evasion", _S, "bookers", 21, 1.2, eu=True, users=4),
    Tenant("saffron", "Saffron Trails", _S, "searchers", 17, 1.5, joined=date(2026, 1, 26), users=4),
    Tenant("tundra", "Tundra Escapes", _S, "bookers", 14, 1.0, status="Suspended", left=date(2026, 6, 1), users=3),
    Tenant("umbria", "Umbria Viaggi", _S, "searchers", 20, 1.1, eu=True, users=4),
    Tenant("velvet", "Velvet Getaways", _S, "bookers", 16, 1.3, joined=date(2026, 5, 11), users=3),
    Tenant("wildflower", "Wildflower Walks", _S, "searchers", 18, 1.4, joined=date(2026, 8, 3), users=3),
    Tenant("xenia", "Xenia Hospitality", _S, "bookers", 15, 1.1, eu=True, users=3),
    Tenant("yonder", "Yonder & Co", _S, "searchers", 0, 1.0, status="Pending", joined=date(2026, 10, 28), users=0),
)
TENANT_IDS: tuple[str, ...] = tuple(tenant.id for tenant in TENANTS)


def tenant_index(tenant_id: str) -> int:
    """Position of a tenant in `TENANTS`."""
    return TENANT_IDS.index(tenant_id)


def registry_item(tenant: Tenant) -> dict[str, Any]:
    """The tenant as the SBT-compatible registry table keeps it, in plain Python values."""
    config = {
        "locale": "it-IT" if tenant.eu else "en-US",
        "currency": "EUR" if tenant.eu else "USD",
        "dataRegion": tenant.region,
        "searchTimeoutMs": 4000 if tenant.tier == _E else 2500,
        "features": {"priceAlerts": tenant.tier != _S, "assistant": tenant.tier != _S},
    }
    item: dict[str, Any] = {
        "tenantId": tenant.id,
        "recordType": "tenant",
        "tenantName": tenant.name,
        "tier": tenant.tier,
        "email": f"ops@{tenant.id.lower().replace('_', '-')}.example",
        "tenantStatus": tenant.status,
        "sbtaws_active": tenant.status == "Active",
        "tenantRegistrationId": f"reg-{TENANT_IDS.index(tenant.id) + 1:04d}",
        "tenantConfig": json.dumps(config, sort_keys=True),
        "plan": tenant.plan_name,
        "tags": {"persona": tenant.persona, "region": tenant.region, **tenant.tags},
        "entitlements": list(ENTITLEMENTS[tenant.tier]),
        "quotas": dict(QUOTAS[tenant.tier]),
        "quotaUse": {"users": {"used": tenant.users, "asOf": f"{LAST_DAY.isoformat()}T23:00:00+00:00"}},
        "createdAt": f"{tenant.joined.isoformat()}T09:00:00+00:00",
        "version": 1,
    }
    if tenant.volume > 0:
        item["lastActiveAt"] = f"{tenant.last_active().isoformat()}T17:30:00+00:00"
    return item
