"""What Cost Explorer refuses, in our words and with the way out."""

from tenantscope_core.credentials.errors import AwsError, Fault
from tenantscope_core.results.errors import InvalidArgument, NotFound, NotPermitted, NotSetUp, ToolFailure, Unavailable

_PERIOD = (
    "AWS Cost Explorer does not keep this period: it has 13 months before this one, or 38 by month where multi-year "
    "data is on. Ask for a later one."
)


def failure_of(error: AwsError) -> ToolFailure:
    """The failure that a caller reads."""
    match error.code:
        case "BillExpirationException":
            return InvalidArgument(_PERIOD, parameter="period")
        case "ValidationException":
            return InvalidArgument(
                "AWS Cost Explorer does not take this question. It keeps 13 months before this one (38 by month where "
                "multi-year data is on); ask for a later period, or without filters.",
                parameter="period",
            )
        case "DataUnavailableException":
            return NotFound(
                "AWS Cost Explorer has no data for this yet: after it is enabled, its first takes a day. Ask for an "
                "earlier period, or tomorrow.",
                parameter="period",
            )
        case "RequestChangedException" | "InvalidNextTokenException":
            return Unavailable("AWS renewed the costs while they were read; ask again.", retry_after_seconds=2.0)
        case "ResourceNotFoundException":
            return NotSetUp("The billing view that this server is set to use does not exist; its operator has to look.")
        case "BillingViewHealthStatusException":
            return Unavailable("The billing view of this question is being made anew by AWS.", retry_after_seconds=600)
        case "LimitExceededException":
            return Unavailable(
                "AWS limits how often Cost Explorer is asked; try again shortly.", retry_after_seconds=30.0
            )
        case _ if error.fault is Fault.DENIED:
            return NotPermitted(
                "AWS refuses the role of this call AWS Cost Explorer. Whoever operates the server has to allow it "
                "ce:GetCostAndUsage and billing:GetBillingViewData on the billing view, and IAM access to billing in "
                "the account's settings."
            )
        case _:
            return error.as_failure()
