"""How texts of different lengths are put together so that little is computed on padding."""

from collections.abc import Sequence

MAX_TOKENS = 2_048
"""Of one batch, padding included: what bounds the time for which others wait, about 0.3 s on one core."""
MAX_TEXTS = 64
_SLACK_TOKENS = 8
_LONGEST_TO_SHORTEST = 1.5


def batches(lengths: Sequence[int]) -> list[list[int]]:
    """Indices of texts of these lengths in tokens, in batches of similar length, the short ones first.

    A batch is at most MAX_TEXTS texts and, once padded to its longest, MAX_TOKENS tokens (a longer text goes alone).
    """
    found: list[list[int]] = []
    shortest = 0
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        length = lengths[index]
        fits = (
            bool(found)
            and len(found[-1]) < MAX_TEXTS
            and (len(found[-1]) + 1) * length <= MAX_TOKENS
            and length <= _LONGEST_TO_SHORTEST * shortest + _SLACK_TOKENS
        )
        if not fits:
            found.append([])
            shortest = length
        found[-1].append(index)
    return found
