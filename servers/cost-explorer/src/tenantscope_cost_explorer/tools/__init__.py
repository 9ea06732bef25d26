"""The tools, one file each, in the order in which hosts list them."""

from tenantscope_cost_explorer.tools.explain_cost_change import explain_cost_change
from tenantscope_cost_explorer.tools.find_cost_anomalies import find_cost_anomalies
from tenantscope_cost_explorer.tools.forecast_costs import forecast_costs
from tenantscope_cost_explorer.tools.get_allocation_report import get_allocation_report
from tenantscope_cost_explorer.tools.get_costs import get_costs
from tenantscope_cost_explorer.tools.get_feature_unit_costs import get_feature_unit_costs
from tenantscope_cost_explorer.tools.get_margins import get_margins
from tenantscope_cost_explorer.tools.rank_tenants_by_cost import rank_tenants_by_cost
from tenantscope_cost_explorer.tools.suggest_savings import suggest_savings

TOOLS = (
    get_costs,
    rank_tenants_by_cost,
    get_margins,
    get_feature_unit_costs,
    explain_cost_change,
    forecast_costs,
    find_cost_anomalies,
    get_allocation_report,
    suggest_savings,
)
