"""What the tools read from and write to, opened once for the life of the server."""

import functools
import json
import random
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tenantscope_core.admission.limits import TierLimits
from tenantscope_core.results.errors import NotSetUp
from tenantscope_core.serving.policies import ADMIN_POLICY, PROVIDER_POLICY, TENANT_POLICY, arn_names, load_policy
from tenantscope_core.serving.settings import PREFIX, WrongSettings
from tenantscope_core.serving.spec import Runtime
from tenantscope_core.tool import Call, Tool

from tenantscope_tenant_management.arns import Place
from tenantscope_tenant_management.config_patch import require_quick
from tenantscope_tenant_management.events import Plane
from tenantscope_tenant_management.isolation import Setup
from tenantscope_tenant_management.policy_reading import EVENTS, OBJECTS, USERS
from tenantscope_tenant_management.resources import Marks
from tenantscope_tenant_management.settings import Settings
from tenantscope_tenant_management.sources.audit_trail import Trail
from tenantscope_tenant_management.sources.event_bus import EventBus
from tenantscope_tenant_management.sources.holdings.holding import Holding
from tenantscope_tenant_management.sources.journal import Journal
from tenantscope_tenant_management.sources.journal_erasing import JournalErasing
from tenantscope_tenant_management.sources.own_session import OwnSession
from tenantscope_tenant_management.sources.quota_use import QuotaUse
from tenantscope_tenant_management.sources.recording import Recorder
from tenantscope_tenant_management.sources.registry_table import RegistryTable
from tenantscope_tenant_management.sources.tagged_resources import TaggedResources
from tenantscope_tenant_management.sources.tenant_search import TenantSearch
from tenantscope_tenant_management.sources.tenants import Tenants
from tenantscope_tenant_management.sources.tier_table import TierTable
from tenantscope_tenant_management.sources.users.cognito_directory import CognitoDirectory
from tenantscope_tenant_management.sources.users.directory import Directory
from tenantscope_tenant_management.sources.users.external_directory import ExternalDirectory
from tenantscope_tenant_management.sources.users.turns import Turns
from tenantscope_tenant_management.sources.users.user_changes import UserChanges
from tenantscope_tenant_management.sources.workflows import offboarding, onboarding
from tenantscope_tenant_management.sources.workflows.letting_go import EraseRecord, LettingGo
from tenantscope_tenant_management.sources.workflows.runner import Runner, step_seconds
from tenantscope_tenant_management.sources.workflows.store import WorkflowStore
from tenantscope_tenant_management.sources.workflows.taking_in import TakingIn

if TYPE_CHECKING:
    from tenantscope_core.stores.valkey import ValkeyStore

_PACKAGE = "tenantscope_tenant_management"
_TO_ANSWER_SECONDS = 5.0
"""What is left of a call's time for its answer, when a workflow has taken what it may."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The registry and its journal, what hangs on them, and what `whoami` says of this server."""

    registry: RegistryTable
    search: TenantSearch
    journal: Journal
    recorder: Recorder
    tenants: Tenants
    tiers: TierTable
    trail: Trail
    directory: Directory
    user_changes: UserChanges
    taking_in: TakingIn
    letting_go: LettingGo
    resources: TaggedResources
    use: QuotaUse
    config_schema: Mapping[str, Any] | None
    administers: bool
    keeps_users: bool
    keeps_exports: bool
    pool_mark: str
    setup: Setup
    limits: TierLimits
    own_session: OwnSession
    tools: Sequence[Tool]

    def require_admin(self) -> None:
        """Let a call pass that changes tenants, where this server was set up for it.

        Raises:
            NotSetUp: It has no role to do so with.
        """
        if not self.administers:
            raise NotSetUp(f"This server has no role to change tenants with; its operator sets {PREFIX}ADMIN_ROLE_ARN.")


