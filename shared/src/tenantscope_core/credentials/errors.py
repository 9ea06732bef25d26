"""AWS failures: the code is kept for those who handle it, AWS's own text goes no further than the log."""

import logging
import uuid
from enum import StrEnum

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

from tenantscope_core.results.errors import Internal, NotPermitted, ToolFailure, Unavailable

logger = logging.getLogger(__name__)

THROTTLED_RETRY_SECONDS = 2.0
UNREACHABLE_RETRY_SECONDS = 5.0

_THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_TRANSIENT = frozenset(
    {
        "IDPCommunicationError",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "InternalServerException",
        "PriorRequestNotComplete",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "TransactionInProgressException",
    }
)
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized", "Forbidden"})
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException"})


class Fault(StrEnum):
    """What kind of failure it is, whatever the service calls it."""

    THROTTLED = "throttled"
    UNREACHABLE = "unreachable"  # no connection, no answer in time, or a 5xx
    DENIED = "denied"
    EXPIRED = "expired"  # the credentials of the call
    OTHER = "other"


class AwsError(Exception):
    """An AWS operation failed; `code` is AWS's (`NoSuchKey`, `ConditionalCheckFailedException`, …) or one of ours.

    Ours are `Timeout`, `Unreachable`, `BodyTooLarge` and `InvalidParameters`. `http_status` is None where there was no
    answer. `reasons` are the codes of a DynamoDB transaction's parts, in their order, where it was cancelled. The text
    of this exception holds no message of AWS, so it can be logged anywhere.
    """

    def __init__(
        self,
        code: str,
        operation: str,
        fault: Fault = Fault.OTHER,
        *,
        http_status: int | None = None,
        reasons: tuple[str, ...] = (),
    ) -> None:
        super().__init__(f"{operation}: {code}")
        self.code = code
        self.operation = operation
        self.fault = fault
        self.http_status = http_status
        self.reasons = reasons

    @property
    def retryable(self) -> bool:
        """Whether the same call may work a little later."""
        return self.fault in (Fault.THROTTLED, Fault.UNREACHABLE)

    @property
    def retry_after_seconds(self) -> float | None:
        """When to try again, None where that would not help."""
        if self.fault is Fault.THROTTLED:
            return THROTTLED_RETRY_SECONDS
        return UNREACHABLE_RETRY_SECONDS if self.fault is Fault.UNREACHABLE else None

    def as_failure(self, *, retry_after_seconds: float | None = None, reference: str | None = None) -> ToolFailure:
        """What a caller may read of it.

        Args:
            retry_after_seconds: A better known time than this error's own.
            reference: Where the log tells more of a fault of ours; without one, it is made and logged here.
        """
        if self.retryable or self.fault is Fault.EXPIRED:
            wait = self.retry_after_seconds if retry_after_seconds is None else retry_after_seconds
            sentence = (
                "AWS is limiting this kind of request at the moment; try again shortly."
                if self.fault is Fault.THROTTLED
                else "An AWS service that this answer needs did not answer in time; try again shortly."
            )
            return Unavailable(sentence, retry_after_seconds=wait or UNREACHABLE_RETRY_SECONDS)
        if self.fault is Fault.DENIED:
            return NotPermitted(
                "The AWS role of this caller does not allow what this call needs; whoever operates the server has to "
                "grant it."
            )
        if reference is None:
            reference = uuid.uuid4().hex[:12]
            logger.error("AWS operation failed: %s (reference %s)", self, reference)
        return Internal(reference)


def aws_error(error: BotoCoreError | ClientError, operation: str) -> AwsError:
    """Our error for one that botocore raised."""
    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code") or "Unknown")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        reasons = tuple(str(each.get("Code", "")) for each in error.response.get("CancellationReasons", []))
        return AwsError(code, operation, _fault(code, status), http_status=status, reasons=reasons)
    if isinstance(error, exceptions.ReadTimeoutError | exceptions.ConnectTimeoutError):
        return AwsError("Timeout", operation, Fault.UNREACHABLE)
    if isinstance(error, exceptions.ConnectionError | exceptions.HTTPClientError):
        return AwsError("Unreachable", operation, Fault.UNREACHABLE)
    if isinstance(error, exceptions.IncompleteReadError | exceptions.CredentialRetrievalError):
        return AwsError("Unreachable", operation, Fault.UNREACHABLE)
    if isinstance(error, exceptions.ParamValidationError):
        return AwsError("InvalidParameters", operation)
    return AwsError(type(error).__name__, operation)


def _fault(code: str, status: int | None) -> Fault:
    if code in _THROTTLED or status == 429:
        return Fault.THROTTLED
    if code in _TRANSIENT or (status is not None and status >= 500):
        return Fault.UNREACHABLE
    if code in _DENIED or (code == "403" and status == 403):  # HEAD requests have no body to carry a code
        return Fault.DENIED
    return Fault.EXPIRED if code in _EXPIRED else Fault.OTHER
