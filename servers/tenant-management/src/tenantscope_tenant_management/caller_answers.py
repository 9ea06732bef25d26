"""What `whoami` answers."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field
from tenantscope_core.results.answers import Answer
from tenantscope_core.results.statuses import FELT_WITHIN_SECONDS


class IsolationLayer(Answer):
    """One thing that keeps this caller to its own data, and who enforces it."""

    layer: str = Field(description="What is narrowed.")
    enforced_by: Literal["cloud", "database", "server"] = Field(
        description="cloud: AWS refuses; database: PostgreSQL does; server: this server alone does."
    )
    how: str = Field(description="By what.")
    verified: bool | None = Field(
        default=None,
        description="True: AWS refused this session another key when last tried. False: it did not. Else not tried.",
    )


class CallsAllowed(Answer):
    """How often this caller may call."""

    per_minute: float
    burst: int = Field(description="At once, after a pause.")
    concurrent: int = Field(description="Side by side.")


class Refusal(Answer):
    """Tools that are refused to this caller."""

    tools: list[str]
    why: str


class CallerView(Answer):
    """A caller as this server sees it."""

    audience: Literal["tenant", "provider"] = Field(description="A tenant's caller, or the SaaS company's own.")
    tenant_id: str | None = Field(default=None, description="The tenant the token speaks for.")
    status: str | None = Field(default=None, description="The tenant's, in the registry; left out if not read.")
    tier: str | None = Field(default=None, description="The tenant's tier, from the token.")
    tier_in_registry: str | None = Field(default=None, description="Where it is another: this one holds.")
    limits: CallsAllowed | None = Field(default=None, description="Left out while the registry is not read.")
    subject: str = Field(description="The user or agent the token was issued to.")
    acting_agents: list[str] = Field(description="Agents acting for the subject, the nearest first.")
    scopes: list[str] = Field(description="What the token allows.")
    token_expires: datetime = Field(description="When the token ends; calls after that are refused.")
    expires_in_seconds: int = Field(description="Seconds until then.")
    tools: list[str] = Field(description="Tools of this server that the token opens.")
    refused: list[Refusal] = Field(description="Other tools for such callers, and why they are refused.")
    isolation: list[IsolationLayer] = Field(description="What keeps this caller to its own data, layer by layer.")


def lacking(needed: Mapping[str, frozenset[str]], scopes: frozenset[str]) -> list[Refusal]:
    """Tools whose scopes a token lacks, in groups by what they lack."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for tool, wanted in needed.items():
        if wanted - scopes:
            groups.setdefault(tuple(sorted(wanted - scopes)), []).append(tool)
    return [
        Refusal(tools=tools, why=f"the token lacks the scope{'s' * (len(missing) > 1)} {', '.join(missing)}")
        for missing, tools in groups.items()
    ]


def switched_off(tools: Sequence[str], status: str) -> Refusal:
    """What a tenant is told that was served from what is known of it, and soon is not."""
    return Refusal(
        tools=list(tools), why=f"the registry has this tenant {status}: refused within {FELT_WITHIN_SECONDS} seconds"
    )
