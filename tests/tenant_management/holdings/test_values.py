"""The values of holdings: sums, the order of tables, the manifest, whole properties."""

import json

from hypothesis import given
from hypothesis import strategies as st
from tenantscope_tenant_management.holdings import Exported, Held, children_first, manifest_text

NAMES = st.sampled_from("abcdefgh")


def test_what_is_held_is_the_sum_of_its_parts():
    assert Held("database", {"a": 2, "b": 3}).count == 5
    assert Held("database", {}).count == 0


@given(st.sets(NAMES), st.lists(st.tuples(NAMES, NAMES)))
def test_each_table_comes_once_and_before_what_it_references_unless_they_go_in_a_circle(
    tables: set[str], pairs: list[tuple[str, str]]
):
    downward = [(child, parent) for child, parent in pairs if child < parent]
    ordered = children_first(tables, downward)
    assert sorted(ordered) == sorted(tables)
    for child, parent in downward:
        if child in tables and parent in tables:
            assert ordered.index(child) < ordered.index(parent)
    assert sorted(children_first(tables, pairs)) == sorted(tables)


def test_a_table_that_references_itself_is_no_circle():
    assert children_first(["tree", "leaf"], [("tree", "tree"), ("leaf", "tree")]) == ["leaf", "tree"]


@given(st.lists(st.builds(Exported, name=st.text(), bytes=st.integers(0), digest=st.just("sha256:0"))))
def test_a_manifest_is_the_same_for_the_same_files_in_whatever_order(files: list[Exported]):
    unlike = list({file.name: file for file in files}.values())
    text = manifest_text("acme", unlike)
    assert manifest_text("acme", unlike[::-1]) == text
    assert [file["name"] for file in json.loads(text)["files"]] == sorted(file.name for file in unlike)
