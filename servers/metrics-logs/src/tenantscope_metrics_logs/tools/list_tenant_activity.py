"""`list_tenant_activity`."""

from datetime import date
from typing import Annotated, Any

from pydantic import Field
from tenantscope_core.tool import READ, Call, ShownTo, tool

from tenantscope_metrics_logs.activity import MEANS, Verdict, counts, judge_all
from tenantscope_metrics_logs.models import ActivityPage, State, StateCount, TenantActivity
from tenantscope_metrics_logs.sources.open import Sources


@tool(shown_to=ShownTo.PROVIDER, scopes={"usage:read"}, effects=READ)
async def list_tenant_activity(
    call: Call[Sources],
    state: Annotated[State | None, Field(description="Only tenants in this state; unclear: too short to tell.")] = None,
    as_of: Annotated[
        date | None, Field(description="Judge as of this day; the last day with data if left out.")
    ] = None,
    limit: Annotated[int, Field(ge=1, le=60, description="Tenants per page.")] = 15,
    cursor: Annotated[str | None, Field(description="next_cursor of the page before.")] = None,
) -> ActivityPage:
    """Which tenants fade, fell silent, came back, are new or active, each with the rule that says so; worst first.

    Each tenant is judged against its own past. Counts of all states, then the tenants.
    """
    past = await call.sources.activity.past(call.aws, as_of)
    question: dict[str, Any] = {"state": state, "as_of": past.as_of}
    start = call.cursors.start(cursor, question=question, version=past.window.runs)
    verdicts = judge_all(past.histories, as_of=past.as_of, known_from=past.known_from)
    found = [one for one in verdicts if state is None or one.state == state]
    more = start + limit < len(found)
    return ActivityPage(
        as_of=past.as_of,
        known_from=past.known_from,
        tenants=len(verdicts),
        states=[StateCount(state=each, tenants=count, means=MEANS[each]) for each, count in counts(verdicts).items()],
        state=state,
        rows=[_shown(one) for one in found[start : start + limit]],
        row_count=len(found),
        truncated=more,
        next_cursor=call.cursors.following(start + limit, question=question, version=past.window.runs)
        if more
        else None,
        freshness=past.window.freshness(past.as_of),
        next="get_feature_usage with tenant_id=<one of these>; who was never seen is in the registry alone",
    )


def _shown(one: Verdict) -> TenantActivity:
    return TenantActivity(
        tenant_id=one.history.tenant,
        state=one.state,
        rule=one.rule,
        weekly_requests=round(one.recent, 1),
        usual_weekly_requests=None if one.usual is None else round(one.usual, 1),
        last_request=one.history.last,
    )
