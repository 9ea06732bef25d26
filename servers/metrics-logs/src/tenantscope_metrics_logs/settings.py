"""The settings of this server."""

from tenantscope_core.serving.store_settings import DatasetSettings


class Settings(DatasetSettings):
    """What every server is told, and where its stores are."""
