"""What the savings assume, each figure with the page on which to check it; nothing else in them is assumed.

Prices and discounts are those that AWS offers publicly in us-east-1 as we knew them in spring 2026, rounded down; they
change, and yours may be others. Where a bill itself tells a price, that one is taken.
"""

from dataclasses import dataclass
from decimal import Decimal

WORKING_HOURS, HOURS_A_WEEK = Decimal(60), Decimal(168)
"""What staging is needed for: twelve hours on five days of a week."""

ONE_SIZE_DOWN = Decimal("0.5")
"""AWS prices an instance of the next smaller size at half: m7g.xlarge 0.1632, m7g.large 0.0816 dollars an hour."""

INFREQUENT_PRICE = Decimal("0.0125") / Decimal("0.023")
"""S3 Standard-IA over S3 Standard, a GB and month: aws.amazon.com/s3/pricing."""

READING_PRICE = Decimal("0.01") / Decimal("0.023")
"""Reading a GB from S3 Standard-IA over a month of it in S3 Standard: aws.amazon.com/s3/pricing."""

RARELY_READ = Decimal("0.1")
"""The most of what is stored that is served in a month, for it to be called rarely read."""

LESS_USE = Decimal("0.1")
"""By how much use may stay below the steady base in the cautious figure of a new commitment."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a commitment saves on a service: parts of its name and unit in small letters, and discounts on its price.

    `discount` is for one year without upfront payment, `most` the best that is sold.
    """

    name: str
    service: str
    unit: str
    discount: Decimal
    most: Decimal


_COMPUTE = "Compute Savings Plan"
_DATABASE = "Database Savings Plan or reserved instances"

PLANS = (
    # Compute Savings Plans of one year and of three, no upfront: aws.amazon.com/savingsplans/compute-pricing
    Plan(_COMPUTE, "elastic compute cloud", "h", Decimal("0.27"), Decimal("0.50")),
    Plan(_COMPUTE, "elastic container service", "h", Decimal("0.20"), Decimal("0.45")),
    Plan(_COMPUTE, "elastic kubernetes service", "vcpu", Decimal("0.20"), Decimal("0.45")),
    Plan(_COMPUTE, "lambda", "second", Decimal("0.12"), Decimal("0.17")),
    # Database Savings Plans, sold for one year since 2 December 2025: aws.amazon.com/savingsplans/database-pricing.
    # They leave out older generations of instances, for which reservations save at least as much.
    Plan(_DATABASE, "relational database service", "acu", Decimal("0.35"), Decimal("0.35")),
    Plan(_DATABASE, "relational database service", "h", Decimal("0.20"), Decimal("0.20")),
    Plan(_DATABASE, "elasticache", "h", Decimal("0.20"), Decimal("0.20")),
    Plan(_DATABASE, "dynamodb", "requestunit", Decimal("0.18"), Decimal("0.18")),
    # Reserved instances of one year and of three, no upfront: aws.amazon.com/opensearch-service/pricing
    Plan("OpenSearch reserved instances", "opensearch", "h", Decimal("0.31"), Decimal("0.48")),
)


def plan_for(service: str, unit: str) -> Plan | None:
    """The commitment that is sold for a service's unit; the first in order."""
    name, of = service.lower(), unit.lower()
    return next((plan for plan in PLANS if plan.service in name and plan.unit in of), None)


NOT_PRODUCTION = frozenset(
    {"staging", "stage", "dev", "development", "test", "testing", "qa", "uat", "sandbox", "preprod", "demo", "preview"}
)
"""Environments, in small letters, that nobody needs at night."""

STOPPABLE = ("elastic compute cloud", "elastic container service", "elastic kubernetes service", "relational database")
"""Parts of the names of services whose resources can be stopped and started; others are made anew."""

SAID_IDLE = ("idle", "unattached")
"""Parts of descriptions, in small letters, by which a bill itself says that something is attached to nothing."""
