"""AWS Cost Explorer's API, for accounts without an export: tagged cost, at a price, asked for as rarely as may be."""
