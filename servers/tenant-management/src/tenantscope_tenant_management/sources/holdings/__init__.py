"""What a tenant holds in each store: prepared when it comes; measured, exported and erased when it leaves."""
