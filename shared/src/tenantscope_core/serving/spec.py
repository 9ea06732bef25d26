"""What a server says about itself, and what it is given when it starts."""

from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.serving.settings import CoreSettings
from tenantscope_core.tool.declaration import Tool

SettingsT = TypeVar("SettingsT", bound=CoreSettings)
SettingsT_co = TypeVar("SettingsT_co", bound=CoreSettings, covariant=True)
SourcesT = TypeVar("SourcesT")


async def _no_session(tenant: str) -> TenantSession:
    raise LookupError("only a job works on tenants of its own choice")


@dataclass(frozen=True, slots=True)
class Runtime(Generic[SettingsT_co]):
    """What a server's sources are opened with: its settings, the clock and its own tools, never a tenant.

    A job is also given `session_of`, which vends a session for its work on one tenant, as a provider's call has one.
    """

    settings: SettingsT_co
    clock: Callable[[], datetime]
    tools: Sequence[Tool] = ()
    session_of: Callable[[str], Awaitable[TenantSession]] = _no_session


@dataclass(frozen=True, slots=True)
class Command(Generic[SettingsT]):
    """A job that a server offers beside serving, such as `rollup`: run by the provider, on the provider's role.

    `add_arguments` tells its parser what it takes. `run` is given the runtime, a session of the provider's role and the
    parsed arguments, prints what it does, and returns the exit code.
    """

    name: str
    help: str
    add_arguments: Callable[[ArgumentParser], None]
    run: Callable[[Runtime[SettingsT], TenantSession, Namespace], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class OperatorCommand(Generic[SettingsT]):
    """A job that touches no tenant's data and no AWS, such as `migrate`: run by an operator, without a token.

    `add_arguments` tells its parser what it takes. `run` prints what it does and returns the exit code.
    """

    name: str
    help: str
    add_arguments: Callable[[ArgumentParser], None]
    run: Callable[[SettingsT, Namespace], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class ServerSpec(Generic[SettingsT, SourcesT]):
    """A server: its name, what it tells a model, its tools, and how its sources are opened."""

    name: str
    version: str
    title: str
    instructions: str
    package: str
    tools: Sequence[Tool]
    settings: type[SettingsT]
    open_sources: Callable[[Runtime[SettingsT]], AbstractAsyncContextManager[SourcesT]]
    commands: Sequence[Command[Any] | OperatorCommand[Any]] = field(default=())

    def __post_init__(self) -> None:
        names = [tool.name for tool in self.tools]
        if len(set(names)) != len(names):
            raise ValueError(f"{self.name} declares a tool twice")

    @property
    def scopes(self) -> list[str]:
        """Every scope that some tool of this server needs."""
        return sorted({scope for tool in self.tools for scope in tool.scopes})
