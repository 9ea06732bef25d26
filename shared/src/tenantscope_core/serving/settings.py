"""Settings from the environment: named, described, checked before anything starts."""

import difflib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from tenantscope_core.admission.limits import Limits, TierLimits
from tenantscope_core.identity.verifier import ASYMMETRIC_ALGORITHMS

PREFIX = "TENANTSCOPE_"
_MIN_CURSOR_KEY_CHARS = 32
NO_TABLE = "x"
"""Stands in the policy where there is no registry: shorter than a table's name may be, so that it opens none."""
_VALKEY_SCHEMES = ("valkey://", "valkeys://", "redis://", "rediss://", "unix://")

Words = tuple[str, ...]
"""Several words in one variable, separated by commas or spaces."""


class WrongSettings(SystemExit):
    """The server does not start; one sentence a setting says what to mend."""

    def __init__(self, sentences: Iterable[str]) -> None:
        super().__init__("tenantscope does not start:\n" + "\n".join(f"  - {sentence}" for sentence in sentences))


_DEFAULT_LIMITS = {"default": TierLimits().default, "provider": TierLimits().provider}


class CoreSettings(BaseModel):
    """What every server is told."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    issuer: str = Field(description="The token issuer's URL, exactly as tokens spell it in `iss`.")
    audience: Words = Field(
        default=(), description="Audiences that tokens may be meant for; required unless CLIENT_IDS."
    )
    client_ids: Words = Field(
        default=(), description="Clients whose access tokens are accepted without an audience (Amazon Cognito)."
    )
    jwks_url: str | None = Field(default=None, description="Where the issuer's keys are; found by discovery if unset.")
    algorithms: Words = Field(default=("RS256", "ES256", "EdDSA"), description="Signature algorithms accepted.")
    tenant_claim: str = Field(default="custom:tenantId", description="The claim that names the tenant.")
    tier_claim: str = Field(default="custom:tenantTier", description="The claim that names the tenant's tier.")
    scope_claim: str = Field(default="scope", description="The claim that lists scopes.")
    scope_prefix: str = Field(
        default="",
        description="What the issuer writes before each of our scopes, e.g. `tenantscope/` for a resource server of "
        "Amazon Cognito; taken off a token's scopes, put before those we ask for.",
    )
    groups_claim: str = Field(default="cognito:groups", description="The claim that lists groups.")
    provider_scope: str = Field(default="provider", description="The scope that makes a caller the provider.")
    provider_group: str | None = Field(default=None, description="A group that makes a caller the provider.")

    token: SecretStr | None = Field(default=None, description="stdio: the token.")
    token_file: Path | None = Field(default=None, description="stdio: a file with the token, re-read when it changes.")
    token_command: str | None = Field(
        default=None, description="stdio: a command that prints the token, run again before it expires."
    )

    host: str = Field(default="127.0.0.1", description="HTTP: the address to listen on.")
    port: int = Field(default=8000, ge=0, le=65_535, description="HTTP: the port; 0 picks a free one.")
    resource_url: str | None = Field(
        default=None,
        description="HTTP: this server's public URL, for its resource metadata; default http://HOST:PORT/mcp.",
    )
    allowed_hosts: Words = Field(
        default=(),
        description="HTTP: values of the Host header to answer, `name` or `name:*`, or `*` for any behind a proxy that "
        "checks them; loopback always is.",
    )
    open_discovery: bool = Field(
        default=False, description="HTTP: list tools without a token, for a gateway; calls still need one."
    )

    broker: Literal["assume-role", "web-identity"] = Field(
        default="assume-role", description="How tenant credentials are had from STS."
    )
    tenant_role_arn: str = Field(description="The role this server assumes for a tenant.")
    provider_role_arn: str | None = Field(
        default=None, description="The role it assumes for questions about the fleet."
    )
    aws_region: str = Field(description="The AWS region; AWS_REGION, which also counts, need not be repeated.")
    external_id: SecretStr | None = Field(default=None, description="The external id that the roles ask for.")

    tenants_table: str | None = Field(
        default=None, description="The tenant registry; when set, a tenant that is not active there is refused."
    )
    valkey_url: SecretStr | None = Field(
        default=None, description="Valkey, for limits that all replicas share; in-process when unset."
    )
    limits: dict[str, Limits] = Field(
        default=_DEFAULT_LIMITS,
        description="Calls a tenant may make, by tier, as JSON; `default` is for tiers not named, `provider` for each "
        "of the provider's callers: "
        '`{"default": {"per_minute": 120, "burst": 30, "concurrent": 8}}`.',
    )
    cursor_key: SecretStr | None = Field(
        default=None, description="Secret of 32 characters or more that signs page cursors; replicas share it."
    )
    call_timeout_seconds: float = Field(default=60.0, gt=0, le=900, description="The longest a call may take.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="How much is logged.")
    log_format: Literal["json", "text"] = Field(default="json", description="The form of log lines on stderr.")

    @field_validator("audience", "client_ids", "algorithms", "allowed_hosts", mode="before")
    @classmethod
    def _split_words(cls, value: object) -> object:
        return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value

    @field_validator("issuer", "jwks_url", "resource_url")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("https://", "http://")):
            raise ValueError("must be a URL that begins with https:// (http:// for a machine of your own)")
        return value

    @field_validator("valkey_url")
    @classmethod
    def _is_valkey(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(_VALKEY_SCHEMES):
            raise ValueError("must be a URL that begins with valkey:// or, with TLS, valkeys://")
        return value

    @field_validator("algorithms")
    @classmethod
    def _are_asymmetric(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not set(value) <= ASYMMETRIC_ALGORITHMS:
            raise ValueError(f"must be among {', '.join(sorted(ASYMMETRIC_ALGORITHMS))}: never none, never HS*")
        return value

    @property
    def tier_limits(self) -> TierLimits:
        """The limits by tier, what is not set as it is by default."""
        tiers = {tier: limits for tier, limits in self.limits.items() if tier not in _DEFAULT_LIMITS}
        given = _DEFAULT_LIMITS | self.limits
        return TierLimits(default=given["default"], provider=given["provider"], tiers=tiers)

    @property
    def admin_role(self) -> str | None:
        """The role for what the provider does to one tenant; servers that do such things have a setting for it."""
        return None

    @property
    def policy_names(self) -> dict[str, str]:
        """What the server's policy.json leaves open, by name."""
        return {"TenantsTable": self.tenants_table or NO_TABLE}

    def policy_names_of(self, tenant: str) -> dict[str, str]:
        """What policy.json leaves open for each tenant, by name; it goes before `policy_names`."""
        return {}

    @field_validator("cursor_key")
    @classmethod
    def _is_long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < _MIN_CURSOR_KEY_CHARS:
            raise ValueError(f"must have at least {_MIN_CURSOR_KEY_CHARS} characters")
        return value

    @model_validator(mode="after")
    def _fit_together(self) -> "CoreSettings":
        if not self.audience and not self.client_ids:
            raise ValueError(
                f"{PREFIX}AUDIENCE is required: without it any token of the issuer would open this server "
                f"(for Amazon Cognito access tokens, which have no audience, set {PREFIX}CLIENT_IDS)"
            )
        if sum(source is not None for source in (self.token, self.token_file, self.token_command)) > 1:
            raise ValueError(f"set only one of {PREFIX}TOKEN, {PREFIX}TOKEN_FILE and {PREFIX}TOKEN_COMMAND")
        return self


