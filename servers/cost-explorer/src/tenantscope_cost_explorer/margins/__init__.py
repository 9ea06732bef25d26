"""Revenue less cost, tenant by tenant, and since when it is below zero."""
