"""Days and months that leave their own pattern."""
