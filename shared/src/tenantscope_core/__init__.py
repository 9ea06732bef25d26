"""What every Tenantscope server shares."""
