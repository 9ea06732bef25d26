"""What leaves a call: the answer as compact JSON within bounds, or one shape of refusal."""

import logging
import secrets
from typing import cast

from mcp import types
from pydantic import BaseModel

from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.results.errors import Internal, InvalidArgument, ToolFailure, Unavailable

log = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 25_000
ERROR_FIELDS = "io.tenantscope/error"


def answered(answer: BaseModel) -> tuple[types.CallToolResult, int]:
    """The result of a call that worked, and how many bytes a model has to read of it.

    Raises:
        InvalidArgument: The answer is larger than any host should be sent.
    """
    text = answer.model_dump_json(by_alias=True, exclude_none=True)
    size = len(text.encode())
    if size > MAX_ANSWER_BYTES:
        raise InvalidArgument(
            f"The answer would be {size:,} bytes, and {MAX_ANSWER_BYTES:,} is the most this server sends; "
            "ask for a shorter period, a filter, or a smaller limit."
        )
    structured = answer.model_dump(mode="json", by_alias=True, exclude_none=True)
    return types.CallToolResult(content=[types.TextContent(text=text)], structured_content=structured), size


def refused(failure: ToolFailure) -> types.CallToolResult:
    """The result of a call that failed: a sentence for the model, and the same for machines in `_meta`.

    There is no structured content: clients check it against the tool's output schema even on an error.
    """
    wait = failure.remedy.retry_after_seconds
    text = f"{failure.code}: {failure.sentence}" + ("" if wait is None else f" Retry after {max(1, round(wait))} s.")
    return types.CallToolResult(
        content=[types.TextContent(text=text)], is_error=True, _meta={ERROR_FIELDS: failure.as_fields()}
    )


def as_failure(error: Exception, *, server: str, tool: str) -> ToolFailure:
    """Any exception as a failure that may be read; what we did not write stays in the log, under a reference."""
    error = _only_leaf(error)
    if isinstance(error, ToolFailure):
        return error
    if isinstance(error, AwsError):
        log.warning("server=%s tool=%s %s failed: %s", server, tool, error.operation, error.code)
        return error.as_failure()
    if isinstance(error, TimeoutError):
        return Unavailable("The answer took longer than this server waits for one; asking for less is quicker.")
    reference = secrets.token_hex(6)
    log.error("server=%s tool=%s reference=%s", server, tool, reference, exc_info=error)
    return Internal(reference)


def _only_leaf(error: Exception) -> Exception:
    """The one exception inside a group of one, as task groups raise them."""
    inside: Exception | ExceptionGroup[Exception] = error
    while isinstance(inside, ExceptionGroup):
        leaves = cast(ExceptionGroup[Exception], inside).exceptions
        if len(leaves) != 1:
            return error
        inside = leaves[0]
    return inside
