"""The server: its name, what it tells a model, its tools and its jobs."""

from tenantscope_core.serving.spec import ServerSpec

from tenantscope_metrics_logs import __version__
from tenantscope_metrics_logs.settings import Settings
from tenantscope_metrics_logs.sources.open import Sources, open_sources
from tenantscope_metrics_logs.tools import TOOLS

INSTRUCTIONS = """\
What the tenants do.
"""

NO_TABLE = "x"
"""Stands in the policy where there is no registry: shorter than a table's name may be, so that it opens none."""

SERVER: ServerSpec[Settings, Sources] = ServerSpec(
    name="metrics-logs",
    version=__version__,
    title="Tenantscope: metrics logs",
    instructions=INSTRUCTIONS,
    package="tenantscope_metrics_logs",
    tools=TOOLS,
    settings=Settings,
    open_sources=open_sources,
    policy_names=lambda settings: {"TenantsTable": settings.tenants_table or NO_TABLE},
)
