"""Verifies a JWT: algorithm, key, signature, issuer, audience, times; then maps its claims to a caller."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from tenantscope_core.identity.caller import Caller
from tenantscope_core.identity.claims import ClaimMap
from tenantscope_core.identity.keys import KeySet
from tenantscope_core.identity.refusal import Reason, TokenRefused
from tenantscope_core.identity.verified import Verified, VerifiedTokens

if TYPE_CHECKING:
    import jwt

ASYMMETRIC_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"})
LEEWAY_SECONDS = 10
"""How far ahead of ours the clock may be that says when a token begins; its end is its end."""
_END_OF_TIME = 253_402_300_800  # the year 10000
_MAX_TOKEN_CHARS = 20_000  # what STS takes for a web identity


@dataclass(frozen=True, slots=True)
class Identity:
    """A verified caller with the token that proves it; the token goes nowhere but to STS."""

    caller: Caller
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What a token must say; `client_ids` stand in where a token has no audience (Cognito access tokens)."""

    issuer: str
    audiences: frozenset[str]
    client_ids: frozenset[str] = frozenset()
    algorithms: frozenset[str] = frozenset({"RS256", "ES256", "EdDSA"})

    def __post_init__(self) -> None:
        if not self.audiences and not self.client_ids:
            raise ValueError("a server needs an audience, or client ids for tokens without one")
        if not self.algorithms or not self.algorithms <= ASYMMETRIC_ALGORITHMS:
            raise ValueError(f"algorithms must be among {', '.join(sorted(ASYMMETRIC_ALGORITHMS))}")


class Verifier:
    """The one way from a token to a caller, the same for every transport.

    A token that was verified before is not taken apart again while the key that verified it is still the one that the
    issuer lists under that name; its times are looked at for every call.
    """

    def __init__(self, rules: TokenRules, claims: ClaimMap, keys: KeySet, *, clock: Callable[[], datetime]) -> None:
        self._rules = rules
        self._claims = claims
        self._keys = keys
        self._clock = clock
        self._remembered = VerifiedTokens()

    async def identify(self, token: str | None) -> Identity:
        """Who holds this token.

        Raises:
            TokenRefused: It does not verify; the reason is one of `Reason`.
            CallerRefused: It verifies and names no usable caller.
            Unavailable: Its key is not known here and the issuer cannot be asked.
        """
        if not token:
            raise TokenRefused(Reason.MISSING, "There is no token: this server needs a bearer token for every call.")
        if len(token) > _MAX_TOKEN_CHARS:
            raise TokenRefused(Reason.MALFORMED, "The token is too long to be one.")
        known = self._remembered.get(token)
        if known is None or await self._keys.find(known.key_id) is not known.key:
            known = await self._verify(token)
        self._check_times(known.begins, known.expires)
        return Identity(known.caller, token)

    async def _verify(self, token: str) -> Verified:
        """The token taken apart, and remembered when nothing is wrong with it."""
        import jwt

        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            raise TokenRefused(Reason.MALFORMED, "The token is not a JWT.") from None
        algorithm, named = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in self._rules.algorithms:
            raise TokenRefused(
                Reason.ALGORITHM,
                f"The token is signed with an algorithm that this server does not accept; "
                f"it accepts {', '.join(sorted(self._rules.algorithms))}.",
            )
        key_id = named if isinstance(named, str) else None
        key = await self._keys.find(key_id)
        if key is None:
            raise TokenRefused(
                Reason.UNKNOWN_KEY, "The token is signed with a key that the issuer does not list; get a new token."
            )
        claims = self._decode(token, key, algorithm)
        begins, expires = _times(claims)
        self._check_times(begins, expires)
        self._check_audience(claims)
        verified = Verified(self._claims.caller(claims), key_id, key, begins, expires)
        self._remembered.keep(token, verified)
        return verified

    def _decode(self, token: str, key: "jwt.PyJWK", algorithm: str) -> dict[str, Any]:
        import jwt

        checks = {"require": ["exp", "iss", "sub"], "verify_aud": False, "verify_exp": False, "verify_nbf": False}
        try:
            return jwt.decode(
                token,
                key.key,  # not the PyJWK: its own algorithm would win over the pinned one
                algorithms=[algorithm],
                issuer=self._rules.issuer,
                options={**checks, "verify_iat": False},  # pyright: ignore[reportArgumentType]
            )
        except jwt.InvalidIssuerError:
            raise TokenRefused(Reason.ISSUER, "The token comes from another issuer than this server trusts.") from None
        except jwt.MissingRequiredClaimError as error:
            raise TokenRefused(Reason.CLAIM, f"The token lacks the claim {error.claim!r}.") from None
        except jwt.InvalidSignatureError:
            raise TokenRefused(Reason.SIGNATURE, "The token's signature is not the issuer's.") from None
        except (jwt.InvalidTokenError, jwt.InvalidKeyError, TypeError, ValueError):
            # A key of another kind than the algorithm ends here too.
            raise TokenRefused(Reason.MALFORMED, "The token cannot be read.") from None

    def _check_times(self, begins: float, expires: float) -> None:
        now = self._clock().timestamp()
        if expires <= now:
            raise TokenRefused(Reason.EXPIRED, "The token has expired; get a new one.")
        if begins > now + LEEWAY_SECONDS:
            raise TokenRefused(Reason.NOT_YET_VALID, "The token is not valid yet; check the clocks.")

    def _check_audience(self, claims: dict[str, Any]) -> None:
        if claims.get("token_use", "access") != "access":
            raise TokenRefused(Reason.TOKEN_USE, "This is an ID token; call with an access token.")
        audience = claims.get("aud")
        if audience is None:
            client = claims.get("client_id")
            if claims.get("token_use") == "access" and isinstance(client, str) and client in self._rules.client_ids:
                return
            raise TokenRefused(
                Reason.AUDIENCE,
                "The token names no audience, and its client is not one that this server was told to accept.",
            )
        named = cast(list[object], audience) if isinstance(audience, list) else [audience]
        if not any(name in self._rules.audiences for name in named if isinstance(name, str)):
            raise TokenRefused(Reason.AUDIENCE, "The token is meant for another audience than this server.")


def _times(claims: dict[str, Any]) -> tuple[float, float]:
    """When a token begins and ends."""
    begins, expires = claims.get("nbf", 0), claims["exp"]
    if not (_is_time(expires) and _is_time(begins)):
        raise TokenRefused(Reason.MALFORMED, "The token's times are not numbers of seconds.")
    return begins, expires


def _is_time(value: object) -> bool:
    """Whether a claim is a NumericDate (RFC 7519) that a calendar has; neither text nor true nor infinity is one."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < _END_OF_TIME
