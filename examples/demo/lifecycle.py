"""A tenant's whole life: Initech is taken in like globex, signs in, changes, is suspended, and leaves for good.

Its users sign in to the emulated Cognito, so the servers that they meet trust that issuer. An id is never given again:
each session takes in another Initech.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from mcp import Client
from prepare import say
from speaking import ask, call, connected, refusal, require, started
from tenantscope_sandbox import Sandbox
from tenantscope_sandbox.hosts import SERVERS

_NAME = "initech-"
QUIET_SECONDS = "1"
"""How long calls of a tenant that left may still run: all of them are ours here. By default it is 90 s."""

FIRST_QUESTIONS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "tenant-management": ("get_tenant", {}),
    "cost-explorer": ("get_costs", {}),
    "metrics-logs": ("get_usage", {}),
    "semantic-cache": ("get_cache_stats", {}),
    "memory": ("remember", {"text": "Flies out of Austin.", "kind": "preference", "subject": "home airport"}),
    "pricing": ("get_plans", {}),
}
NOTHING_YET = ("cost-explorer", "metrics-logs", "pricing")
"""Servers that answer from what jobs have published: who came today is told that nothing is there yet."""


def is_of_a_demo(tenant: str) -> bool:
    """Whether a tenant was taken in by such a session."""
    return tenant.startswith(_NAME)


@dataclass(frozen=True)
class Newcomer:
    """The Initech of this session."""

    sandbox: Sandbox
    id: str

    @property
    def admin(self) -> str:
        """The address of its first user."""
        return f"peter@{self.id}.example"

    def as_admin(self, server: str) -> AbstractAsyncContextManager[Client]:
        """A server as its first user's host starts it: with a token that Cognito has issued."""
        sandbox = self.sandbox
        issued = {
            "TENANTSCOPE_ISSUER": sandbox.cognito_issuer,
            "TENANTSCOPE_JWKS_URL": sandbox.cognito_jwks_url,
            "TENANTSCOPE_AUDIENCE": "",
            "TENANTSCOPE_CLIENT_IDS": sandbox.outputs["AppClientId"],
            "TENANTSCOPE_TOKEN": sandbox.cognito_tokens(self.admin, tenant=self.id)["access"],
        }
        return started(server, sandbox.server_env(server) | issued)


async def comes_and_goes(sandbox: Sandbox) -> None:
    """From the first word to the receipt, in one sitting of the provider's."""
    initech = Newcomer(sandbox, f"{_NAME}{datetime.now(UTC):%y%m%d-%H%M%S}")
    async with connected(sandbox, "tenant-management", None, TENANTSCOPE_QUIET_SECONDS=QUIET_SECONDS) as provider:
        await _is_taken_in(provider, initech)
        await _signs_in(initech)
        await _changes_tier(provider, initech)
        await _is_suspended(provider, initech)
        await _leaves(provider, initech)


async def _is_taken_in(provider: Client, initech: Newcomer) -> None:
    ask("provider", "Onboard Initech on the growth plan, like Globex.")
    made = await call(
        provider, "create_tenant", tenant_id=initech.id, name="Initech", tier="growth", like="globex",
        admin_email=initech.admin,
    )  # fmt: skip
    require(made["status"] == "active", f"initech is {made['status']}")
    for step in made["workflow"]["steps"]:
        say(f"  {step['state']:<8}{step['name']:<12} {step.get('told', '')}")


async def _signs_in(initech: Newcomer) -> None:
    ask("initech's first user", "I have signed in. Does everybody know us?")
    for server in SERVERS:
        tool, arguments = FIRST_QUESTIONS[server]
        async with initech.as_admin(server) as client:
            if server in NOTHING_YET:
                told = await refusal(client, tool, **arguments)
                require(told.startswith("not_found: "), f"{server} does not know initech: {told}")
                say(f"  → {tool}()  {told}")
            else:
                await call(client, tool, **arguments)
    ask("initech's first user", "Invite Samir and Michael. And put us on enterprise.")
    async with initech.as_admin("tenant-management") as client:
        me = await call(client, "whoami")
        require(me["tenant_id"] == initech.id, f"the servers take it for {me['tenant_id']}")
        for name in ("samir", "michael"):
            done = await call(client, "manage_tenant_user", action="invite", email=f"{name}@{initech.id}.example")
            require(done["changed"], f"{name} was not invited")
        say(f"  {await refusal(client, 'update_tenant', version=1, tier='enterprise')}")


