"""Onboarding: the steps that take a tenant in, each of which can be done twice and undone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from tenantscope_core.results.errors import InvalidArgument, NotSetUp, Unavailable
from tenantscope_core.tool import Call

from tenantscope_tenant_management.changes import changed, overrides_of, with_config, with_terms
from tenantscope_tenant_management.events import provisioned
from tenantscope_tenant_management.registry import config_of, status_of
from tenantscope_tenant_management.sources.holdings.holding import Holding
from tenantscope_tenant_management.sources.tenants import Tenants
from tenantscope_tenant_management.sources.tier_table import TierTable
from tenantscope_tenant_management.sources.users.directory import Directory
from tenantscope_tenant_management.sources.workflows.runner import Done, Step, Work

AnyCall = Call[Any]
_USERS_AT_ONCE = 200
_OFF = frozenset({"suspended", "offboarding", "offboarded"})


@dataclass(frozen=True)
class Identity:
    """A group of its own in the directory of users, and the first user in it, who is an admin."""

    directory: Directory
    name: str = "identity"
    title: str = "Users: a group, and the first of them"

    async def do(self, work: Work[AnyCall]) -> Done:
        """Make the group and invite the first user."""
        made = await self.directory.ensure_tenant(work.call.aws, work.tenant)
        email = cast(str | None, work.flow.inputs["admin_email"])
        if email is None:
            return Done(made)
        tier = str(work.flow.inputs["tier"])
        user, _ = await self.directory.invite(work.call.aws, work.tenant, email, "admin", tier)
        return Done(f"{made} Its first user, an admin, is invited.", {"user_id": user.id})

    async def undo(self, work: Work[AnyCall]) -> None:
        """Delete both. An address that is somebody else's, at which the step failed, has nothing to delete."""
        email = cast(str | None, work.flow.inputs["admin_email"])
        aws, tenant = work.call.aws, work.tenant
        try:
            invited = None if email is None else await self.directory.find_invited(aws, tenant, email)
        except (InvalidArgument, NotSetUp):
            invited = None
        also = () if invited is None or email is None else (email,)
        await self.directory.erase_tenant(aws, tenant, at_most=_USERS_AT_ONCE, also=also)


@dataclass(frozen=True)
class Room:
    """A place in one of the stores: what a new tenant needs there, and nothing of a former one."""

    holding: Holding

    @property
    def name(self) -> str:
        """As the store is called."""
        return self.holding.name

    @property
    def title(self) -> str:
        """What is done."""
        return f"Place in its {self.holding.name}"

    async def do(self, work: Work[AnyCall]) -> Done:
        """Make the place, and make sure that it is empty."""
        told = await self.holding.prepare(work.call.aws, work.tenant)
        return Done(told, skipped=told is None)

    async def undo(self, work: Work[AnyCall]) -> None:
        """Take it away."""
        await self.holding.unprepare(work.call.aws, work.tenant)


@dataclass(frozen=True)
class TermsOfTier:
    """Entitlements and quotas, as its tier gives them."""

    tenants: Tenants
    tiers: TierTable
    name: str = "quotas"
    title: str = "Features and quotas of its tier"

    async def do(self, work: Work[AnyCall]) -> Done:
        """Write them into the record."""
        record = await self.tenants.read(work.call, work.tenant)
        tier = await self.tiers.one(work.call.aws, str(record.get("tier", "")))  # as the provider registered it
        if record.get("quotas") is None or record.get("entitlements") is None:
            after = with_terms(record, tier, overrides_of(record), work.now)
            await self.tenants.save(work.call, record, after, "tenant.terms_set")
        return Done(f"{len(tier.features)} features and {len(tier.quotas)} quotas of {tier.name}")

    async def undo(self, work: Work[AnyCall]) -> None:
        """Take them away."""
        record = await self.tenants.read(work.call, work.tenant)
        if record.get("quotas") is not None or record.get("entitlements") is not None:
            after = changed(record, work.now, quotas=None, entitlements=None)
            await self.tenants.save(work.call, record, after, "tenant.terms_taken")


@dataclass(frozen=True)
class SampleData:
    """The switch by which the product fills a new tenant with data to try."""

    tenants: Tenants
    name: str = "sample_data"
    title: str = "Sample data"

    async def do(self, work: Work[AnyCall]) -> Done:
        """Set it, where it was asked for."""
        if not work.flow.inputs["sample_data"]:
            return Done("not asked for", skipped=True)
        record = await self.tenants.read(work.call, work.tenant)
        config = config_of(record.get("tenantConfig"))
        if config.get("sampleData") is not True:
            after = with_config(record, {**config, "sampleData": True}, work.now)
            await self.tenants.save(work.call, record, after, "tenant.sample_data_switched_on")
        return Done("its setting sampleData is on; the product fills it")

    async def undo(self, work: Work[AnyCall]) -> None:
        """Nothing: the record goes out of use with all its settings."""


@dataclass(frozen=True)
class Activate:
    """The switch by which every server lets the tenant in."""

    tenants: Tenants
    name: str = "activate"
    title: str = "Active: every server lets it in"

    async def do(self, work: Work[AnyCall]) -> Done:
        """Throw it.

        Raises:
            Unavailable: The tenant was switched off, or leaves; taking it in is no way around that.
        """
        record = await self.tenants.read(work.call, work.tenant)
        if status_of(record) in _OFF:
            raise Unavailable("The tenant was switched off or let go meanwhile, and is not activated.")
        if record.get("tenantStatus") != "Active":
            after = changed(record, work.now, tenantStatus="Active")
            await self.tenants.save(work.call, record, after, "tenant.activated", events=[provisioned(after)])
        return Done("active; every server lets its users in")

    async def undo(self, work: Work[AnyCall]) -> None:
        """Nothing: it is the last step."""


def steps(
    tenants: Tenants, tiers: TierTable, directory: Directory, holdings: Sequence[Holding]
) -> Sequence[Step[AnyCall]]:
    """The steps in their order: first what may refuse, last what lets callers in."""
    rooms = [Room(holding) for holding in holdings]
    return [*rooms, Identity(directory), TermsOfTier(tenants, tiers), SampleData(tenants), Activate(tenants)]
