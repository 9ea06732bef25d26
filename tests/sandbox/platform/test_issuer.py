"""The identity provider: what it publishes, what it signs, how its keys change."""

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import jwt
import pytest
from tenantscope_sandbox import Sandbox
from tenantscope_sandbox.identity.server import EXCHANGE, LOGIN
from tenantscope_sandbox.identity.users import CLIENT_ID


def fetch(url: str, **form: str) -> dict[str, Any]:
    body = urllib.parse.urlencode(form).encode() if form else None
    with urllib.request.urlopen(url, body, timeout=5) as response:
        return json.load(response)


def verified(sandbox: Sandbox, token: str) -> dict[str, Any]:
    """A token's claims, verified as a server would: by discovery and the published keys."""
    metadata = fetch(f"{sandbox.issuer.url}/.well-known/openid-configuration")
    keys = jwt.PyJWKSet.from_dict(fetch(metadata["jwks_uri"]))
    key = keys[jwt.get_unverified_header(token)["kid"]]
    algorithms = ["RS256", "ES256"]
    return jwt.decode(token, key, algorithms=algorithms, audience=sandbox.audience, issuer=metadata["issuer"])


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_token_verifies_by_the_published_keys_and_carries_its_tenant(bare_sandbox: Sandbox, algorithm: str):
    token = bare_sandbox.issuer.token("acme", "growth", ["costs:read"], actor="agent-7", algorithm=algorithm)
    claims = verified(bare_sandbox, token)
    assert (claims["custom:tenantId"], claims["custom:tenantTier"]) == ("acme", "growth")
    assert (claims["scope"], claims["act"]) == ("costs:read", {"sub": "agent-7"})
    tags = claims["https://aws.amazon.com/tags"]
    assert tags["principal_tags"] == {"TenantId": ["acme"], "TenantTier": ["growth"]}


def test_replaced_keys_stay_published_until_they_are_dropped(bare_sandbox: Sandbox):
    earlier = bare_sandbox.issuer.token("acme")
    bare_sandbox.issuer.keys.rotate()
    later = bare_sandbox.issuer.token("acme")
    assert jwt.get_unverified_header(earlier)["kid"] != jwt.get_unverified_header(later)["kid"]
    verified(bare_sandbox, earlier)
    verified(bare_sandbox, later)
    bare_sandbox.issuer.keys.drop_replaced()
    verified(bare_sandbox, later)
    with pytest.raises(KeyError):
        verified(bare_sandbox, earlier)


def test_claims_can_be_replaced_and_left_out(bare_sandbox: Sandbox):
    token = bare_sandbox.issuer.token("acme", claims={"custom:tenantId": ["acme", "globex"], "aud": None, "x": 1})
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["custom:tenantId"], claims["x"]) == (["acme", "globex"], 1)
    assert "aud" not in claims


def test_each_grant_gives_its_kind_of_token(bare_sandbox: Sandbox):
    endpoint = f"{bare_sandbox.issuer.url}/oauth2/token"
    secret = bare_sandbox.state.secret(f"client-{CLIENT_ID}")
    machine = fetch(endpoint, grant_type="client_credentials", client_id=CLIENT_ID, client_secret=secret)
    assert "custom:tenantId" not in verified(bare_sandbox, machine["access_token"])
    user = fetch(endpoint, grant_type=LOGIN, user="ana@acme")
    assert verified(bare_sandbox, user["access_token"])["custom:tenantId"] == "acme"
    staff = fetch(endpoint, grant_type=LOGIN, user="ops@provider")
    assert "provider" in verified(bare_sandbox, staff["access_token"])["scope"].split()
    exchanged = fetch(
        endpoint, grant_type=EXCHANGE, subject_token=user["access_token"], actor="agent-7", scope="costs:read"
    )
    claims = verified(bare_sandbox, exchanged["access_token"])
    assert (claims["sub"], claims["act"], claims["scope"]) == ("ana@acme", {"sub": "agent-7"}, "costs:read")


@pytest.mark.parametrize(
    "form",
    [
        {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": "wrong"},
        {"grant_type": LOGIN, "user": "nobody"},
        {"grant_type": LOGIN, "user": "ana@acme", "scope": "provider"},
        {"grant_type": EXCHANGE, "subject_token": "garbage"},
        {"grant_type": "password"},
    ],
)
def test_a_grant_without_right_is_refused(bare_sandbox: Sandbox, form: dict[str, str]):
    with pytest.raises(urllib.error.HTTPError) as caught:
        fetch(f"{bare_sandbox.issuer.url}/oauth2/token", **form)
    with caught.value as error:
        assert error.code in (400, 401)
        assert json.load(error)["error"]


def test_cognito_access_tokens_have_a_client_and_no_audience(bare_sandbox: Sandbox):
    tokens = bare_sandbox.cognito_tokens("ops@provider.example", tenant=None, groups=("provider",))
    keys = jwt.PyJWKSet.from_dict(fetch(bare_sandbox.cognito_jwks_url))
    key = keys[jwt.get_unverified_header(tokens["access"])["kid"]]
    claims = jwt.decode(tokens["access"], key, algorithms=["RS256"], issuer=bare_sandbox.cognito_issuer)
    assert (claims["token_use"], claims["client_id"]) == ("access", bare_sandbox.outputs["AppClientId"])
    assert "aud" not in claims
    assert {"tenants:read", "costs:read", "provider"} <= set(claims["scope"].split())
    user = bare_sandbox.cognito_tokens("ana@acme.example", tenant="acme", tier="growth")
    claims = jwt.decode(user["access"], options={"verify_signature": False})
    assert (claims["custom:tenantId"], claims["custom:tenantTier"]) == ("acme", "growth")
    assert "provider" not in claims["scope"].split()
