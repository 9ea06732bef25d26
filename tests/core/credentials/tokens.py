"""Tokens as an issuer makes them for STS; nobody here looks at their signature."""

from typing import Any

import jwt

TAGS = "https://aws.amazon.com/tags"
_KEY = "only-for-the-looks-of-a-signed-token"


def token(tenant: str = "acme", holder: str = "ann", **claims: Any) -> str:
    """A token whose AWS tags name a tenant; claims are added last."""
    return token_with({TAGS: {"principal_tags": {"TenantId": [tenant]}}}, sub=holder, **claims)


def token_with(tags: dict[str, Any], **claims: Any) -> str:
    """A token with these claims about tags and no others."""
    return jwt.encode({**tags, **claims}, _KEY, algorithm="HS256")
