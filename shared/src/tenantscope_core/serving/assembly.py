"""Puts a server together: verifier, gatekeepers, sources, and the protocol in front of them."""

import importlib.util
import json
import secrets
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx2
from botocore.exceptions import BotoCoreError
from mcp.server.lowlevel import Server

from tenantscope_core.admission.admission import Admission
from tenantscope_core.admission.fallback import FallbackLedger
from tenantscope_core.admission.ledger import LateLedger, Ledger, LocalLedger
from tenantscope_core.admission.standing import Standings
from tenantscope_core.admission.valkey import ValkeyLedger
from tenantscope_core.credentials.aws import AwsClients
from tenantscope_core.credentials.broker import AssumeRoleBroker, Broker, Policy, WebIdentityBroker
from tenantscope_core.credentials.clients import new_session
from tenantscope_core.credentials.policy import PolicyError
from tenantscope_core.credentials.sts import Sts
from tenantscope_core.credentials.vault import Vault, VaultSettings
from tenantscope_core.identity.caller import Audience
from tenantscope_core.identity.claims import ClaimMap
from tenantscope_core.identity.keys import KeySet
from tenantscope_core.identity.token_source import FixedToken, TokenCommand, TokenFile, TokenSource
from tenantscope_core.identity.verifier import Identity, TokenRules, Verifier
from tenantscope_core.metering.calls import Meter
from tenantscope_core.metering.counts import UseCounts, telling
from tenantscope_core.results.cursors import CursorKey
from tenantscope_core.serving.policies import arn_names, session_policies
from tenantscope_core.serving.protocol import Identify, Path, protocol_server
from tenantscope_core.serving.settings import CoreSettings, WrongSettings
from tenantscope_core.serving.spec import Runtime, ServerSpec
from tenantscope_core.tool.path import Gatekeepers, Roles, ToolPath

if TYPE_CHECKING:
    from tenantscope_core.stores.valkey import ValkeyStore

_LEASE_MARGIN_SECONDS = 30

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The time, aware."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Assembly:
    """A server that is ready to be served over any transport, or to run one of its jobs."""

    spec: ServerSpec[Any, Any]
    settings: CoreSettings
    clock: Clock
    verifier: Verifier
    server: Server[Path]
    identify_process: Identify
    open_gatekeepers: Callable[[], AbstractAsyncContextManager[Gatekeepers]]


def assemble(
    spec: ServerSpec[Any, Any], settings: CoreSettings, *, clock: Clock = system_clock, prepare: bool = True
) -> Assembly:
    """Put a server together; nothing is connected before its lifespan begins.

    With `prepare`, what the first call needs of AWS is made in the background as soon as it has begun; without it by
    the first call, which may never come.

    Raises:
        WrongSettings: The settings do not fit the server's own policies.
    """
    keys = KeySet(settings.issuer, jwks_url=settings.jwks_url, open_http=_open_http, clock=clock)
    verifier = _verifier(settings, keys, clock)
    source = _token_source(settings, clock)
    policy = _session_policy(spec, settings)
    _require_aws_configuration()

    async def identify_process() -> Identity:
        return await verifier.identify(await source.token())

    @asynccontextmanager
    async def open_gatekeepers() -> AsyncGenerator[Gatekeepers]:
        async with _gatekeepers(settings, policy, clock, prepare=prepare) as gate:
            try:
                yield gate
            finally:
                await keys.close()

    @asynccontextmanager
    async def open_path() -> AsyncGenerator[Path]:
        async with (
            open_gatekeepers() as gate,
            _open_counts(settings, clock) as counts,
            spec.open_sources(Runtime(settings, clock, spec.tools)) as sources,
        ):
            yield ToolPath(spec.name, spec.tools, gate, sources, Meter(counts))

    server = protocol_server(spec, open_path, identify_process, open_discovery=settings.open_discovery)
    return Assembly(spec, settings, clock, verifier, server, identify_process, open_gatekeepers)


@asynccontextmanager
async def _gatekeepers(
    settings: CoreSettings, policy: Policy, clock: Clock, *, prepare: bool
) -> AsyncGenerator[Gatekeepers]:
    async with AsyncExitStack() as stack:
        clients = AwsClients(region=settings.aws_region)
        stack.callback(clients.close)
        sts = Sts(region=settings.aws_region)
        stack.callback(sts.close)
        ahead = VaultSettings(prepare=prepare)
        vault = Vault(_broker(settings, sts, policy), clients, clock=clock, settings=ahead)
        await stack.enter_async_context(vault)
        ledger = await stack.enter_async_context(_open_ledger(settings))
        table = settings.tenants_table
        yield Gatekeepers(
            admission=Admission(ledger, settings.tier_limits),
            vault=vault,
            roles=Roles(settings.tenant_role_arn, settings.provider_role_arn, settings.admin_role),
            standings=Standings(table, clock=clock) if table else None,
            cursor_key=_cursor_key(settings),
            clock=clock,
            provider_scope=settings.provider_scope,
            call_timeout_seconds=settings.call_timeout_seconds,
        )


def _open_http() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(timeout=5.0, follow_redirects=False)


