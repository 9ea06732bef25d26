"""AssumeRoleWithWebIdentity that verifies the token and honours its session tags.

The untaught emulator takes any token whose issuer the trust policy names: it checks no signature and sets no tags.
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_adding-assume-role-idp
"""

import asyncio
import contextvars
import json
import urllib.request
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs

import jwt

from .documents import as_list, as_object, parsed_object

TAGS_CLAIM = "https://aws.amazon.com/tags"
ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]
FETCH_SECONDS = 5.0

_session: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar("web_identity_session", default=None)


class Refused(Exception):
    """A token that STS refuses, with the code that AWS gives."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


def _fetch(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=FETCH_SECONDS) as response:
        return json.load(response)


def _key(issuer: str, kid: str | None) -> jwt.PyJWK:
    try:
        metadata = _fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        keys = jwt.PyJWKSet.from_dict(_fetch(metadata["jwks_uri"])).keys
    except (OSError, ValueError, KeyError, jwt.PyJWTError) as error:
        raise Refused("IDPCommunicationError", f"The identity provider could not be reached: {error}") from error
    for key in keys:
        if key.key_id == kid:
            return key
    raise Refused("InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider")


def verified_claims(token: str, role_arn: str) -> dict[str, Any]:
    """Verify issuer, signature, times and audience against the registered OIDC provider."""
    iam: Any = import_module("ministack.services.iam")
    try:
        unverified = jwt.decode(token, options={"verify_signature": False})
        kid = jwt.get_unverified_header(token).get("kid")
        issuer = str(unverified["iss"])
    except (jwt.PyJWTError, KeyError) as error:
        raise Refused("InvalidIdentityToken", "The web identity token could not be validated") from error
    partition, account = role_arn.split(":")[1], role_arn.split(":")[4]
    arn = f"arn:{partition}:iam::{account}:oidc-provider/{issuer.split('://', 1)[-1].rstrip('/')}"
    provider = iam._oidc_providers.get(arn)
    if provider is None:
        raise Refused("InvalidIdentityToken", "No OpenIDConnect provider found in your account for the token's issuer")
    audiences = as_list(provider["ClientIDList"])
    try:
        return jwt.decode(token, _key(issuer, kid), algorithms=ALGORITHMS, audience=audiences, leeway=5)
    except jwt.ExpiredSignatureError as error:
        raise Refused("ExpiredTokenException", "The web identity token that was passed is expired") from error
    except jwt.InvalidAudienceError as error:
        raise Refused("InvalidIdentityToken", "Incorrect token audience") from error
    except jwt.PyJWTError as error:
        raise Refused("InvalidIdentityToken", f"The web identity token was refused: {error}") from error


def session_tags(claims: dict[str, Any]) -> list[dict[str, str]]:
    """Return the session tags that an identity provider asserts in a token."""
    principal_tags = as_object(as_object(claims.get(TAGS_CLAIM)).get("principal_tags"))
    tags: list[dict[str, str]] = []
    for key, values in principal_tags.items():
        if len(as_list(values)) != 1:
            raise Refused("InvalidIdentityToken", f"The principal tag {key} must have exactly one value")
        tags.append({"Key": key, "Value": str(as_list(values)[0])})
    return tags


def _request_of(headers: dict[str, str], body: bytes, query: dict[str, Any]) -> dict[str, str]:
    fields: dict[str, Any] = {**parse_qs(body.decode("utf-8", "replace")), **query}
    return {key: str(as_list(values)[0]) for key, values in fields.items() if as_list(values)}


def teach() -> None:
    """Verify the token before STS answers; carry its tags into the trust policy and the session."""
    sts: Any = import_module("ministack.services.sts")
    evaluator: Any = import_module("ministack.core.iam_evaluator")
    iam: Any = import_module("ministack.services.iam")
    untaught_handle, untaught_register = sts.handle_request, sts.register_session

    async def handle(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
        request = _request_of(headers, body, query)
        if request.get("Action") != "AssumeRoleWithWebIdentity":
            return await untaught_handle(method, path, headers, body, query)
        try:
            claims = await asyncio.to_thread(
                contextvars.copy_context().run, verified_claims, request.get("WebIdentityToken", ""), request["RoleArn"]
            )
            tags = session_tags(claims)
        except Refused as refused:
            return iam._error(refused.status, refused.code, str(refused), ns="sts")
        except (KeyError, IndexError):
            return iam._error(400, "ValidationError", "RoleArn is malformed", ns="sts")
        policies, invalid = sts._session_policies(
            {key: [value] for key, value in request.items()}, request["RoleArn"].split(":")[4]
        )
        if invalid:
            return invalid
        token = _session.set(
            {
                "SessionTags": tags,
                "SessionPolicies": policies if any(policies.values()) else None,
                "SourceIdentity": claims.get("https://aws.amazon.com/source_identity"),
            }
        )
        try:
            return await untaught_handle(method, path, headers, body, query)
        finally:
            _session.reset(token)

    def register(access_key: str, session: dict[str, Any]) -> None:
        untaught_register(access_key, {**session, **(_session.get() or {})})

    def trust_denied(role_arn: str, params: dict[str, Any], use_json: bool) -> Any:
        tags = (_session.get() or {}).get("SessionTags", [])
        account = role_arn.split(":")[4]
        role = iam._roles.get_scoped(account, None, role_arn.rsplit("/", 1)[-1])
        provider, keys = sts._web_identity_principal(sts._p(params, "WebIdentityToken"), "", role_arn)
        context = evaluator.EvalContext(
            principal_arn=provider, principal_type="WebIdentityUser", principal_account=account,
            action="sts:AssumeRoleWithWebIdentity", resource_arn=role_arn, region=sts.get_region(),
            service_context={**keys, "sts:rolesessionname": sts._p(params, "RoleSessionName", None)},
            request_tags={tag["Key"]: tag["Value"] for tag in tags}, tag_keys=[tag["Key"] for tag in tags],
        )  # fmt: skip
        document = as_object(role).get("AssumeRolePolicyDocument", "{}")
        # The provider is the principal of both checks, so TagSession is read off statements that name it.
        allowed = evaluator.evaluate_trust_policy(document, provider, context) and (
            not tags or _tagging_allowed(evaluator, document, provider, context)
        )
        if role is not None and allowed:
            return None
        return iam._error(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", ns="sts")

    sts.handle_request, sts.register_session, sts._web_identity_trust_denied = handle, register, trust_denied


def _tagging_allowed(evaluator: Any, document: Any, provider: str, context: Any) -> bool:
    trusted = parsed_object(document) if isinstance(document, str) else as_object(document)
    renamed = [
        {**statement, "Action": "sts:AssumeRoleWithWebIdentity"}
        for statement in map(as_object, as_list(trusted.get("Statement")))
        if "sts:TagSession" in as_list(statement.get("Action")) and "Federated" in as_object(statement.get("Principal"))
    ]
    return evaluator.evaluate_trust_policy({"Statement": renamed}, provider, context)
