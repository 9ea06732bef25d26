"""Who the tenants are."""

from importlib.metadata import version

__version__ = version("tenantscope-tenant-management")
