"""Whose memory a call is about: the actor that it names, or its own."""

import re
from typing import Final

from tenantscope_core.results.errors import InvalidArgument, NotPermitted

SHARED: Final = ""
"""Stands for the actor of what all actors of a tenant share."""
ACTOR_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._:@|+=/-]{0,127}$"

_ACTOR = re.compile(ACTOR_PATTERN.removesuffix("$") + r"\Z")


def actor_of(named: str | None, *, subject: str, pinned: bool) -> str:
    """The actor of a call: the one it names, or the subject of its token, which it has to be where actors are pinned.

    Raises:
        InvalidArgument: None is named and the token's subject cannot be one.
        NotPermitted: Another is named than the one that calls are pinned to.
    """
    if pinned and named is not None and named != subject:
        raise NotPermitted("Each caller has its own memory here: leave actor out, or name the token's subject.")
    actor = subject if named is None else named
    if _ACTOR.match(actor) is None:
        raise InvalidArgument("The token's subject cannot name an actor; name one in actor.", parameter="actor")
    return actor
