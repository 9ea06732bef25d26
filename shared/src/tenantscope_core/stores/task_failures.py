"""The failure that a task group's caller is told."""

from typing import cast


def first_of(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first single failure in a group: the others ended because of it."""
    first = failures.exceptions[0]
    if not isinstance(first, BaseExceptionGroup):
        return first
    return first_of(cast("BaseExceptionGroup[BaseException]", first))
