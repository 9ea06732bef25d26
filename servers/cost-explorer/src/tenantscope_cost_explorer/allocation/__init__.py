"""The bill shared among tenants by rules: pure values and the SQL that is made of them."""
