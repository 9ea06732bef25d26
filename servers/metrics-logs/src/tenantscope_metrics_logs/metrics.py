"""What the rollup measures: the metrics of `usage`, and the features that stand for what has no name.

`usage` has one row per tenant, day (UTC) and metric, and no row for a day on which the tenant made no request; nor for
a metric that the log does not tell (bytes, users or latency that no line carries).

Quantities of `SUMMED` may be added up over days and tenants. Those of `DISTINCT` and `LATENCY` may not: people who come
on two days are counted on both, and a percentile of percentiles is none. `monthly_users` therefore stands once for a
month, on its first day: the people of the whole month. `users` of `feature_usage` are those of the day likewise, and
its `errors` count what `errors` counts here.

Of the fleet, rows are those of every tenant; the fleet's people are the sum of the tenants', for a user belongs to one.
"""

from collections.abc import Mapping

REQUESTS = "requests"
"""Every request that is counted, whatever its status."""
ERRORS = "errors"
"""Requests that failed on our side: status 500 to 599."""
CLIENT_ERRORS = "client_errors"
"""Requests refused for the caller's sake: status 400 to 499, but for 429."""
THROTTLED = "throttled"
"""Requests refused for coming too fast: status 429."""
BYTES = "bytes"
"""Bytes sent in answer."""
REQUEST_MS = "request_ms"
"""The time that all requests took together, in milliseconds."""
USERS = "users"
"""Different people who made requests on the day, where the log says who did."""
MONTHLY_USERS = "monthly_users"
"""Different people who made requests in the month, on its first day."""
P50_MS = "p50_ms"
"""Median time of a day's requests, in milliseconds."""
P95_MS = "p95_ms"
"""95th percentile of the time of a day's requests, in milliseconds."""

SUMMED = (REQUESTS, ERRORS, CLIENT_ERRORS, THROTTLED, BYTES, REQUEST_MS)
DISTINCT = (USERS, MONTHLY_USERS)
LATENCY = (P50_MS, P95_MS)
METRICS = (*SUMMED, *DISTINCT, *LATENCY)

UNITS: Mapping[str, str] = {
    REQUESTS: "Requests",
    ERRORS: "Errors",
    CLIENT_ERRORS: "Errors",
    THROTTLED: "Requests",
    BYTES: "Bytes",
    REQUEST_MS: "Milliseconds",
    USERS: "Users",
    MONTHLY_USERS: "Users",
    P50_MS: "Milliseconds",
    P95_MS: "Milliseconds",
}

OTHER_FEATURE = "(other)"
"""The feature of paths that no template names, in `feature_usage`, unless the routes file leaves them out."""
OTHER_ACTION = "(other)"
"""The action of methods that are none of HTTP's."""
