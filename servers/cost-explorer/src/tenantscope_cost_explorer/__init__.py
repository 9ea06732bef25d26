"""The cost-explorer server."""
