"""The server: its name, what it tells a model, its tools."""

from tenantscope_core.serving.spec import Command, ServerSpec

from tenantscope_tenant_management import (
    __version__,
    adopt_command,
    measure_command,
    publish_tiers_command,
    resume_command,
)
from tenantscope_tenant_management.settings import Settings
from tenantscope_tenant_management.sources.open import Sources, open_sources
from tenantscope_tenant_management.tools import TOOLS

INSTRUCTIONS = """\
Who the tenants of this SaaS company are. A tenant's caller sees its own tenant; the provider's sees the fleet.
Begin with whoami when it is unclear who is asking. The provider finds tenants with list_tenants and looks at one with
get_tenant; their ids are what the other Tenantscope servers take as tenant_id. What changes a tenant names the version
that get_tenant showed; try tier changes and offboarding with dry_run first, and show people what they would do."""

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
        Command(
            name="resume",
            help="go on with workflows that stopped, and send events that wait",
            add_arguments=resume_command.add_arguments,
            run=resume_command.resume,
        ),
        Command(
            name="measure",
            help="write what the servers have counted of each tenant into the registry",
            add_arguments=measure_command.add_arguments,
            run=measure_command.measure,
        ),
    ),
)
