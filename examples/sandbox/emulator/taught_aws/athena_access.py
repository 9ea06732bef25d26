"""Athena with the rights of its caller: it reads and writes S3 as whoever asked, and no query reaches past its tables.

The untaught emulator runs every query over everything. On AWS a query over objects that its caller may not read fails;
here, where no partition is pruned before the objects are read, such objects are left out, and a query fails when
nothing is left.
"""

import json
import re
from collections.abc import Callable
from contextvars import ContextVar
from importlib import import_module
from typing import Any
from urllib.parse import urlparse

caller: ContextVar[str] = ContextVar("caller", default="")
"""Access key id of the request being served, set by the gateway; a query runs on in a copy of its request's context."""

OUTSIDE = re.compile(
    r"s3a?://|\b(read_\w+|glob|getenv|query|query_table|parquet_\w+)\s*\(|\b(copy|attach|install|load)\b|\bfrom\s*'",
    re.IGNORECASE,
)


class AccessDenied(Exception):
    """What Athena reports when S3 refuses its caller."""


def _caller_may(action: str, bucket: str, key: str) -> bool:
    evaluator: Any = import_module("ministack.core.iam_evaluator")
    responses: Any = import_module("ministack.core.responses")
    access_key_id = caller.get()
    if not access_key_id:
        return False
    account = responses.get_account_id()
    principal = evaluator.resolve_principal(access_key_id, account)
    if isinstance(principal, evaluator.AuthError):
        return False
    if principal.policies is None:
        return True
    context = evaluator.EvalContext(
        principal_arn=principal.arn, principal_type=principal.type, principal_account=principal.account,
        action=action, resource_arn=f"arn:aws:s3:::{bucket}/{key}", region=responses.get_region(),
        principal_keys=principal.keys,
    )  # fmt: skip
    return evaluator.evaluate(context, principal.policies, *principal.limits).decision == "Allow"


def _bucket_and_key(location: str) -> tuple[str, str]:
    parsed = urlparse(location)
    return parsed.netloc, parsed.path.lstrip("/")


class _Readable:
    """A bucket's objects as far as the caller may read them; counts what it left out."""

    def __init__(self, bucket: str, objects: dict[str, Any]) -> None:
        self.left_out = 0
        self._bucket, self._objects = bucket, objects

    def under(self, prefix: str) -> dict[str, Any]:
        keys = [key for key in self._objects if key.startswith(prefix)]
        kept = {key: self._objects[key] for key in keys if _caller_may("s3:GetObject", self._bucket, key)}
        self.left_out = len(keys) - len(kept)
        return kept


def teach() -> None:
    """Check reads, writes and the fetching of results against the caller's policies."""
    athena: Any = import_module("ministack.services.athena")
    s3: Any = import_module("ministack.services.s3")
    actions: Any = import_module("ministack.core.iam_actions")
    responses: Any = import_module("ministack.core.responses")
    untaught: dict[str, Callable[..., Any]] = {
        name: getattr(athena, name)
        for name in ("_start_query_execution", "_materialize_table_files", "_save_query_results", "_get_query_results")
    }
    untaught_arn = actions.extract_resource_arn

    def start(data: dict[str, Any]) -> Any:
        if OUTSIDE.search(re.sub(r"--[^\n]*|/\*.*?\*/", " ", data.get("QueryString", ""), flags=re.S)):
            message = "Queries name tables of the catalog only."
            return responses.error_response_json("InvalidRequestException", message, 400)
        return untaught["_start_query_execution"](data)

    def materialize(location: str, workdirs: list[str]) -> list[str]:
        bucket, prefix = _bucket_and_key(location)
        stored = s3._buckets.get(bucket)
        if stored is None:
            return []
        readable = _Readable(bucket, stored["objects"])
        kept = readable.under(prefix)
        if readable.left_out and not kept:
            raise AccessDenied(f"Access Denied (Service: Amazon S3; Status Code: 403) for s3://{bucket}/{prefix}")
        account = responses.get_account_id()
        full = stored["objects"]
        s3._buckets._data[(account, bucket)] = {**stored, "objects": kept}
        try:  # nothing else runs in between: this is one step of the event loop
            return untaught["_materialize_table_files"](location, workdirs)
        finally:
            s3._buckets._data[(account, bucket)] = stored
            assert stored["objects"] is full

    async def save(query_id: str) -> None:
        execution = athena._executions.get(query_id)
        status, configuration = execution["Status"], execution["ResultConfiguration"]
        location = configuration["OutputLocation"]
        bucket, key = _bucket_and_key(location)
        if not _caller_may("s3:PutObject", bucket, key):
            execution["_results"] = None
            raise AccessDenied(f"Access denied when writing to location: s3://{bucket}/{key}")
        # Untaught, a query has succeeded before its results are there, and they are one folder too deep.
        status["State"] = "RUNNING"
        configuration["OutputLocation"] = location.rsplit("/", 1)[0]
        try:
            await untaught["_save_query_results"](query_id)
        finally:
            configuration["OutputLocation"] = location
        if status["State"] == "RUNNING":
            status["State"] = "SUCCEEDED"

    def results(data: dict[str, Any]) -> Any:
        execution = athena._executions.get(data.get("QueryExecutionId"))
        location = execution["ResultConfiguration"]["OutputLocation"] if execution else ""
        if execution and not _caller_may("s3:GetObject", *_bucket_and_key(location)):
            message = "You do not have permission to access the results of this query."
            return responses.error_response_json("AccessDeniedException", message, 403)
        return untaught["_get_query_results"](data)

    def resource_arn(
        service: str, method: str, path: str, headers: Any, body: bytes, params: Any, region: str, account: str
    ) -> str:
        if service == "athena" and b'"QueryExecutionId"' in body:
            execution = athena._executions.get(json.loads(body).get("QueryExecutionId"))
            if execution:
                return f"arn:aws:athena:{region}:{account}:workgroup/{execution['WorkGroup']}"
        return untaught_arn(service, method, path, headers, body, params, region, account)

    athena._start_query_execution, athena._materialize_table_files = start, materialize
    athena._save_query_results, athena._get_query_results = save, results
    actions.extract_resource_arn = resource_arn
