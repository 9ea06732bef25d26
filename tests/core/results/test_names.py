"""Names that callers give."""

import pytest
from tenantscope_core.results.errors import InvalidArgument
from tenantscope_core.results.names import exact, hint, nearest

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


def test_a_hint_names_what_is_near_or_says_that_nothing_is():
    assert "'AWS Lambda'" in hint("lambda", SERVICES)
    assert "nothing" in hint("zzz", SERVICES)


@pytest.mark.parametrize("value", ["*", "search%", "book*"])
def test_a_wildcard_is_no_name(value: str):
    with pytest.raises(InvalidArgument, match="wildcards") as refused:
        exact(value, parameter="feature")
    assert refused.value.parameter == "feature"
    assert exact("search", parameter="feature") == "search"
