"""The settings of this server."""

from tenantscope_core.serving.store_settings import RollupSettings


class Settings(RollupSettings):
    """What every server is told, and where its stores are."""
