"""How many calls each tenant may make, by tier, so that one tenant's storm is not another's outage."""
