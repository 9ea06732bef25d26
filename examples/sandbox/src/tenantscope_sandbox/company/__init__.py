"""Wayfarer, a SaaS for travel agencies: forty tenants, twelve months of bills, requests, usage and revenue."""

from tenantscope_sandbox.state import REPOSITORY

from .generate import generate, version
from .load import Home, load
from .revenue import PRICE_BOOK
from .tenants import TENANTS, Tenant, registry_item

ALLOCATION_RULES = REPOSITORY / "examples/sandbox/allocation.yaml"
ACCESS_LOG_RULES = REPOSITORY / "examples/sandbox/access_log.yaml"

__all__ = [
    "ACCESS_LOG_RULES",
    "ALLOCATION_RULES",
    "PRICE_BOOK",
    "TENANTS",
    "Home",
    "Tenant",
    "generate",
    "load",
    "registry_item",
    "version",
]
