"""Rules and tests tied in both directions: no rule without a test, no marked test without a rule."""

import ast
import tomllib
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[1]
RULES: dict[str, dict[str, Any]] = tomllib.loads((TESTS / "requirements.toml").read_text(encoding="utf-8"))


def marks_of(node: ast.stmt) -> list[ast.expr]:
    """The expressions that mark tests: decorators of a test, or what a module says of all of its tests."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return node.decorator_list if node.name.startswith("test_") else []
    named = isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["pytestmark"]
    return [node.value] if isinstance(node, ast.Assign) and named else []


def marked(path: Path) -> set[str]:
    """The ids of the requirement marks on the tests of a module, each of which must be a literal."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in (inner for statement in tree.body for mark in marks_of(statement) for inner in ast.walk(mark)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.requirement":
            (identifier,) = node.args
            assert isinstance(identifier, ast.Constant), path
            assert isinstance(identifier.value, str), path
            found.add(identifier.value)
    return found


MARKS = {path.relative_to(TESTS).as_posix(): ids for path in sorted(TESTS.rglob("test_*.py")) if (ids := marked(path))}


@pytest.mark.parametrize("identifier", RULES)
def test_a_rule_is_a_sentence_and_names_exactly_the_modules_that_show_it(identifier: str):
    rule = RULES[identifier]
    assert set(rule) == {"rule", "tests"}
    assert rule["rule"].endswith(".")
    assert rule["tests"]
    assert set(rule["tests"]) == {module for module, ids in MARKS.items() if identifier in ids}


@pytest.mark.parametrize("module", MARKS)
def test_a_mark_names_a_rule(module: str):
    assert MARKS[module] <= set(RULES)
