"""The names that a person may have meant by one that does not exist."""

import difflib
import re
from collections.abc import Sequence

MOST = 5


def nearest(asked: str, known: Sequence[str]) -> list[str]:
    """Known names by a part of the name, by its initials (`RDS`; `S3` and `EC2` as SSS and ECC), or by spelling."""
    wanted = asked.casefold()
    initials = re.sub(r"(\D)([2-9])", lambda match: match[1] * int(match[2]), wanted)
    folded = {name.casefold(): name for name in known}
    found = [name for name in known if wanted in name.casefold()]
    found += [name for name in known if initials in "".join(word[0] for word in name.casefold().split())]
    found += [folded[name] for name in difflib.get_close_matches(wanted, folded, n=MOST, cutoff=0.6)]
    return list(dict.fromkeys(found))[:MOST]
