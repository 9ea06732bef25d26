"""What a caller's token tells STS about its tenant: the session tags that the issuer put into it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_adding-assume-role-idp
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

TAGS_CLAIM = "https://aws.amazon.com/tags"
_FLAT_PREFIX = f"{TAGS_CLAIM}/principal_tags/"


def asserted_values(token: str, tag: str) -> set[str]:
    """Every value that a token asserts for a session tag: none, one, or several that contradict each other.

    The token has been verified before and will be by STS, so its signature is not looked at here.

    Raises:
        ValueError: It is no JWT.
    """
    import jwt

    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        raise ValueError("not a JWT") from None
    wanted = tag.casefold()  # IAM's tag keys are not case-sensitive
    return {value for key, values in _tags(claims) if key.casefold() == wanted for value in _texts(values)}


def _tags(claims: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """The tags in both forms: one claim that holds them all, and a claim for each."""
    yield from _object(_object(claims.get(TAGS_CLAIM)).get("principal_tags")).items()
    for name, value in claims.items():
        if name.startswith(_FLAT_PREFIX):
            yield name.removeprefix(_FLAT_PREFIX), value


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _texts(value: object) -> list[str]:
    values = cast("list[object]", value) if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str)]
