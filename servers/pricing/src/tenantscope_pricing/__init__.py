"""What to charge."""

from importlib.metadata import version

__version__ = version("tenantscope-pricing")
