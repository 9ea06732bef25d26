"""The tools, one file each, in the order in which hosts list them."""

from tenantscope_tenant_management.tools.create_tenant import create_tenant
from tenantscope_tenant_management.tools.get_tenant import get_tenant
from tenantscope_tenant_management.tools.list_audit_events import list_audit_events
from tenantscope_tenant_management.tools.list_tenant_resources import list_tenant_resources
from tenantscope_tenant_management.tools.list_tenant_users import list_tenant_users
from tenantscope_tenant_management.tools.list_tenants import list_tenants
from tenantscope_tenant_management.tools.list_tiers import list_tiers
from tenantscope_tenant_management.tools.manage_tenant_user import manage_tenant_user
from tenantscope_tenant_management.tools.set_tenant_status import set_tenant_status
from tenantscope_tenant_management.tools.update_tenant import update_tenant
from tenantscope_tenant_management.tools.update_tenant_config import update_tenant_config
from tenantscope_tenant_management.tools.whoami import whoami

TOOLS = (
    whoami,
    get_tenant,
    update_tenant_config,
    list_tenants,
    create_tenant,
    update_tenant,
    set_tenant_status,
    list_tenant_users,
    manage_tenant_user,
    list_tenant_resources,
    list_tiers,
    list_audit_events,
)
