"""Where the tenants are kept."""
