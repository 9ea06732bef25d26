"""The issuer's endpoints: discovery, keys, and tokens by three grants.

- `client_credentials`: a machine token, which has no tenant.
- `urn:tenantscope:sandbox:login` with `user`: a user of users.json signs in; no password, this is a sandbox.
- `urn:ietf:params:oauth:grant-type:token-exchange` (RFC 8693): a user's token for a narrower one, with its `actor`.
"""

import hmac
import sys
from pathlib import Path
from typing import Any

import jwt
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tenantscope_sandbox.state import State

from .issuer import LIFETIME_SECONDS, PROVIDER_SCOPES, TENANT_SCOPES, Issuer
from .users import CLIENT_ID, find_user

LOGIN = "urn:tenantscope:sandbox:login"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


class OAuthError(Exception):
    """An error of RFC 6749, section 5.2."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error


def application(state: State, url: str) -> Starlette:
    """Return the issuer's ASGI application."""
    issuer = Issuer(state, url)

    async def metadata(request: Request) -> JSONResponse:
        return JSONResponse(
            {
                "issuer": url,
                "jwks_uri": issuer.jwks_url,
                "token_endpoint": f"{url}/oauth2/token",
                "grant_types_supported": ["client_credentials", EXCHANGE, LOGIN],
                "response_types_supported": [],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256", "ES256"],
                "token_endpoint_auth_methods_supported": ["client_secret_post", "none"],
                "scopes_supported": list(PROVIDER_SCOPES),
            }
        )

    async def jwks(request: Request) -> JSONResponse:
        return JSONResponse(issuer.keys.jwks(), headers={"cache-control": "max-age=30"})

    async def token(request: Request) -> JSONResponse:
        form = {key: str(value) for key, value in (await request.form()).items()}
        grants = {"client_credentials": _machine, LOGIN: _login, EXCHANGE: _exchange}
        try:
            grant = grants.get(form.get("grant_type", ""))
            if grant is None:
                raise OAuthError("unsupported_grant_type", f"Use one of {', '.join(grants)}.")
            answer = grant(state, issuer, form)
        except OAuthError as error:
            document = {"error": error.error, "error_description": str(error)}
            return JSONResponse(document, 401 if error.error == "invalid_client" else 400)
        document = {"token_type": "Bearer", "expires_in": LIFETIME_SECONDS, **answer}
        return JSONResponse(document, headers={"cache-control": "no-store"})

    return Starlette(routes=[
        Route("/.well-known/openid-configuration", metadata),
        Route("/.well-known/oauth-authorization-server", metadata),
        Route("/jwks.json", jwks),
        Route("/oauth2/token", token, methods=["POST"]),
    ])  # fmt: skip


def _machine(state: State, issuer: Issuer, form: dict[str, str]) -> dict[str, Any]:
    expected = state.secret(f"client-{CLIENT_ID}")
    if form.get("client_id") != CLIENT_ID or not hmac.compare_digest(form.get("client_secret", ""), expected):
        raise OAuthError("invalid_client", "Unknown client or wrong secret.")
    scopes = _narrowed(form.get("scope"), list(TENANT_SCOPES))
    claims = {"client_id": CLIENT_ID}
    return {"access_token": issuer.token(scopes=scopes, subject=CLIENT_ID, claims=claims), "scope": " ".join(scopes)}


def _login(state: State, issuer: Issuer, form: dict[str, str]) -> dict[str, Any]:
    user = find_user(state, form.get("user", ""))
    if user is None:
        raise OAuthError("invalid_grant", "No such user in users.json.")
    scopes = _narrowed(form.get("scope"), list(PROVIDER_SCOPES if user.tenant is None else TENANT_SCOPES))
    signed = issuer.token(user.tenant, user.tier, scopes, subject=user.name)
    return {"access_token": signed, "scope": " ".join(scopes)}


def _exchange(state: State, issuer: Issuer, form: dict[str, str]) -> dict[str, Any]:
    try:
        subject = issuer.verified(form.get("subject_token", ""))
    except jwt.PyJWTError as error:
        raise OAuthError("invalid_grant", f"The subject token was refused: {error}") from error
    scopes = _narrowed(form.get("scope"), str(subject.get("scope", "")).split())
    signed = issuer.token(
        subject.get("custom:tenantId"), subject.get("custom:tenantTier"), scopes,
        subject=subject["sub"], actor=form.get("actor") or CLIENT_ID,
    )  # fmt: skip
    return {"access_token": signed, "scope": " ".join(scopes), "issued_token_type": ACCESS_TOKEN}


def _narrowed(asked: str | None, granted: list[str]) -> list[str]:
    wanted = granted if asked is None else asked.split()
    if beyond := [scope for scope in wanted if scope not in granted]:
        raise OAuthError("invalid_scope", f"Not granted: {' '.join(beyond)}.")
    return wanted


if __name__ == "__main__":
    root, port = Path(sys.argv[1]), int(sys.argv[2])
    app = application(State(root), f"http://127.0.0.1:{port}")
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)
