"""Reads files that a company owns, such as its rules and prices, for jobs."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tenantscope_core.results.documents import DocumentFault
from tenantscope_core.results.errors import InvalidArgument

T = TypeVar("T")


def read_owned(path: Path, parse: Callable[[str], T], *, what: str) -> T:
    """What `parse` makes of a file; `what` names it, such as `The price book`.

    Raises:
        InvalidArgument: It cannot be read, or is not valid.
    """
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise InvalidArgument(f"{what} at {path} cannot be read.") from None
    except DocumentFault as fault:
        raise InvalidArgument(f"{path}: {fault}") from None
