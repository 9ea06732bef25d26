"""Where bills and committed costs come from."""
