"""The server: its name, what it tells a model, its tools and its jobs."""

from tenantscope_core.serving.migrate import migrate_command
from tenantscope_core.serving.spec import ServerSpec

from tenantscope_semantic_cache import __version__
from tenantscope_semantic_cache.settings import Settings
from tenantscope_semantic_cache.sources.open import Sources, open_sources
from tenantscope_semantic_cache.tools import TOOLS

INSTRUCTIONS = """\
Answers that models gave before, so that none is paid for twice. Before asking a model, call lookup_answer with the
question alone and everything else the answer depends on; on a miss ask the model, then store_answer with the same
arguments and what the answer cost. Answers are one user's own unless stored as shared. get_cache_stats says what is
saved."""

SERVER: ServerSpec[Settings, Sources] = ServerSpec(
    name="semantic-cache",
    version=__version__,
    title="Tenantscope: semantic cache",
    instructions=INSTRUCTIONS,
    package="tenantscope_semantic_cache",
    tools=TOOLS,
    settings=Settings,
    open_sources=open_sources,
    commands=(migrate_command("tenantscope_semantic_cache"),),
)
