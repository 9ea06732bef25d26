"""Tokens of the sandbox's issuer, signed here from the state's keys without asking anyone."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jwt

from tenantscope_sandbox.state import State

from .keys import Keys, SigningKey

AUDIENCE = "https://tenantscope.sandbox/mcp"
TAGS_CLAIM = "https://aws.amazon.com/tags"
TENANT_SCOPES = (
    "tenants:read",
    "tenants:write",
    "users:read",
    "users:write",
    "audit:read",
    "costs:read",
    "usage:read",
    "cache:read",
    "cache:write",
    "memory:read",
    "memory:write",
    "pricing:read",
)
PROVIDER_SCOPES = (*TENANT_SCOPES, "provider")
LIFETIME_SECONDS = 12 * 3600


class Issuer:
    """Signs tokens for `url`. Every default can be overridden, so that tests can sign what must be refused."""

    def __init__(self, state: State, url: str) -> None:
        self.url = url
        self.audience = AUDIENCE
        self.keys = Keys(state)

    @property
    def jwks_url(self) -> str:
        """Where the public keys are."""
        return f"{self.url}/jwks.json"

    def token(
        self,
        tenant: str | None = None,
        tier: str | None = None,
        scopes: Sequence[str] | None = None,
        *,
        subject: str | None = None,
        actor: str | None = None,
        lifetime_seconds: float = LIFETIME_SECONDS,
        issued_at: float | None = None,
        audience: str | Sequence[str] | None = None,
        issuer: str | None = None,
        algorithm: str = "RS256",
        key: SigningKey | None = None,
        headers: Mapping[str, Any] | None = None,
        claims: Mapping[str, Any] | None = None,
    ) -> str:
        """Sign a token of a tenant's user, or of the provider's staff when no tenant is named.

        `claims` are added last, and one given as None is left out. `algorithm` may also be "none" or "HS256" (with the
        public key as secret), which no server may accept; `key` may be one that was never published.
        """
        now = time.time() if issued_at is None else issued_at
        document: dict[str, Any] = {
            "iss": self.url if issuer is None else issuer,
            "aud": self.audience if audience is None else audience,
            "sub": subject or (f"user@{tenant}" if tenant else "staff@provider"),
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now + lifetime_seconds),
            "jti": secrets.token_hex(8),
            "scope": " ".join(scopes if scopes is not None else TENANT_SCOPES if tenant else PROVIDER_SCOPES),
        }
        if tenant is not None:
            document["custom:tenantId"] = tenant
            tags = {"TenantId": [tenant]}
            if tier is not None:
                document["custom:tenantTier"] = tier
                tags["TenantTier"] = [tier]
            document[TAGS_CLAIM] = {"principal_tags": tags, "transitive_tag_keys": ["TenantId"]}
        if actor is not None:
            document["act"] = {"sub": actor}
        document |= claims or {}
        present = {name: value for name, value in document.items() if value is not None}
        return self.sign(present, algorithm=algorithm, key=key, headers=headers)

    def sign(
        self, claims: Mapping[str, Any], *, algorithm: str = "RS256", key: SigningKey | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> str:  # fmt: skip
        """Sign any claims."""
        signer = key or self.keys.current(algorithm if algorithm in ("RS256", "ES256") else "RS256")
        header = {"kid": signer.kid, "typ": "at+jwt", **(headers or {})}
        if algorithm in ("none", "HS256"):
            return _unsound(claims, algorithm, signer, header)
        return jwt.encode(dict(claims), signer.private(), algorithm=signer.algorithm, headers=header)

    def verified(self, token: str) -> dict[str, Any]:
        """Return the claims of a token that this issuer signed.

        Raises:
            jwt.PyJWTError: It is not one, or not now.
        """
        kid = jwt.get_unverified_header(token).get("kid")
        for key in self.keys.all():
            if key.kid == kid:
                return jwt.decode(token, key.public_pem(), [key.algorithm], audience=self.audience, issuer=self.url)
        raise jwt.InvalidKeyError("unknown key")


def _unsound(claims: Mapping[str, Any], algorithm: str, signer: SigningKey, header: Mapping[str, Any]) -> str:
    """Return what an attacker would send: unsigned, or signed with the public key as if it were a shared secret."""
    parts = [json.dumps({**header, "alg": algorithm}).encode(), json.dumps(dict(claims)).encode()]
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = b"" if algorithm == "none" else hmac.digest(signer.public_pem(), signed, hashlib.sha256)
    return (signed + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()
