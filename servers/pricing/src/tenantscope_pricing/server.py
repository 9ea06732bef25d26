"""The server: its name, what it tells a model, its tools and its jobs."""

from tenantscope_core.serving.spec import ServerSpec

from tenantscope_pricing import __version__
from tenantscope_pricing.settings import Settings
from tenantscope_pricing.sources.open import Sources, open_sources
from tenantscope_pricing.tools import TOOLS

INSTRUCTIONS = """\
What to charge.
"""

NO_TABLE = "x"
"""Stands in the policy where there is no registry: shorter than a table's name may be, so that it opens none."""

SERVER: ServerSpec[Settings, Sources] = ServerSpec(
    name="pricing",
    version=__version__,
    title="Tenantscope: pricing",
    instructions=INSTRUCTIONS,
    package="tenantscope_pricing",
    tools=TOOLS,
    settings=Settings,
    open_sources=open_sources,
    policy_names=lambda settings: {"TenantsTable": settings.tenants_table or NO_TABLE},
)
