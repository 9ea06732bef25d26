"""Role session names and source identities: what CloudTrail shows of who was behind a session."""

import hashlib
import re
from enum import StrEnum

MAX_NAME_CHARS = 64
_MIN_NAME_CHARS = 2
_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9+,.@_-]")
_DIGEST_CHARS = 16


class Kind(StrEnum):
    """Whose name it is, as the mark before it: no tenant id holds `=`, so no subject passes for a tenant."""

    TENANT = ""
    USER = "user="
    STAFF = "staff="


def source_identity(who: str, kind: Kind = Kind.TENANT) -> str:
    """`who` as STS takes it for a SourceIdentity.

    Kept as it is where it can be; where a character or the length has to give, `=` and a digest of the original
    follow, so that two people never share a name in the audit trail.
    """
    return _named(who, kind)


def role_session_name(server: str, who: str, kind: Kind = Kind.TENANT) -> str:
    """The session name `<server>@<who>`, under the same rule."""
    return _named(f"{server}@{who}", kind)


def _named(text: str, kind: Kind) -> str:
    clean = _NOT_ALLOWED.sub("-", text)
    name = f"{kind}{clean}"
    if clean == text and _MIN_NAME_CHARS <= len(name) <= MAX_NAME_CHARS:
        return name
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARS]
    return f"{name[: MAX_NAME_CHARS - _DIGEST_CHARS - 1]}={digest}"
