"""The tenant-management server."""
