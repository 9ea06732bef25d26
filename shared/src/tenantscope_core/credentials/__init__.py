"""From a verified caller to AWS calls signed with credentials that open one tenant's data and no other's."""
