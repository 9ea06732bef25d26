"""From a JWT to a verified caller: keys, claims, rules, and the sources of tokens."""
