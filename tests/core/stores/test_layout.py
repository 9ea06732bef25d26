"""Keys of datasets: nothing that a name can hold leads out of its tenant's prefix."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenantscope_core.results.errors import DataFault
from tenantscope_core.stores import layout
from tenantscope_core.stores.manifests import Manifest, parse_manifest

OBJECT: dict[str, object] = {
    "key": "datasets/usage/tenant_id=acme/month=2026-09/run=r1/part-0.parquet",
    "size": 10,
    "etag": "0" * 32,
    "rows": 1,
}
MONTH: dict[str, object] = {
    "run": "r1",
    "objects": [OBJECT],
    "written": "2026-10-01T02:00:00+00:00",
    "inputs": "h",
}


def test_keys_are_laid_out_by_tenant_month_and_run():
    assert layout.object_key("usage", "acme", "2026-09", "r1") == OBJECT["key"]
    assert layout.object_key("usage", None, "2026-09", "r1", 2) == "fleet/usage/month=2026-09/run=r1/part-2.parquet"
    assert layout.manifest_key("usage", "acme") == "datasets/usage/tenant_id=acme/_manifest.json"
    assert layout.manifest_key("usage", None) == "fleet/usage/_manifest.json"


@pytest.mark.requirement("tenant-ids-as-they-are")
@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=10), st.text(max_size=20))
def test_whatever_the_names_a_key_lies_within_its_prefix_or_is_refused(dataset: str, tenant: str, month: str, run: str):
    try:
        key = layout.object_key(dataset, tenant, month, run)
    except ValueError:
        return
    assert key.split("/")[:3] == ["datasets", dataset, f"tenant_id={tenant}"]
    assert key.count("/") == 5
    assert ".." not in key.split("/")


@pytest.mark.requirement("tenant-ids-as-they-are")
@pytest.mark.parametrize("name", ["", "..", "a/b", "*", "acme/", "tenant_id=acme", "${x}", "a\0", "ü", "-a", "a" * 64])
def test_odd_tenants_are_refused(name: str):
    with pytest.raises(ValueError, match="tenant"):
        layout.prefix("usage", name)


@pytest.mark.parametrize("rest", ["../globex/x", "a/../../x", "/x", "a//b", ".", "", "a\\b"])
def test_nothing_climbs_out_of_a_prefix(rest: str):
    with pytest.raises(ValueError, match="within"):
        layout.within("datasets/usage/tenant_id=acme/", rest)


def _stored(**changes: object) -> bytes:
    month = {**MONTH, **{key: value for key, value in changes.items() if key in MONTH}}
    other = {key: value for key, value in changes.items() if key not in MONTH}
    return json.dumps({"dataset": "usage", "format": 1, "months": {"2026-09": month}, **other}).encode()


def test_a_manifest_is_read_as_it_was_written():
    manifest = parse_manifest(_stored(), "usage", "acme")
    assert str(manifest.latest) == "2026-09"
    assert parse_manifest(manifest.to_json(), "usage", "acme") == manifest
    assert Manifest("usage", "acme").latest is None


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        _stored()[:-20],
        _stored(dataset="revenue"),
        _stored(format=2),
        _stored(months=[]),
        _stored(months={"2026-13": MONTH}),
        _stored(run="../r1"),
        _stored(run="r2"),
        _stored(written="2026-10-01T02:00:00"),
        _stored(inputs=None),
        *(
            _stored(objects=[{**OBJECT, **change}])
            for change in (
                {"key": "datasets/usage/tenant_id=globex/month=2026-09/run=r1/part-0.parquet"},
                {"key": "datasets/usage/tenant_id=acme/month=2026-09/run=r1/../../x"},
                {"size": -1},
                {"size": "10"},
                {"rows": True},
                {"etag": "no"},
            )
        ),
    ],
)
def test_a_manifest_that_is_damaged_or_leads_elsewhere_is_a_data_fault_that_names_it(stored: bytes):
    with pytest.raises(DataFault, match="dataset usage of tenant acme"):
        parse_manifest(stored, "usage", "acme")


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader_of_manifests(stored: bytes):
    with pytest.raises(DataFault):
        parse_manifest(stored, "usage", "acme")
