"""Why a token was refused, in words for a person and a word for a machine."""

from enum import StrEnum

from tenantscope_core.results.errors import NotAuthenticated, NotPermitted


class Reason(StrEnum):
    """Every cause for which a token is refused."""

    MISSING = "token_missing"
    MALFORMED = "token_malformed"
    ALGORITHM = "algorithm_not_allowed"
    UNKNOWN_KEY = "unknown_key"
    SIGNATURE = "bad_signature"
    ISSUER = "wrong_issuer"
    AUDIENCE = "wrong_audience"
    TOKEN_USE = "wrong_token_use"
    EXPIRED = "token_expired"
    NOT_YET_VALID = "token_not_yet_valid"
    CLAIM = "claim_missing"
    TENANT_MISSING = "tenant_missing"
    TENANT_INVALID = "tenant_invalid"
    AMBIGUOUS = "tenant_and_provider"
    TENANT_HEADER = "tenant_header_differs"


class TokenRefused(NotAuthenticated):
    """The token does not prove who is calling; over HTTP this is a 401."""

    def __init__(self, reason: Reason, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


class CallerRefused(NotPermitted):
    """The token is genuine and yet names no usable caller; a new login would not help, so over HTTP this is a 403."""

    def __init__(self, reason: Reason, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason
