"""What stands where the export's datasets would be read: a failure that says what a question needs."""

from tenantscope_core.results.errors import NotSetUp
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.datasets import Committed, DatasetReader
from tenantscope_core.stores.schemas import FEATURE_USAGE, LLM_USAGE, USAGE

OF_OTHERS = frozenset(dataset.name for dataset in (USAGE, FEATURE_USAGE, LLM_USAGE))
"""Datasets that are made of use, and not of the bill."""


def needs_export() -> NotSetUp:
    """The failure of a question that tagged cost alone cannot answer."""
    return NotSetUp(
        "This server answers from AWS Cost Explorer's API, which knows what is tagged and no more. This question needs "
        "a billing export and its rollup: whoever operates the server sets those up, and "
        "TENANTSCOPE_COST_SOURCE=exports. get_costs and rank_tenants_by_cost answer without."
    )


class WithoutExports(DatasetReader):
    """Reads commits of use; those of cost, which an earlier set-up may have left behind, it does not touch."""

    async def committed(self, aws: AwsCaller, dataset: str, tenant: str | None) -> Committed:
        """As every reader, of use.

        Raises:
            NotSetUp: The dataset is made of an export.
        """
        if dataset not in OF_OTHERS:
            raise needs_export()
        return await super().committed(aws, dataset, tenant)
