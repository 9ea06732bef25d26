"""What can be wrong with an embedder beside its input and its being down."""

from tenantscope_core.results.errors import Action, ToolFailure


class EmbedderNotInstalled(ToolFailure):
    """What the configured embedder needs is not on this machine, or is not what was meant; the sentence says how."""

    code = "embedder_not_installed"
    action = Action.ASK


class EmbedderFault(ToolFailure):
    """The model refuses what we send, or its answer is none; not the caller's fault, and no better the next time."""

    code = "embedder_fault"
    action = Action.ASK