SettingsT = TypeVar("SettingsT", bound=CoreSettings)


def load_settings(kind: type[SettingsT], environment: Mapping[str, str]) -> SettingsT:
    """The settings that an environment holds.

    Raises:
        WrongSettings: One is missing or wrong; a sentence for each, none of which repeats a value.
    """
    values: dict[str, Any] = {}
    for name in kind.model_fields:
        value = environment.get(PREFIX + name.upper()) or (
            environment.get("AWS_REGION") if name == "aws_region" else None
        )
        if value:
            values[name] = value
    if "limits" in values:
        try:
            values["limits"] = json.loads(values["limits"])
        except ValueError:
            raise WrongSettings([f"{PREFIX}LIMITS must be JSON"]) from None
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise WrongSettings(
            _sentence(e["loc"], e["type"], e["msg"]) for e in error.errors(include_input=False)
        ) from None


def misspelt_settings(kind: type[CoreSettings], environment: Iterable[str]) -> list[str]:
    """A sentence for each variable that is no setting of this server and nearly is; others may be another server's."""
    known = [PREFIX + name.upper() for name in kind.model_fields]
    return [
        f"{name} is not a setting of this server; is it {near[0]}?"
        for name in sorted(environment)
        if name.startswith(PREFIX)
        and name not in known
        and (near := difflib.get_close_matches(name, known, n=1, cutoff=0.85))
    ]


def settings_table(kind: type[CoreSettings]) -> str:
    """The settings as a Markdown table, for READMEs and `--help`."""
    rows = ["| variable | default | what it is |", "| --- | --- | --- |"]
    for name, field in kind.model_fields.items():
        rows.append(
            f"| `{PREFIX}{name.upper()}` | {_default(field.is_required(), field.default)} | {field.description} |"
        )
    return "\n".join(rows)


def _default(required: bool, default: object) -> str:
    if required:
        return "required"
    if default in (None, (), ""):
        return ""
    if default == _DEFAULT_LIMITS:
        return "see there"
    return f"`{' '.join(default) if isinstance(default, tuple) else default}`"  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def _sentence(location: tuple[int | str, ...], kind: str, message: str) -> str:
    name = PREFIX + str(location[0]).upper() if location else ""
    if kind == "missing":
        return f"{name} is required"
    words = message.removeprefix("Value error, ")
    return f"{name}: {words}" if name else words
