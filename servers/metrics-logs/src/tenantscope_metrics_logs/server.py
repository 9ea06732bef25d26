"""The server: its name, what it tells a model, its tools and its jobs."""

from tenantscope_core.serving.spec import Command, ServerSpec

from tenantscope_metrics_logs import __version__, learn_routes_command, rollup_command
from tenantscope_metrics_logs.settings import Settings
from tenantscope_metrics_logs.sources.open import Sources, open_sources
from tenantscope_metrics_logs.tools import TOOLS

INSTRUCTIONS = """\
What the tenants of this SaaS company do: how much they use, which features, and how it goes. Days are UTC.
A tenant's caller sees its own use; the provider's sees the fleet, or one tenant named in tenant_id.
Begin with get_usage; get_feature_usage tells what was used. The provider finds tenants that fade, fall silent or come
new with list_tenant_activity."""

SERVER: ServerSpec[Settings, Sources] = ServerSpec(
    name="metrics-logs",
    version=__version__,
    title="Tenantscope: usage",
    instructions=INSTRUCTIONS,
    package="tenantscope_metrics_logs",
    tools=TOOLS,
    settings=Settings,
    open_sources=open_sources,
    commands=(
        Command("rollup", "count the access log, month by month", rollup_command.add_arguments, rollup_command.rollup),
        Command(
            "learn-routes",
            "print the routes that the access log teaches",
            learn_routes_command.add_arguments,
            learn_routes_command.learn_routes,
        ),
    ),
)
