"""The server: its name, what it tells a model, its tools."""

from tenantscope_core.serving.spec import Command, ServerSpec

from tenantscope_tenant_management import __version__, adopt_command, publish_tiers_command
from tenantscope_tenant_management.settings import Settings
from tenantscope_tenant_management.sources.open import Sources, open_sources
from tenantscope_tenant_management.tools import TOOLS

INSTRUCTIONS = """\
Who the tenants of this SaaS company are. A tenant's caller sees its own tenant; the provider's sees the fleet.
Begin with whoami when it is unclear who is asking. The provider finds tenants with list_tenants and looks at one with
get_tenant; their ids are what the other Tenantscope servers take as tenant_id."""

SERVER: ServerSpec[Settings, Sources] = ServerSpec(
    name="tenant-management",
    version=__version__,
    title="Tenantscope: tenants",
    instructions=INSTRUCTIONS,
    package="tenantscope_tenant_management",
    tools=TOOLS,
    settings=Settings,
    open_sources=open_sources,
    commands=(
        Command(
            name="publish-tiers",
            help="publish the tiers of a file, and bring every tenant's terms up to date",
            add_arguments=publish_tiers_command.add_arguments,
            run=publish_tiers_command.publish_tiers,
        ),
        Command(
            name="adopt",
            help="take in the tenants that another control plane registered, and bring the index of tags up to date",
            add_arguments=adopt_command.add_arguments,
            run=adopt_command.adopt,
        ),
    ),
)
