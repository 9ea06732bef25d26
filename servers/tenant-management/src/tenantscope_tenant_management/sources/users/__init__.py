"""A tenant's users: where they are kept, and how they are changed one at a time."""