@asynccontextmanager
async def open_sources(runtime: Runtime[Settings]) -> AsyncGenerator[Sources]:
    """Open the sources; nothing is connected before the first call.

    Raises:
        WrongSettings: The schema for tenants' settings cannot be used.
    """
    settings = runtime.settings
    registry, journal = RegistryTable(settings.tenants_table), Journal(settings.journal_table)
    recorder = open_recorder(settings, registry, journal)
    tenants, tiers, directory = Tenants(registry, journal, recorder), TierTable(journal), directory_of(settings)
    turns = Turns(journal, lease_seconds=settings.workflow_lease_seconds, new_holder=_random_text, jitter=random.random)
    store = WorkflowStore(journal)
    stores = functools.cache(functools.partial(_stores, settings))  # their clients take long to import
    erasing = JournalErasing(journal, clock=runtime.clock)
    stack = AsyncExitStack()
    valkey = functools.cache(functools.partial(_valkey, settings, stack))
    runner: Runner[Call[Any]] = Runner(
        store,
        lease_seconds=settings.workflow_lease_seconds,
        budget_seconds=max(
            1.0, settings.call_timeout_seconds - step_seconds(settings.workflow_lease_seconds) - _TO_ANSWER_SECONDS
        ),
        new_owner=_random_text,
        clock=runtime.clock,
    )
    async with stack:
        yield Sources(
            registry=registry,
            search=TenantSearch(registry, journal),
            journal=journal,
            recorder=recorder,
            tenants=tenants,
            tiers=tiers,
            trail=Trail(journal),
            directory=directory,
            user_changes=UserChanges(tenants, recorder, directory, turns),
            taking_in=TakingIn(
                registry=registry,
                journal=journal,
                recorder=recorder,
                tenants=tenants,
                store=store,
                runner=runner,
                steps=lambda: onboarding.steps(tenants, tiers, directory, stores()),
                clock=runtime.clock,
            ),
            letting_go=LettingGo(
                recorder=recorder,
                tenants=tenants,
                directory=directory,
                journal=erasing,
                stores=stores,
                store=store,
                runner=runner,
                steps=lambda: offboarding.steps(
                    tenants,
                    directory,
                    turns,
                    stores(),
                    erasing,
                    quiet=timedelta(seconds=settings.quiet_seconds),
                    bucket=settings.datasets_bucket,
                    last=EraseRecord(tenants, recorder, erasing, runtime.clock),
                ),
                clock=runtime.clock,
            ),
            resources=open_resources(settings),
            use=QuotaUse(directory, None if settings.valkey_url is None else valkey),
            config_schema=None if settings.config_schema is None else read_schema(settings.config_schema),
            administers=settings.admin_role_arn is not None,
            keeps_users=settings.user_pool_id is not None,
            keeps_exports=settings.datasets_bucket is not None,
            pool_mark=settings.pool_tag_value,
            setup=setup_of(settings),
            limits=settings.tier_limits,
            own_session=OwnSession(registry),
            tools=runtime.tools,
        )


def open_recorder(settings: Settings, registry: RegistryTable, journal: Journal) -> Recorder:
    """What writes to both tables."""
    planes = {Plane.CONTROL: settings.control_plane_source, Plane.APPLICATION: settings.application_plane_source}
    bus = EventBus(journal, bus=settings.event_bus, sources=planes)
    return Recorder(registry, journal, bus, new_salt=_random_text, jitter=random.random)


def open_resources(settings: Settings) -> TaggedResources:
    """What asks for tagged resources, in the region and the account of the server's roles."""
    marks = Marks(settings.resource_tag, settings.pool_tag_value, settings.state_tag)
    place = Place(settings.aws_region, arn_names(settings.tenant_role_arn, settings.aws_region)["AWS::AccountId"])
    return TaggedResources(marks, place)


def setup_of(settings: Settings) -> Setup:
    """What `whoami` reads of isolation: the documents that session policies are made of, and the stores there are."""
    stores = {USERS: settings.user_pool_id, EVENTS: settings.event_bus, OBJECTS: settings.datasets_bucket}
    administers = settings.admin_role_arn is not None
    return Setup(
        broker=settings.broker,
        tenant=load_policy(_PACKAGE, TENANT_POLICY),
        provider=load_policy(_PACKAGE, PROVIDER_POLICY),
        admin=load_policy(_PACKAGE, ADMIN_POLICY) if administers else None,
        without=[store for store, where in stores.items() if where is None],
        has_fleet=settings.provider_role_arn is not None,
        has_rows=administers and settings.postgres_dsn is not None,
        has_cache=administers and settings.valkey_admin_url is not None,
    )


def directory_of(settings: Settings) -> Directory:
    """Where the settings say that tenants' users are."""
    if settings.user_pool_id is None:
        return ExternalDirectory()
    staff = [settings.provider_group] if settings.provider_group else []
    return CognitoDirectory(settings.user_pool_id, staff=staff)


def read_schema(path: Path) -> Mapping[str, Any]:
    """The JSON Schema in a file.

    Raises:
        WrongSettings: There is none.
    """
    import jsonschema

    library: Any = jsonschema
    try:
        schema: object = json.loads(path.read_text(encoding="utf-8"))
        library.Draft202012Validator.check_schema(schema)
        require_quick(schema)
    except (OSError, json.JSONDecodeError, UnicodeDecodeError, library.SchemaError):
        raise WrongSettings([f"{PREFIX}CONFIG_SCHEMA must be a file with a JSON Schema"]) from None
    except ValueError as fault:
        raise WrongSettings([f"{PREFIX}CONFIG_SCHEMA: {fault}"]) from None
    return cast(Mapping[str, Any], schema)


def _valkey(settings: Settings, stack: AsyncExitStack) -> "ValkeyStore":
    """The store that the servers count calls in; its client takes long to import, so the first to ask opens it."""
    from tenantscope_core.stores.valkey import ValkeyStore

    assert settings.valkey_url is not None
    store = ValkeyStore(settings.valkey_url.get_secret_value())
    stack.push_async_exit(store)
    return store


def _stores(settings: Settings) -> Sequence[Holding]:
    from tenantscope_tenant_management.sources.holdings.open import holdings

    return holdings(settings)


def _random_text() -> str:
    return secrets.token_hex(16)
