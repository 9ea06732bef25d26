"""Do not pay twice for one answer."""

from importlib.metadata import version

__version__ = version("tenantscope-semantic-cache")
