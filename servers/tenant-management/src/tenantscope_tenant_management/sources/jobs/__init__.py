"""What the jobs do: the provider's work on many tenants, one after another."""
