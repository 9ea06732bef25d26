"""Role session names and source identities: what CloudTrail shows of who was behind a session."""

import hashlib
import re

MAX_NAME_CHARS = 64
_MIN_NAME_CHARS = 2
_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9+=,.@_-]")
_DIGEST_CHARS = 16


def source_identity(who: str) -> str:
    """`who` as STS takes it for a SourceIdentity.

    Kept as it is where it can be; where a character or the length has to give, a digest of the original follows, so
    that two people never share a name in the audit trail. `=` stands before a digest and nowhere else.
    """
    return _named(who)


def role_session_name(server: str, who: str) -> str:
    """The session name `<server>@<who>`, under the same rule."""
    return _named(f"{server}@{who}")


def _named(text: str) -> str:
    clean = _NOT_ALLOWED.sub("-", text).replace("=", "-")
    if clean == text and _MIN_NAME_CHARS <= len(text) <= MAX_NAME_CHARS:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARS]
    return f"{clean[: MAX_NAME_CHARS - _DIGEST_CHARS - 1]}={digest}"
