"""What the tenants do."""

from importlib.metadata import version

__version__ = version("tenantscope-metrics-logs")
