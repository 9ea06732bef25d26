"""A change of cost taken apart into what drove it."""
