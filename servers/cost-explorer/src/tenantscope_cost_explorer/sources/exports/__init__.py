"""Exports of the bill, whatever their format, as the `charges` relation of one billing month."""

from tenantscope_cost_explorer.sources.exports.charges import (
    billing_months,
    create_charges,
    require_one_currency,
    require_readable,
)
from tenantscope_cost_explorer.sources.exports.files import BillFile, is_bill

__all__ = ["BillFile", "billing_months", "create_charges", "is_bill", "require_one_currency", "require_readable"]
