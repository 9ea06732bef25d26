"""Costs as they are shown: by group, by tenant, by the day."""