def _verifier(settings: CoreSettings, keys: KeySet, clock: Clock) -> Verifier:
    rules = TokenRules(
        issuer=settings.issuer,
        audiences=frozenset(settings.audience),
        client_ids=frozenset(settings.client_ids),
        algorithms=frozenset(settings.algorithms),
    )
    claims = ClaimMap(
        tenant=settings.tenant_claim,
        tier=settings.tier_claim,
        scope=settings.scope_claim,
        scope_prefix=settings.scope_prefix,
        groups=settings.groups_claim,
        provider_scope=settings.provider_scope,
        provider_group=settings.provider_group,
    )
    return Verifier(rules, claims, keys, clock=clock)


def _token_source(settings: CoreSettings, clock: Clock) -> TokenSource:
    if settings.token_file is not None:
        return TokenFile(settings.token_file)
    if settings.token_command is not None:
        return TokenCommand(settings.token_command, clock=clock)
    return FixedToken(settings.token.get_secret_value() if settings.token else None)


def _session_policy(spec: ServerSpec[Any, Any], settings: CoreSettings) -> Policy:
    admin = settings.admin_role
    if admin is not None and admin in (settings.tenant_role_arn, settings.provider_role_arn):
        raise WrongSettings(
            ["TENANTSCOPE_ADMIN_ROLE_ARN must be a role of its own, not the tenant's or the provider's"]
        )
    try:
        names = arn_names(settings.tenant_role_arn, settings.aws_region) | settings.policy_names
        return session_policies(spec.package, names, administers=admin is not None, names_of=settings.policy_names_of)
    except PolicyError as error:
        raise WrongSettings([f"the session policy cannot be made: {error}"]) from None


def _require_aws_configuration() -> None:
    """Refuse a profile or configuration file that botocore cannot read, before it is first needed."""
    try:
        new_session().get_scoped_config()
    except BotoCoreError as error:
        raise WrongSettings([f"the AWS configuration cannot be read: {error}"]) from None


def _broker(settings: CoreSettings, sts: Sts, policy: Policy) -> Broker:
    secret = settings.external_id
    own = AssumeRoleBroker(sts, policy=policy, external_id=secret.get_secret_value() if secret else None)
    # A provider's token asserts no tenant, so its sessions are had with this server's own identity either way.
    return WebIdentityBroker(sts, policy=policy, provider=own) if settings.broker == "web-identity" else own


@asynccontextmanager
async def _open_ledger(settings: CoreSettings) -> AsyncGenerator[Ledger]:
    """Where calls are counted: in Valkey for all replicas when there is one, and here while it does not answer."""
    local = LocalLedger(monotonic=time.monotonic)
    if settings.valkey_url is None:
        yield local
        return
    if importlib.util.find_spec("valkey") is None:
        raise WrongSettings(["TENANTSCOPE_VALKEY_URL is set, but tenantscope-core[valkey] is not installed"])
    url, lease_seconds = settings.valkey_url.get_secret_value(), settings.call_timeout_seconds + _LEASE_MARGIN_SECONDS
    async with AsyncExitStack() as stack:

        def open_shared() -> Ledger:
            from valkey.asyncio import Valkey

            # The ledger bounds every wait; a timeout of the client's own would cost a task for every command.
            client: Valkey = Valkey.from_url(url, socket_timeout=None, socket_connect_timeout=1.0)  # pyright: ignore[reportUnknownMemberType]
            stack.push_async_callback(client.aclose)
            return ValkeyLedger(client, lease_seconds=lease_seconds)

        yield FallbackLedger(LateLedger(open_shared), local, monotonic=time.monotonic)


@asynccontextmanager
async def _open_counts(settings: CoreSettings, clock: Clock) -> AsyncGenerator[UseCounts | None]:
    """Where tenants' use is added up for all servers: in Valkey, when there is one."""
    if settings.valkey_url is None:
        yield None
        return
    url = settings.valkey_url.get_secret_value()
    async with AsyncExitStack() as stack:

        def open_store() -> "ValkeyStore":
            from tenantscope_core.stores.valkey import ValkeyLimits, ValkeyStore

            # One connection of its own, so that no call waits behind what is told.
            limits = ValkeyLimits(connections=1, timeout_seconds=1.0, connect_seconds=1.0)
            store = ValkeyStore(url, limits=limits)
            stack.push_async_exit(store)
            return store

        counts = UseCounts(open_store, process=secrets.token_hex(8), clock=clock)
        async with telling(counts):  # ends before the store does
            yield counts


def _cursor_key(settings: CoreSettings) -> CursorKey:
    secret = settings.cursor_key
    return CursorKey(secret.get_secret_value().encode() if secret else secrets.token_bytes(32))


def catalogue(spec: ServerSpec[Any, Any]) -> str:
    """Every tool of a server as JSON, in both forms that callers may be shown."""
    shown = {
        audience.value: [
            tool.listed(audience).model_dump(mode="json", by_alias=True, exclude_none=True) for tool in spec.tools
        ]
        for audience in Audience
    }
    return json.dumps(shown, indent=2)
