"""Names that callers give: exact ones, and what may have been meant by one that does not exist."""

import difflib
import re
from collections.abc import Sequence

from tenantscope_core.results.errors import InvalidArgument

MOST = 5


def exact(value: str, *, parameter: str) -> str:
    """The value itself, which has to be one name and no pattern.

    Raises:
        InvalidArgument: It holds a wildcard.
    """
    if "*" in value or "%" in value:
        raise InvalidArgument(f"{parameter} is one exact value; wildcards are not understood.", parameter=parameter)
    return value


def nearest(asked: str, known: Sequence[str]) -> list[str]:
    """Known names by a part of the name, by its initials (`RDS`; `S3` and `EC2` as SSS and ECC), or by spelling."""
    wanted = asked.casefold()
    initials = re.sub(r"(\D)([2-9])", lambda match: match[1] * int(match[2]), wanted)
    folded = {name.casefold(): name for name in known}
    found = [name for name in known if wanted in name.casefold()]
    found += [name for name in known if initials in "".join(word[0] for word in name.casefold().split())]
    found += [folded[name] for name in difflib.get_close_matches(wanted, folded, n=MOST, cutoff=0.6)]
    return list(dict.fromkeys(found))[:MOST]


def hint(asked: str, known: Sequence[str]) -> str:
    """The end of a sentence about a name that does not exist."""
    near = nearest(asked, known)
    if not near:
        return "nothing is spelt like it; leave the filter out to see what there is"
    return "the nearest are " + ", ".join(repr(one) for one in near)
