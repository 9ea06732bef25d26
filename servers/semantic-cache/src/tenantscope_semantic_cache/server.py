"""The server: its name, what it tells a model, its tools and its jobs."""

from tenantscope_core.serving.migrate import migrate_command
from tenantscope_core.serving.spec import ServerSpec

from tenantscope_semantic_cache import __version__
from tenantscope_semantic_cache.settings import Settings
from tenantscope_semantic_cache.sources.open import Sources, open_sources
from tenantscope_semantic_cache.tools import TOOLS

INSTRUCTIONS = """\
Do not pay twice for one answer.
"""

NO_TABLE = "x"
"""Stands in the policy where there is no registry: shorter than a table's name may be, so that it opens none."""

SERVER: ServerSpec[Settings, Sources] = ServerSpec(
    name="semantic-cache",
    version=__version__,
    title="Tenantscope: semantic cache",
    instructions=INSTRUCTIONS,
    package="tenantscope_semantic_cache",
    tools=TOOLS,
    settings=Settings,
    open_sources=open_sources,
    policy_names=lambda settings: {"TenantsTable": settings.tenants_table or NO_TABLE},
    commands=(migrate_command("tenantscope_semantic_cache"),),
)
