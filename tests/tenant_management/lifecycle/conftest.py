"""A company of their own for tests in which tenants come and go: others count its tenants."""

from fixtures.small_company import own_company

small_company = own_company("session")
