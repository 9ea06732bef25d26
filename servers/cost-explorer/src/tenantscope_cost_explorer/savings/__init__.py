"""What is paid and not needed: one module a kind of finding."""
