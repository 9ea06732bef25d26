"""What each tenant costs, tied to the invoice."""

from importlib.metadata import version

__version__ = version("tenantscope-cost-explorer")