async def _changes_tier(provider: Client, initech: Newcomer) -> None:
    ask("provider", "What would it mean for Initech to go down to starter, with two seats?")
    seen = await call(provider, "get_tenant", tenant_id=initech.id)
    tried = await call(
        provider, "update_tenant", tenant_id=initech.id, version=seen["version"], tier="starter",
        quota_overrides={"users": 2}, dry_run=True,
    )  # fmt: skip
    effect = tried["effect"]
    say(f"  loses {', '.join(effect['loses'])}; gains {', '.join(effect['gains']) or 'nothing'}")
    for move in effect["quotas"]:
        say(f"  {move['name']:<24}{move['before']:>6,} → {move['after']:,}")
    for one in effect["exceeded"]:
        say(f"  too much of {one['name']}: {one['used']} used, {one['limit']} allowed")
    require({"name": "users", "limit": 2, "used": 3} in effect["exceeded"], "three users do not exceed two seats")
    require("reports" in effect["loses"], "starter has no reports")
    after = await call(provider, "get_tenant", tenant_id=initech.id)
    require((after["tier"], after["version"]) == ("growth", seen["version"]), "a dry run has changed something")


async def _is_suspended(provider: Client, initech: Newcomer) -> None:
    ask("provider", "They have not paid. Suspend them until they have.")
    await call(provider, "set_tenant_status", tenant_id=initech.id, action="suspend", reason="payment_overdue")
    async with initech.as_admin("semantic-cache") as client:
        told = await refusal(client, "get_cache_stats")
        require(told.startswith("tenant_suspended: "), f"initech is refused otherwise: {told}")
        say(f"  initech's user: {told}")
    await call(provider, "set_tenant_status", tenant_id=initech.id, action="resume")
    async with initech.as_admin("semantic-cache") as client:
        await call(client, "get_cache_stats")


async def _leaves(provider: Client, initech: Newcomer) -> None:
    ask("provider", "Initech leaves: give them their data, then erase them everywhere.")
    about = {"tenant_id": initech.id, "action": "offboard"}
    tried = await call(provider, "set_tenant_status", **about, dry_run=True)
    say(f"  it would erase {tried['leaving']['things']} things in {len(tried['leaving']['stores'])} stores, for good")
    say(f"  without its confirmation: {await refusal(provider, 'set_tenant_status', **about)}")
    left = await call(provider, "set_tenant_status", **about, confirmation=tried["confirmation"])
    receipt = left["receipt"]
    say(f"  {'store':<12}{'held':<62}{'left':>5}")
    for line in receipt["stores"]:
        held = ", ".join(f"{count} {kind}" for kind, count in sorted(line["held"].items()) if count)
        say(f"  {line['store']:<12}{held or 'nothing':<62}{line['left']:>5}")
    say(f"  its copy: {receipt['export']['files']} files below {receipt['export']['folder']}, for 30 days")
    for kept in receipt["kept"]:
        say(f"  stays: {kept}")
    say(f"  digest {receipt['digest'][:16]}…, in the audit trail too")
    held = {line["store"]: line["held"] for line in receipt["stores"]}
    require(held["users"] == {"user": 3}, f"it had three users, not {held['users']}")
    require(sum(held["database"].values()) > 0, "what it remembered was not in the database")
    require(not any(line["left"] for line in receipt["stores"]), "something is left")
    _is_gone_everywhere(initech)
    gone = await call(provider, "get_tenant", tenant_id=initech.id)
    require(gone["status"] == "offboarded", f"initech is {gone['status']}")
    again = {"tenant_id": initech.id, "name": "Initech", "tier": "growth"}
    say(f"  {await refusal(provider, 'create_tenant', **again)}")


def _is_gone_everywhere(initech: Newcomer) -> None:
    """Look into the stores themselves, as their administrators."""
    sandbox = initech.sandbox
    s3, cognito = sandbox.client("s3"), sandbox.client("cognito-idp")
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=sandbox.bucket, Prefix="datasets/")
    keys = [version["Key"] for page in pages for version in page.get("Versions", [])]
    require(not any(f"/tenant_id={initech.id}/" in key for key in keys), "an object of initech's is left")
    pool = sandbox.outputs["UserPoolId"]
    found = cognito.list_users(UserPoolId=pool, Filter=f'email = "{initech.admin}"')["Users"]
    require(not found, "initech's first user is left")
    with psycopg.connect(sandbox.postgres_admin_dsn) as database:
        memories = database.execute("SELECT FROM memory.record WHERE tenant_id = %s", [initech.id]).fetchall()
    require(not memories, f"{len(memories)} memories of initech's are left")
    say("  looked for in S3, Cognito and PostgreSQL by their administrators: nothing is there")
