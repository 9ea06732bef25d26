"""Names that a person may have meant."""

import pytest
from tenantscope_cost_explorer.nearest import nearest

SERVICES = [
    "AWS Config", "AWS Data Transfer", "AWS Lambda", "Amazon Bedrock", "Amazon CloudFront",
    "Amazon Elastic Compute Cloud", "Amazon Relational Database Service", "Amazon Simple Storage Service",
]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("EC2", "Amazon Elastic Compute Cloud"),
        ("s3", "Amazon Simple Storage Service"),
        ("RDS", "Amazon Relational Database Service"),
        ("amazon cloudfront", "Amazon CloudFront"),
        ("Lambda", "AWS Lambda"),
        ("Amazon Bedrok", "Amazon Bedrock"),
    ],
)
def test_what_is_meant_comes_first(asked: str, meant: str):
    assert nearest(asked, SERVICES)[0] == meant


@pytest.mark.parametrize("asked", ["zzz", "Microsoft Fabric", "12"])
def test_nothing_near_is_nothing(asked: str):
    assert nearest(asked, SERVICES) == []


def test_names_of_any_kind_are_taken():
    assert nearest("", ["", "  ", "(none)"]) != []
