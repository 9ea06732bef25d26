"""What a DynamoDB request is judged by, and each member of a transaction and PartiQL statement judged by itself.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from .documents import as_list, as_object, parsed_object
from .leading_keys import MEMBERS, leading_keys
from .named_attributes import named_attributes
from .partiql import OPERATIONS, parsed_statement, return_values, statements

RETURNING = ("PutItem", "UpdateItem", "DeleteItem", "PartiQLInsert", "PartiQLUpdate", "PartiQLDelete")
SELECTING = ("GetItem", "BatchGetItem", "Query", "Scan", "PartiQLSelect")
TRANSACTIONS = ("TransactWriteItems", "TransactGetItems")
OF_A_REQUEST = ("dynamodb:LeadingKeys", "dynamodb:Attributes", "dynamodb:ReturnValues", "dynamodb:Select")

TableArn = Callable[[str], str]


class PartAction(str):
    """The IAM action of one part of a request, with the condition keys of that part alone."""

    context: dict[str, Any]

    def __new__(cls, action: str, context: dict[str, Any]) -> "PartAction":
        """Make an action that the emulator passes on as a text."""
        made = super().__new__(cls, action)
        made.context = context
        return made


def condition_keys(request: dict[str, Any]) -> dict[str, Any]:
    """Return the condition keys of a request or of a part of one; a key without a value is left out."""
    try:
        named = {"dynamodb:LeadingKeys": leading_keys(request), "dynamodb:Attributes": named_attributes(request)}
    except (AttributeError, KeyError, IndexError, StopIteration, TypeError, ValueError):
        named = {}  # malformed: the handler refuses it, and no key means no permission
    # Each is missing where the operation has no such parameter: `enforce` below knows the operation.
    selected = request.get("ProjectionExpression") or request.get("AttributesToGet")
    select = request.get("Select") or ("SPECIFIC_ATTRIBUTES" if selected else "ALL_ATTRIBUTES")
    returned = request.get("ReturnValues") or "NONE"
    return {key: value for key, value in named.items() if value} | {
        "dynamodb:Select": str(select),
        "dynamodb:ReturnValues": str(returned),
    }


def _member_checks(request: dict[str, Any], table_arn: TableArn) -> Iterator[tuple[str, str]]:
    for action in as_list(request.get("TransactItems")):
        for name, iam_action in MEMBERS.items():
            member = as_object(as_object(action).get(name))
            if table := member.get("TableName"):
                yield PartAction(f"dynamodb:{iam_action}", condition_keys(member)), table_arn(str(table))


def _statement_checks(request: dict[str, Any], table_arn: TableArn) -> Iterator[tuple[str, str]]:
    for statement in statements(request):
        parsed = parsed_statement(statement)
        if parsed is None:  # needs what nobody has
            yield PartAction("dynamodb:UnreadablePartiQL", {}), "*"
            continue
        index = f"/index/{parsed['index']}" if parsed.get("index") else ""
        keys = condition_keys({**as_object(statement), "ReturnValues": return_values(parsed)})
        if parsed.get("projections"):
            keys["dynamodb:Select"] = "SPECIFIC_ATTRIBUTES"
        yield PartAction(f"dynamodb:PartiQL{parsed['op'].capitalize()}", keys), table_arn(parsed["table"]) + index


def part_checks(operation: str, request: dict[str, Any], table_arn: TableArn) -> list[tuple[str, str]]:
    """Return the IAM action and resource of each part of a request; empty where the request is judged as one."""
    if operation in TRANSACTIONS:
        return list(_member_checks(request, table_arn))
    return list(_statement_checks(request, table_arn)) if operation in OPERATIONS else []


def teach() -> None:
    """Give every DynamoDB request its condition keys, and every part of one its own check."""
    actions: Any = import_module("ministack.core.iam_actions")
    evaluator: Any = import_module("ministack.core.iam_evaluator")
    untaught_enforce = evaluator.enforce

    def service_context(body: bytes) -> dict[str, Any]:
        return condition_keys(parsed_object(body))

    def checks(iam_action: str, body: bytes, region: str, account: str) -> list[tuple[str, str]]:
        def table_arn(name: str) -> str:
            return actions._dynamodb_table_arn(name, region, account)

        return part_checks(iam_action.removeprefix("dynamodb:"), parsed_object(body), table_arn)

    def enforce(
        access_key_id: str, iam_action: str, service: str, region: str, resource_arn: str = "*",
        service_context: dict[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        context = service_context
        if service == "dynamodb":
            context = dict(service_context or {})
            if isinstance(iam_action, PartAction):
                context = {key: value for key, value in context.items() if key not in OF_A_REQUEST}
                context |= iam_action.context
            operation = iam_action.removeprefix("dynamodb:")
            if operation not in RETURNING:
                context.pop("dynamodb:ReturnValues", None)
            if operation not in SELECTING:
                context.pop("dynamodb:Select", None)
        return untaught_enforce(
            access_key_id, str(iam_action), service, region, resource_arn=resource_arn, service_context=context
        )

    actions.dynamodb_service_context = service_context
    actions.dynamodb_transaction_checks = checks
    evaluator.enforce = enforce
