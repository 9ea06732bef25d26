"""The server: its name, what it tells a model, its tools and its job."""

from tenantscope_core.serving.spec import Command, ServerSpec

from tenantscope_cost_explorer import __version__
from tenantscope_cost_explorer.rollup_command import add_arguments, rollup
from tenantscope_cost_explorer.settings import Settings
from tenantscope_cost_explorer.sources.open import Sources, open_sources
from tenantscope_cost_explorer.tools import TOOLS

INSTRUCTIONS = """\
What each tenant of this SaaS company costs on the cloud bill. Costs are EffectiveCost unless the answer names another
metric; parts sum to the total shown.
A tenant's caller sees its own allocated cost; the provider's sees the fleet, or one tenant named in tenant_id.
Begin with get_costs. explain_cost_change says why cost moved, find_cost_anomalies which days and months stand out,
forecast_costs what comes. The provider finds expensive tenants with rank_tenants_by_cost, those that lose money with
get_margins, dear features with get_feature_unit_costs, what to do about it with suggest_savings, and how the bill was
shared and tied to its invoices with get_allocation_report."""

SERVER: ServerSpec[Settings, Sources] = ServerSpec(
    name="cost-explorer",
    version=__version__,
    title="Tenantscope: costs",
    instructions=INSTRUCTIONS,
    package="tenantscope_cost_explorer",
    tools=TOOLS,
    settings=Settings,
    open_sources=open_sources,
    commands=(Command("rollup", "allocate the bill to tenants, month by month", add_arguments, rollup),),
)
