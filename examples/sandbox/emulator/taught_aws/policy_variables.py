"""IAM policy variables: `${aws:PrincipalTag/TenantId}` in resources and conditions.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

import dataclasses
import json
import re
from importlib import import_module
from typing import Any

from .documents import as_list

VARIABLE = re.compile(r"\$\{([^},]+)(?:,\s*'([^']*)')?\}")
UNNAMEABLE = "\0"  # a resource that no request can name


def expand(pattern: str, context: Any) -> str | None:
    """Fill in the variables of a pattern; None where one has no single literal value, so that nothing matches it."""
    resolve = import_module("ministack.core.iam_evaluator")._resolve_condition_key
    parts: list[str] = []
    end = 0
    for match in VARIABLE.finditer(pattern):
        value = resolve(match[1].strip(), context)
        if value is None:
            value = match[2]
        if not isinstance(value, str) or re.search(r"[*?$]", value):
            return None
        parts += [pattern[end : match.start()], value]
        end = match.end()
    return "".join([*parts, pattern[end:]])


def _expand_all(values: list[str], context: Any) -> list[str]:
    return [filled for filled in (expand(value, context) for value in values) if filled is not None]


def _filled(statement: Any, context: Any) -> Any | None:
    """The statement as it reads for this request; None when a variable without a value makes it match nothing."""
    if "${" not in json.dumps([statement.resources, statement.not_resources, statement.conditions]):
        return statement
    not_resources = _expand_all(statement.not_resources, context)
    if len(not_resources) != len(statement.not_resources):
        return None
    conditions = {
        operator: {key: _condition_values(expected, context) for key, expected in block.items()}
        for operator, block in statement.conditions.items()
    }
    return dataclasses.replace(
        statement,
        resources=_expand_all(statement.resources, context) or ([UNNAMEABLE] if statement.resources else []),
        not_resources=not_resources,
        conditions=conditions,
    )


def _condition_values(expected: Any, context: Any) -> list[str]:
    return _expand_all([str(value) for value in as_list(expected)], context) or [UNNAMEABLE]


def teach() -> None:
    """Evaluate every statement with its variables filled in."""
    evaluator: Any = import_module("ministack.core.iam_evaluator")
    untaught = evaluator._first_match

    def first_match(context: Any, statements: list[Any], effect: str) -> Any:
        filled = (_filled(statement, context) for statement in statements)
        return untaught(context, [statement for statement in filled if statement is not None], effect)

    evaluator._first_match = first_match
