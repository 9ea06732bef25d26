"""The sandbox as one object: start it, stop it, break a part of it, and find everything that runs in it."""

import asyncio
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self

from . import cloud, cognito, hosts
from .cloud import Credentials
from .faults import EmulatorControl
from .identity.issuer import AUDIENCE, Issuer
from .parts import PARTS, Part, aws, postgres, valkey
from .processes import PartFailed, Process, free_port, is_free, tail, wait_until
from .state import State

Progress = Callable[[str], None]
Audience = Literal["tenant", "provider", "admin"]


def silent(line: str) -> None:
    """Say nothing of the progress."""


class Sandbox:
    """A running sandbox. `Sandbox.up` starts one, `Sandbox.open` finds one, `Sandbox.running` holds one for a block."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.region = aws.REGION
        self.account = aws.ACCOUNT
        self.audience = AUDIENCE
        self.outputs: dict[str, str] = state.read("sandbox.json").get("outputs", {})

    @classmethod
    def up(cls, directory: Path, *, company: bool = True, keep: bool = True, progress: Progress = silent) -> Self:
        """Start what does not run yet, on the state and the ports of last time; load the company unless told not to.

        With `keep`, it runs until `down`; without, the last `Sandbox.running` block to end may stop it.

        Raises:
            PartFailed: A part did not start; the message names it and shows the end of its log.
        """
        sandbox = cls(State(directory))
        with sandbox.state.locked():
            if keep:
                sandbox.state.update("sandbox.json", {"kept": True})
            missing = [part for part in PARTS.values() if not part.external() and not sandbox.is_running(part.name)]
            if missing:
                with ThreadPoolExecutor(len(missing)) as pool:
                    started = [pool.submit(sandbox._start, part, progress) for part in missing]
                for start in started:
                    start.result()
            sandbox._provision(progress)
            if company:
                from .company import load  # numpy and DuckDB are not loaded for anything else

                load(sandbox, progress=progress)
        return sandbox

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Return the sandbox of a folder.

        Raises:
            PartFailed: It does not run, or not all of it.
        """
        sandbox = cls(State(directory))
        down = [part.name for part in PARTS.values() if not part.external() and not sandbox.is_running(part.name)]
        if down or not sandbox.outputs:
            raise PartFailed(f"nothing runs in {sandbox.state.root}: start it with `tenantscope-sandbox up`")
        return sandbox

    @classmethod
    def running(cls, directory: Path, *, company: bool = True, progress: Progress = silent) -> "Running":
        """Hold a sandbox for a `with` or `async with` block. The last block to end stops it, unless `up` keeps it."""
        return Running(directory, company=company, progress=progress)

    def down(self, progress: Progress = silent) -> None:
        """Stop every part; the state stays."""
        with self.state.locked(), ThreadPoolExecutor(len(PARTS)) as pool:
            list(pool.map(self.stop_part, PARTS))
            self.state.update("sandbox.json", {"kept": False})
        progress("stopped")

    def is_running(self, name: str) -> bool:
        """Tell whether a part's process runs."""
        process = self._process(name)
        return process is not None and process.alive()

    def stop_part(self, name: str, *, kill: bool = False) -> None:
        """Stop one part as an operator would, or kill it as a crash would."""
        process = self._process(name)
        if process is not None:
            process.stop(signal.SIGKILL if kill else PARTS[name].stop_signal)

    def start_part(self, name: str) -> None:
        """Start one part again, on its state and the same port."""
        if not self.is_running(name):
            self._start(PARTS[name], silent, same_port=True)

    def pause_part(self, name: str) -> None:
        """Freeze one part: connections stay open and nothing answers."""
        self._signal(name, signal.SIGSTOP)

    def resume_part(self, name: str) -> None:
        """Let a frozen part go on."""
        self._signal(name, signal.SIGCONT)

    def port(self, name: str) -> int | None:
        """Return the port of a part, None for one from outside."""
        return self.state.read("sandbox.json").get("parts", {}).get(name, {}).get("port")

    # What runs where

    @property
    def aws_endpoint(self) -> str:
        """URL of the emulated AWS, for every service."""
        return f"http://127.0.0.1:{self.port('aws')}"

    @property
    def root(self) -> Credentials:
        """The account's root: may do anything, for tests and for loading data."""
        return Credentials(aws.ROOT_ACCESS_KEY, self.state.secret("aws-root"))

    @property
    def execution(self) -> Credentials:
        """The identity that the servers run as: it may assume their roles and do nothing else."""
        known = self.state.read("secrets.json")
        return Credentials(known["execution-access-key-id"], known["execution-secret-access-key"])

    @property
    def emulator(self) -> EmulatorControl:
        """Faults and the request log of the emulated AWS."""
        return EmulatorControl(self.port("aws") or 0, self.state.root / "aws/requests.jsonl")

    @property
    def bucket(self) -> str:
        """The datasets bucket."""
        return self.outputs["DatasetsBucket"]

    @property
    def table(self) -> str:
        """The tenants table."""
        return self.outputs["TenantsTable"]

    @property
    def external_id(self) -> str:
        """What AssumeRole must present."""
        return self.state.secret("external-id")

    @property
    def postgres_dsn(self) -> str:
        """PostgreSQL as the application role, which owns nothing and bypasses nothing."""
        return postgres.dsn(self.state, self.port("postgres"))

    @property
    def postgres_owner_dsn(self) -> str:
        """PostgreSQL as the owner of the database, for migrations."""
        return postgres.dsn(self.state, self.port("postgres"), postgres.OWNER)

    @property
    def postgres_admin_dsn(self) -> str:
        """PostgreSQL as superuser, for tests alone."""
        return postgres.dsn(self.state, self.port("postgres"), postgres.SUPERUSER)

    @property
    def valkey_url(self) -> str:
        """Valkey as the servers' user, confined to keys that begin with `ts:`."""
        return valkey.url(self.state, self.port("valkey"))

    @property
    def valkey_lifecycle_url(self) -> str:
        """Valkey as the user that lists and deletes a tenant's keys and makes its user, and reads no value."""
        return valkey.url(self.state, self.port("valkey"), valkey.LIFECYCLE)

    @property
    def valkey_admin_url(self) -> str:
        """Valkey as its administrator, for tests alone."""
        return valkey.url(self.state, self.port("valkey"), "admin")

    @property
    def issuer(self) -> Issuer:
        """The token issuer; signs without asking its server."""
        return Issuer(self.state, f"http://127.0.0.1:{self.port('issuer')}")

    def role_arn(self, server: str, audience: Audience = "tenant") -> str:
        """Return the ARN of a server's tenant, provider or admin role; not every server has the last."""
        return self.outputs[_role_output(server, audience)]

    def has_role(self, server: str, audience: Audience) -> bool:
        """Return whether the stack made such a role."""
        return _role_output(server, audience) in self.outputs

    def client(self, service: str, credentials: Credentials | None = None, **config: Any) -> Any:
        """Return a boto3 client of the emulated account, the root's unless other credentials are given."""
        return (credentials or self.root).client(service, self.aws_endpoint, **config)

    def assume(
        self, server: str, tenant: str | None = None, *, tier: str | None = None, policy: str | None = None
    ) -> Credentials:
        """Assume a server's role as the servers do: the tenant's when one is named, else the provider's."""
        tags = {"TenantId": tenant, "TenantTier": tier} if tenant else {}
        found = self.client("sts", self.execution).assume_role(
            RoleArn=self.role_arn(server, "tenant" if tenant else "provider"),
            RoleSessionName="sandbox",
            ExternalId=self.external_id,
            Tags=[{"Key": key, "Value": value} for key, value in tags.items() if value],
            **({"Policy": policy} if policy else {}),
        )["Credentials"]
        return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])

    def cognito_tokens(
        self, email: str, *, tenant: str | None, tier: str | None = None, groups: tuple[str, ...] = ()
    ) -> dict[str, str]:
        """Return `access` and `id` token of a user of the emulated Cognito pool, made unless known."""
        pool, client = self.outputs["UserPoolId"], self.outputs["AppClientId"]
        password = self.state.secret("cognito-password") + "aA1!"
        return cognito.sign_in(
            self.client("cognito-idp"), pool, client,
            email=email, password=password, tenant=tenant, tier=tier, groups=groups,
        )  # fmt: skip

    @property
    def cognito_issuer(self) -> str:
        """`iss` of the pool's tokens, as on AWS; the keys are at `cognito_jwks_url`."""
        return f"https://cognito-idp.{self.region}.amazonaws.com/{self.outputs['UserPoolId']}"

    @property
    def cognito_jwks_url(self) -> str:
        """Where the emulator publishes the pool's keys."""
        return f"{self.aws_endpoint}/{self.outputs['UserPoolId']}/.well-known/jwks.json"

    def server_env(
        self, server: str, tenant: str | None = None, *, tier: str | None = None, provider: bool = False
    ) -> dict[str, str]:
        """Return a server's settings, with a token file for a tenant's user or the provider's staff if asked for."""
        return hosts.server_env(self, server, tenant, tier=tier, provider=provider)

    # How it starts

    def _process(self, name: str) -> Process | None:
        known = self.state.read("sandbox.json").get("parts", {}).get(name)
        return Process(known["pid"], known["started"]) if known and "pid" in known else None

    def _signal(self, name: str, number: int) -> None:
        process = self._process(name)
        if process is None or not process.alive():
            raise PartFailed(f"{name} does not run")
        process.send(number)

    def _start(self, part: Part, progress: Progress, *, same_port: bool = False) -> None:
        started = time.monotonic()
        before = self.port(part.name)
        if same_port and before and not is_free(before):
            raise PartFailed(f"{part.name}: its port {before} is taken by another process")
        port = free_port(before)
        process = part.start(self.state, port, progress)
        with self.state.changing:
            parts = self.state.read("sandbox.json").get("parts", {})
            parts[part.name] = {**process.as_json(), "port": port}
            self.state.update("sandbox.json", {"format": 1, "parts": parts})
        wait_until(lambda: part.ready(self.state, port) or not process.alive(), part.patience_seconds)
        if not process.alive() or not part.ready(self.state, port):
            process.stop()
            log = self.state.root / f"logs/{part.name}.log"
            raise PartFailed(f"{part.name} did not start; the end of {log}:\n{tail(log)}")
        progress(f"{part.name}: ready on 127.0.0.1:{port} after {time.monotonic() - started:.1f} s")

    def _provision(self, progress: Progress) -> None:
        started = time.monotonic()
        with ThreadPoolExecutor(2) as pool:
            database = pool.submit(postgres.provision, self.state, self.port("postgres"))
            stack = pool.submit(
                cloud.provision, self.state, self.aws_endpoint, self.root, self.issuer.url, self.audience
            )
            self.outputs = stack.result()
            database.result()
        endpoints = {
            name: "from outside" if part.external() else f"127.0.0.1:{self.port(name)}" for name, part in PARTS.items()
        }
        self.state.update("sandbox.json", {"outputs": self.outputs, "endpoints": endpoints})
        progress(f"template, roles and databases in place after {time.monotonic() - started:.1f} s")


class Running:
    """Context manager of a sandbox, for `with` and `async with`; several processes may hold the same one."""

    def __init__(self, directory: Path, *, company: bool, progress: Progress) -> None:
        self._directory, self._company, self._progress = directory, company, progress
        self._sandbox = Sandbox(State(directory))
        self._held: IO[str] | None = None

    def __enter__(self) -> Sandbox:
        self._held = self._sandbox.state.hold()
        try:
            self._sandbox = Sandbox.up(self._directory, company=self._company, keep=False, progress=self._progress)
        except BaseException:
            self._release()
            raise
        return self._sandbox

    def _release(self) -> None:
        if self._held is None:
            return
        with self._held as held:
            last = self._sandbox.state.release(held)
            if last and not self._sandbox.state.read("sandbox.json").get("kept"):
                self._sandbox.down()
        self._held = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    async def __aenter__(self) -> Sandbox:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._release)


def _role_output(server: str, audience: Audience) -> str:
    name = "".join(word.capitalize() for word in server.split("-"))
    return f"{name}{audience.capitalize()}RoleArn"
