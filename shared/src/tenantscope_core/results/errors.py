"""Failures that a caller may read: one shape, a code, a sentence and a remedy."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Action(StrEnum):
    """What the caller can do about a failure."""

    RETRY_AFTER = "retry_after"  # the same call will work later
    CHANGE = "change"  # another argument, token or period
    ASK = "ask"  # a person has to grant or repair something
    GIVE_UP = "give_up"  # nothing the caller does will help


@dataclass(frozen=True, slots=True)
class Remedy:
    """The way out: an action and, for a retry, how many seconds to wait."""

    action: Action
    retry_after_seconds: float | None = None


class ToolFailure(Exception):
    """A failure whose text we wrote, and the only exception whose text reaches a model.

    `code` is stable and machine-readable, `sentence` tells the model what happened and what to do, `parameter`
    names the argument at fault. Never put an ARN, an account id, SQL or another system's message into `sentence`.
    """

    code = "failed"
    action = Action.GIVE_UP

    def __init__(
        self, sentence: str, *, parameter: str | None = None, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.parameter = parameter
        self.remedy = Remedy(self.action, retry_after_seconds)

    def as_fields(self) -> dict[str, Any]:
        """The machine-readable form: code, action, and where they apply retry_after_seconds and parameter."""
        fields: dict[str, Any] = {"code": self.code, "action": self.remedy.action.value}
        if self.remedy.retry_after_seconds is not None:
            fields["retry_after_seconds"] = round(self.remedy.retry_after_seconds, 3)
        if self.parameter is not None:
            fields["parameter"] = self.parameter
        return fields


class InvalidArgument(ToolFailure):
    """An argument is missing, unknown, of the wrong form, or impossible together with another."""

    code = "invalid_argument"
    action = Action.CHANGE


class InvalidCursor(ToolFailure):
    """A cursor that this server did not give to this caller for this question."""

    code = "invalid_cursor"
    action = Action.CHANGE

    def __init__(self) -> None:
        super().__init__(
            "The cursor does not belong to this question and caller; leave it out to start from the first page.",
            parameter="cursor",
        )


class NotFound(ToolFailure):
    """What was asked for does not exist, or not for this caller."""

    code = "not_found"
    action = Action.CHANGE


class Conflict(ToolFailure):
    """Somebody else changed it first; read it again and decide anew."""

    code = "conflict"
    action = Action.CHANGE


class NotAuthenticated(ToolFailure):
    """No token, or one that does not verify."""

    code = "not_authenticated"
    action = Action.ASK


class NotPermitted(ToolFailure):
    """The caller is known, and may not do this."""

    code = "not_permitted"
    action = Action.ASK


class InsufficientScope(NotPermitted):
    """The token lacks scopes; `required` lists every scope that the tool needs."""

    code = "insufficient_scope"

    def __init__(self, sentence: str, required: Sequence[str]) -> None:
        super().__init__(sentence)
        self.required = tuple(required)

    def as_fields(self) -> dict[str, Any]:
        """The common fields, and the scopes required."""
        return {**super().as_fields(), "required_scopes": list(self.required)}


class TenantSuspended(NotPermitted):
    """The registry says that this tenant is switched off."""

    code = "tenant_suspended"


class TenantNotRegistered(NotPermitted):
    """The registry does not know this tenant."""

    code = "tenant_not_registered"


class RateLimited(ToolFailure):
    """The tenant has used up its rate or its concurrent calls for now."""

    code = "rate_limited"
    action = Action.RETRY_AFTER


class Unavailable(ToolFailure):
    """Something this answer needs is down or slow; the same call works later."""

    code = "unavailable"
    action = Action.RETRY_AFTER

    def __init__(self, sentence: str, *, retry_after_seconds: float = 5.0) -> None:
        super().__init__(sentence, retry_after_seconds=retry_after_seconds)


class DataFault(ToolFailure):
    """Stored data is damaged; the sentence names the dataset and period."""

    code = "data_fault"
    action = Action.ASK


class NotSetUp(ToolFailure):
    """A store lacks what the server keeps there; its operator has a step left to do, which the sentence names."""

    code = "not_set_up"
    action = Action.ASK


class Internal(ToolFailure):
    """A fault of ours; the reference finds it in the server's log."""

    code = "internal_error"
    action = Action.ASK

    def __init__(self, reference: str) -> None:
        super().__init__(f"The server failed on this call. The fault is logged under reference {reference}.")
