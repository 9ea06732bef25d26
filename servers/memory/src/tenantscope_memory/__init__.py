"""What an agent knows of a tenant's user."""

from importlib.metadata import version

__version__ = version("tenantscope-memory")
