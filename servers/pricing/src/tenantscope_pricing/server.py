"""The server: its name, what it tells a model, its tools and its jobs."""

from tenantscope_core.serving.spec import Command, ServerSpec

from tenantscope_pricing import __version__
from tenantscope_pricing import publish_book_command as publishing
from tenantscope_pricing import rollup_command as rolling
from tenantscope_pricing.settings import Settings
from tenantscope_pricing.sources.open import Sources, open_sources
from tenantscope_pricing.tools import TOOLS

INSTRUCTIONS = """\
What this SaaS company charges its tenants: the price book, and bills made of it and of metered use, line by line.
A tenant's caller sees the public plans, its own contract and its own bill; the provider's sees every plan, the fleet's
bills, or one tenant's, named in tenant_id. Begin with get_bill; get_plans has the prices behind its lines."""

SERVER: ServerSpec[Settings, Sources] = ServerSpec(
    name="pricing",
    version=__version__,
    title="Tenantscope: prices",
    instructions=INSTRUCTIONS,
    package="tenantscope_pricing",
    tools=TOOLS,
    settings=Settings,
    open_sources=open_sources,
    commands=(
        Command(
            "publish-book",
            "publish a price book, or say what it would change",
            publishing.add_arguments,
            publishing.publish_book,
        ),
        Command(
            "rollup", "rate every tenant's use into revenue, month by month", rolling.add_arguments, rolling.rollup
        ),
    ),
)
