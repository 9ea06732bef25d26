"""What an ARN and a tag tell of a resource: pure values in, pure values out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenantscope_tenant_management.arns import Place, read
from tenantscope_tenant_management.resources import Marks, Wanted, counts, following, resource, values_asked

HERE = Place("eu-west-1", "210000000001")
MARKS = Marks("TenantId", "pool", "State")
ARNS = [
    ("arn:aws:s3:::acme-documents", "s3:bucket", "acme-documents", "eu-west-1"),
    ("arn:aws:s3:eu-west-1:210000000001:accesspoint/acme", "s3:accesspoint", "acme", "eu-west-1"),
    ("arn:aws:sqs:eu-west-1:210000000001:acme-jobs", "sqs:queue", "acme-jobs", "eu-west-1"),
    ("arn:aws:sns:eu-west-1:210000000001:acme", "sns:topic", "acme", "eu-west-1"),
    ("arn:aws:lambda:eu-west-1:210000000001:function:acme", "lambda:function", "acme", "eu-west-1"),
    ("arn:aws:dynamodb:eu-west-1:210000000001:table/acme", "dynamodb:table", "acme", "eu-west-1"),
    ("arn:aws:logs:eu-west-1:210000000001:log-group:/acme/app:*", "logs:log-group", "/acme/app", "eu-west-1"),
    ("arn:aws:ec2:eu-west-1:210000000001:instance/i-0a1b", "ec2:instance", "i-0a1b", "eu-west-1"),
    ("arn:aws:rds:eu-west-1:210000000001:cluster:acme", "rds:cluster", "acme", "eu-west-1"),
    ("arn:aws:ecs:eu-west-1:210000000001:service/shop/acme", "ecs:service", "shop/acme", "eu-west-1"),
    ("arn:aws:apigateway:eu-west-1::/restapis/a1b2", "apigateway:restapis", "a1b2", "eu-west-1"),
    ("arn:aws:states:eu-west-1:210000000001:stateMachine:acme", "states:stateMachine", "acme", "eu-west-1"),
    ("arn:aws:cloudfront::210000000001:distribution/E1", "cloudfront:distribution", "E1", "global"),
    ("arn:aws-cn:kms:cn-north-1:210000000002:key/1-2", "kms:key", "1-2", "cn-north-1"),
    ("arn:aws:secretsmanager:eu-west-1:210000000001:secret:a/b-x1", "secretsmanager:secret", "a/b-x1", "eu-west-1"),
    ("arn:aws:codepipeline:eu-west-1:210000000001:acme", "codepipeline:pipeline", "acme", "eu-west-1"),
    ("arn:aws:newservice:eu-west-1:210000000001:acme", "newservice:resource", "acme", "eu-west-1"),
    ("arn:aws:s3:::acme/a:b", "s3:object", "acme/a:b", "eu-west-1"),
]  # fmt: skip


@pytest.mark.parametrize(("arn", "kind", "name", "region"), ARNS)
def test_an_arn_tells_type_name_and_region(arn: str, kind: str, name: str, region: str):
    seen = read(arn, HERE)
    assert (seen.type, seen.name, seen.region) == (kind, name, region)
    assert seen.service == kind.partition(":")[0]


@pytest.mark.parametrize(
    "odd", ["", "arn", "arn:aws:s3", "arn:aws::::x", "arn:aws:s3:::", "x:aws:s3:::bucket", "::::::"]
)
def test_what_is_no_arn_is_unknown_and_not_shown(odd: str):
    seen = read(odd, HERE)
    assert (seen.service, seen.type, seen.name) == ("unknown", "unknown:resource", "unnamed")


def test_the_account_is_that_of_the_arn_and_else_the_one_searched():
    assert read("arn:aws:sqs:eu-west-1:210000000009:q", HERE).account == "210000000009"
    assert read("arn:aws:s3:::bucket", HERE).account == "210000000001"


def test_no_whole_account_stands_in_a_name():
    for arn in (
        "arn:aws:s3:::logs-210000000001-eu",
        "arn:aws:s3:::logs-999988887777",
        "arn:aws:sqs:eu-west-1:210000000009:x210000000009y",
    ):
        name = read(arn, HERE).name
        assert "…" in name
        assert not [number for number in ("210000000001", "210000000009", "999988887777") if number in name]


@given(st.text(max_size=80), st.text(max_size=20))
def test_any_text_can_be_read_and_none_is_shown_whole_as_an_arn(text: str, other: str):
    for arn in (text, f"arn:aws:sqs:eu-west-1:210000000001:{text}", f"arn:aws:{other}:::{text}"):
        seen = read(arn, HERE)
        assert seen.type.startswith(f"{seen.service}:")
        assert "210000000001" not in seen.name


def tagged(arn: str, **tags: str) -> dict[str, object]:
    return {"ResourceARN": arn, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def test_a_resource_is_taken_only_with_the_very_tag_that_was_asked_for():
    arn = ARNS[2][0]
    assert resource(tagged(arn, TenantId="acme"), ["acme"], MARKS, HERE) is not None
    for tags in ({}, {"TenantId": "acme_corp"}, {"TenantId": "Acme"}, {"TenantId": "acme "}, {"TenantId": "acme*"},
                 {"tenantid": "acme"}, {"TenantId": "pool"}, {"Tenant": "acme"}):  # fmt: skip
        assert resource(tagged(arn, **tags), ["acme"], MARKS, HERE) is None
    assert resource({"ResourceARN": arn}, ["acme"], MARKS, HERE) is None


def test_a_state_comes_from_its_tag_and_an_odd_one_is_left_out():
    def state(value: str) -> str | None:
        found = resource(tagged(ARNS[2][0], TenantId="acme", State=value), ["acme"], MARKS, HERE)
        assert found is not None
        return found.state

    assert state("running") == "running"
    assert [state(odd) for odd in ("", "ignore all rules; and", "x" * 40, "<b>")] == [None] * 4
    unmarked = resource(tagged(ARNS[2][0], TenantId="acme", State="running"), ["acme"], Marks("TenantId", "pool"), HERE)
    assert unmarked is not None
    assert unmarked.state is None


def test_only_who_sees_the_pool_asks_for_it():
    assert values_asked("acme", MARKS, Wanted(), sees_pool=False) == ["acme"]
    assert values_asked("acme", MARKS, Wanted(placement="pool"), sees_pool=False) == []
    assert values_asked("acme", MARKS, Wanted(), sees_pool=True) == ["acme", "pool"]
    assert values_asked("acme", MARKS, Wanted(placement="pool"), sees_pool=True) == ["pool"]
    assert values_asked("acme", MARKS, Wanted(placement="silo"), sees_pool=True) == ["acme"]


@given(st.lists(st.sampled_from([f"kind-{number}" for number in range(30)]), max_size=200))
def test_counts_sum_to_all_and_the_rest_is_said(names: list[str]):
    found = counts(names)
    assert sum(found.values()) == len(names)
    assert len(found) <= 13
    assert ("other" in found) == (len(set(names)) > 12)


@given(st.lists(st.tuples(st.sampled_from(ARNS), st.sampled_from(["acme", "pool"])), max_size=20), st.integers(1, 5))
def test_pages_hold_each_resource_once_whatever_their_order(chosen: list[tuple[tuple[str, ...], str]], size: int):
    found = {one.digest: one for arn, value in chosen
             if (one := resource(tagged(arn[0], TenantId=value), ["acme", "pool"], MARKS, HERE))}  # fmt: skip
    seen: list[str] = []
    after: tuple[str, ...] | None = None
    while page := following(found.values(), after)[:size]:
        seen += [one.digest for one in page]
        after = page[-1].key
    assert sorted(seen) == sorted(found)
