"""What a tenant's role may read."""

from fnmatch import fnmatchcase
from typing import Any

from tenantscope_core.serving.policies import load_policy
from tenantscope_core.stores import layout, schemas
from tenantscope_core.stores.schemas import Dataset

DATASETS = {one.name for one in vars(schemas).values() if isinstance(one, Dataset)}
TAG = "${aws:PrincipalTag/TenantId}"


def readable(tenant: str, key: str) -> bool:
    """Whether the policy, filled in for a tenant, lets an object be read; IAM's `*` takes any text, as here."""
    statements: list[dict[str, Any]] = load_policy("tenantscope_metrics_logs", "policy.json")["Statement"]
    patterns = [one["Resource"].rpartition(":::")[2] for one in statements if one["Action"] == "s3:GetObject"]
    filled = [pattern.replace(TAG, tenant).replace("${DatasetsBucket}", "bucket") for pattern in patterns]
    return any(fnmatchcase(f"bucket/{key}", pattern) for pattern in filled)


def test_a_tenants_role_reads_the_three_datasets_of_use_and_no_other():
    opened = {name for name in DATASETS if readable("acme", layout.manifest_key(name, "acme"))}
    assert opened == {"usage", "feature_usage", "llm_usage"}


def test_the_wildcard_before_usage_leads_to_no_other_tenant():
    for name in DATASETS:
        for owner in ("globex", "acme_corp", "acme-2", None):
            for key in (layout.manifest_key(name, owner), layout.object_key(name, owner, "2026-09", "run-acme")):
                assert not readable("acme", key)
