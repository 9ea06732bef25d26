"""The settings of this server."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Literal, cast

from pydantic import Field, model_validator
from tenantscope_core.serving.settings import PREFIX
from tenantscope_core.serving.store_settings import RollupSettings
from tenantscope_core.stores.schemas import TENANT_ID

from tenantscope_cost_explorer.tagged import Metric

NO_VIEW = "none"
"""Stands in the policy where no billing view is to be opened; no view has this name."""
PRIMARY_VIEW = "primary"
_VIEW = r"arn:aws[a-z-]*:billing::[0-9]{12}:billingview/([A-Za-z0-9-]{1,43})"
_MOST_VIEW_BYTES = 16 * 1024 * 1024


class Settings(RollupSettings):
    """What every server is told, where datasets are, and what the bill is allocated by."""

    allocation_rules: Path | None = Field(default=None, description="rollup: the YAML file with the allocation rules.")
    billing_url: str | None = Field(
        default=None,
        description="rollup: the bill, a FOCUS or CUR 2.0 export with its manifests: `s3://…` or a file or folder; "
        "default `s3://<bucket>/raw/billing/focus/data/`.",
    )
    cost_source: Literal["exports", "cost-explorer"] = Field(
        default="exports",
        description="What costs are of: the datasets that `rollup` made of an export, or, without one, AWS Cost "
        "Explorer's API, which knows what is tagged and charges for each request.",
    )
    tenant_tag: str | None = Field(
        default=None, max_length=128, description="cost-explorer: the cost allocation tag whose value is the tenant id."
    )
    feature_tag: str | None = Field(
        default=None, max_length=128, description="cost-explorer: the tag that names features."
    )
    environment_tag: str | None = Field(
        default=None, max_length=128, description="cost-explorer: the tag that names environments."
    )
    cost_metric: Metric = Field(
        default="AmortizedCost",
        description="cost-explorer: AmortizedCost is nearest to EffectiveCost, NetAmortizedCost where AWS gives you "
        "discounts of your own; UnblendedCost and NetUnblendedCost are as charged.",
    )
    billing_view_arn: str | None = Field(
        default=None,
        pattern=f"^{_VIEW}$",
        description="cost-explorer: the billing view to ask instead of the account's own.",
    )
    billing_views: Path | None = Field(
        default=None,
        description="cost-explorer: a JSON file that gives each tenant a billing view of its own, "
        '`{"acme": "arn:aws:billing::…"}`; a tenant that is not in it is refused. Read at start.',
    )
    cost_api_requests: int = Field(
        default=10, ge=1, le=100, description="cost-explorer: paid requests that one question may take."
    )
    cost_api_budget_usd: Decimal = Field(
        default=Decimal(5),
        gt=0,
        le=10_000,
        description="cost-explorer: what requests of this process may cost a day (UTC); one tenant has a fifth of it.",
    )

    @cached_property
    def views(self) -> Mapping[str, str]:
        """The billing views by tenant.

        Raises:
            ValueError: The file is not as it should be.
        """
        if self.billing_views is None:
            return {}
        try:
            if self.billing_views.stat().st_size > _MOST_VIEW_BYTES:
                raise ValueError
            found: object = json.loads(self.billing_views.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise ValueError(f"{PREFIX}BILLING_VIEWS must be a JSON file that can be read") from None
        views = cast("dict[str, object]", found) if isinstance(found, dict) else {}
        for tenant, arn in views.items():
            if not (re.fullmatch(TENANT_ID, tenant) and isinstance(arn, str) and re.fullmatch(_VIEW, arn)):
                raise ValueError(f"{PREFIX}BILLING_VIEWS must give each tenant id the ARN of a billing view")
        if not views or len(set(views.values())) < len(views):
            raise ValueError(f"{PREFIX}BILLING_VIEWS must name at least one tenant, and no view for two of them")
        return cast("dict[str, str]", views)

    @property
    def policy_names(self) -> dict[str, str]:
        """The common names, and the view of questions about the fleet."""
        return super().policy_names | {"BillingView": self._view_name(None)}

    def policy_names_of(self, tenant: str) -> dict[str, str]:
        """The tenant's own view, or none where it has to have one and has none."""
        return {"BillingView": self._view_name(tenant)}

    def _view_name(self, tenant: str | None) -> str:
        if self.cost_source != "cost-explorer":
            return NO_VIEW
        of_its_own = tenant is not None and self.billing_views is not None
        arn = self.views.get(tenant) if of_its_own and tenant is not None else self.billing_view_arn
        return arn.rpartition("/")[2] if arn is not None else NO_VIEW if of_its_own else PRIMARY_VIEW

    @model_validator(mode="after")
    def _fits_the_source(self) -> "Settings":
        if self.cost_source == "cost-explorer" and self.tenant_tag is None:
            raise ValueError(
                f"{PREFIX}COST_SOURCE=cost-explorer needs {PREFIX}TENANT_TAG: the cost allocation tag that says whose "
                "a charge is"
            )
        _ = self.views
        return self
