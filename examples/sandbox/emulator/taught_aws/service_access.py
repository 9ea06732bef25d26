"""What S3, EventBridge, CloudWatch Logs and Cognito requests are judged by, where the emulator knew less than AWS.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from importlib import import_module
from typing import Any

from .documents import as_list, as_object, parsed_object

OF_A_STREAM = ("DeleteLogStream", "GetLogEvents", "PutLogEvents")


def event_keys(request: dict[str, Any]) -> dict[str, Any]:
    """Return the source and detail type of the events put: a text when all have the same, else the list of them."""
    entries = [as_object(entry) for entry in as_list(request.get("Entries"))]
    found: dict[str, Any] = {}
    for key, field in (("events:source", "Source"), ("events:detail-type", "DetailType")):
        values = sorted({str(entry[field]) for entry in entries if field in entry})
        if values:
            found[key] = values[0] if len(values) == 1 else values
    return found


def log_resource(action: str, body: bytes, region: str, account: str, untaught: str) -> str:
    """Return the ARN that a logs request is judged by: of the stream, where it names one and not its group alone."""
    if action == "DescribeLogGroups":
        return f"arn:aws:logs:{region}:{account}:log-group::log-stream:"
    stream = parsed_object(body).get("logStreamName")
    return f"{untaught}:log-stream:{stream}" if action in OF_A_STREAM and stream else untaught


def teach() -> None:
    """Judge batch deletions by version, events by what they are, and log streams by their own names."""
    actions: Any = import_module("ministack.core.iam_actions")
    _teach_actions(actions)
    _teach_resources(actions)
    _teach_event_keys(actions)
    _teach_schema()


def _teach_actions(actions: Any) -> None:
    untaught = actions.extract_iam_action

    def iam_action(
        service: str, method: str, path: str, headers: Any, body: bytes, query: Any, *rest: Any, **options: Any
    ) -> Any:
        found = untaught(service, method, path, headers, body, query, *rest, **options)
        if service == "s3" and method == "POST" and "delete" in (query or {}) and found == "s3:DeleteObject":
            bucket = path.strip("/").split("/")[0]
            targets = actions._s3_batch_delete_targets(bucket, body)  # the first is judged here, the others one by one
            return "s3:DeleteObjectVersion" if targets and targets[0][1] else found
        return found

    actions.extract_iam_action = iam_action


def _teach_resources(actions: Any) -> None:
    untaught = actions.extract_resource_arn

    def resource_arn(
        service: str, method: str, path: str, headers: Any, body: bytes, query: Any, region: str, account: str
    ) -> Any:
        found = untaught(service, method, path, headers, body, query, region, account)
        if service != "logs":
            return found
        action = str(headers.get("x-amz-target", "")).rsplit(".", 1)[-1]
        return log_resource(action, body, region, account, str(found))

    actions.extract_resource_arn = resource_arn


def _teach_event_keys(actions: Any) -> None:
    untaught = actions.request_tag_context

    def context(service: str, iam_action: str, body: bytes, query: Any) -> dict[str, Any]:
        found = untaught(service, iam_action, body, query)
        return {**found, **event_keys(parsed_object(body))} if iam_action == "events:PutEvents" else found

    actions.request_tag_context = context


def _teach_schema() -> None:
    """A user's attribute that the pool's schema does not know or lets nobody change is refused."""
    cognito: Any = import_module("ministack.services.cognito")
    responses: Any = import_module("ministack.core.responses")
    untaught_create, untaught_update = cognito._admin_create_user, cognito._admin_update_user_attributes

    def not_allowed(data: Any, *, update: bool) -> Any:
        pool, missing = cognito._resolve_pool(data.get("UserPoolId"))
        if missing:
            return None  # the handler says so
        schema = {attribute["Name"]: attribute for attribute in pool["SchemaAttributes"]}
        for attribute in as_list(data.get("UserAttributes")):
            known = schema.get(attribute["Name"])
            if known is None or (update and not known.get("Mutable", True)):
                message = f"{attribute['Name']}: not in the schema, or not to be updated."
                return responses.error_response_json("InvalidParameterException", message, 400)
        return None

    def create(data: Any) -> Any:
        return not_allowed(data, update=False) or untaught_create(data)

    def update(data: Any) -> Any:
        return not_allowed(data, update=True) or untaught_update(data)

    cognito._admin_create_user, cognito._admin_update_user_attributes = create, update
