"""The tools, one file each, in the order in which hosts list them."""

from tenantscope_tenant_management.tools.get_tenant import get_tenant
from tenantscope_tenant_management.tools.list_tenant_users import list_tenant_users
from tenantscope_tenant_management.tools.list_tenants import list_tenants
from tenantscope_tenant_management.tools.manage_tenant_user import manage_tenant_user
from tenantscope_tenant_management.tools.whoami import whoami

TOOLS = (whoami, get_tenant, list_tenants, list_tenant_users, manage_tenant_user)
