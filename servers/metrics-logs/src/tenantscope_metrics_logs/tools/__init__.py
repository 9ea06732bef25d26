"""The tools, one file each, in the order in which hosts list them."""

from tenantscope_metrics_logs.tools.get_feature_usage import get_feature_usage
from tenantscope_metrics_logs.tools.get_usage import get_usage
from tenantscope_metrics_logs.tools.list_tenant_activity import list_tenant_activity

TOOLS = (get_usage, get_feature_usage, list_tenant_activity)
