"""Texts that can leave the process."""


def is_unicode(text: str) -> bool:
    """Whether a text can be encoded: not where half a surrogate pair is in it, as JSON may bring it.

    Not a loop over characters, which holds up every other call for milliseconds where a text is large.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
