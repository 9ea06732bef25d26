"""The tools, one file each, in the order in which hosts list them."""

from tenantscope_pricing.tools.get_bill import get_bill
from tenantscope_pricing.tools.get_plans import get_plans

TOOLS = (get_plans, get_bill)
