"""How much each tenant uses all servers together, counted in Valkey beside the path of a call."""
