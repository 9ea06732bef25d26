"""The tools, one file each, in the order in which hosts list them."""

from tenantscope_metrics_logs.tools.get_usage import get_usage

TOOLS = (get_usage,)
