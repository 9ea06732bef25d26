"""What left a client: one JSON line for each request that reached the emulator."""

import json
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from .leading_keys import leading_keys

HIDDEN = {"WebIdentityToken", "SAMLAssertion", "Password", "AuthParameters", "Version"}
LONGEST_PARAMETERS = 8192


class Described:
    """A request in IAM's words: service, action, who signed it, and what it names."""

    def __init__(self, scope: dict[str, Any], body: bytes) -> None:
        app: Any = import_module("ministack.app")
        actions: Any = import_module("ministack.core.iam_actions")
        router: Any = import_module("ministack.core.router")
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        self.method, self.path, self.body = str(scope["method"]), str(scope["path"]), body
        fields = app._routing_params(self.method, self.path, headers, body, query)
        self.service = str(router.detect_service(self.method, self.path, headers, fields))
        iam_action = actions.extract_iam_action(self.service, self.method, self.path, headers, body, fields) or ""
        self.action = str(iam_action.partition(":")[2])
        self.access_key_id = str(router.extract_access_key_id(headers, query) or "")
        self.signed = "authorization" in headers or "X-Amz-Signature" in query
        self.parameters = self._parameters(headers, query)

    def _parameters(self, headers: dict[str, str], query: dict[str, list[str]]) -> dict[str, Any]:
        parameters: dict[str, Any] = {key: values[0] for key, values in query.items()}
        if len(self.body) <= LONGEST_PARAMETERS:
            kind = headers.get("content-type", "")
            if "json" in kind:
                try:
                    parsed = json.loads(self.body or b"{}")
                except ValueError:
                    parsed = {}
                parameters |= parsed if isinstance(parsed, dict) else {}
            elif "x-www-form-urlencoded" in kind:
                parameters |= {key: values[0] for key, values in parse_qs(self.body.decode("utf-8", "replace")).items()}
        return {key: value for key, value in parameters.items() if key not in HIDDEN and not key.startswith("X-Amz-")}

    def principal(self) -> str:
        """Return the ARN of whoever signed the request, as STS names it."""
        evaluator: Any = import_module("ministack.core.iam_evaluator")
        identity = evaluator.resolve_caller_identity(self.access_key_id) if self.access_key_id else None
        return str(identity["userArn"]) if identity else ""

    def record(self, status: int, milliseconds: float, fault: str | None) -> dict[str, Any]:
        """Return the log line: also the table and leading keys of DynamoDB, the bucket and key of S3."""
        named: dict[str, Any] = {}
        if self.service == "dynamodb":
            named = {"table": self.parameters.get("TableName"), "keys": self._leading_keys()}
        elif self.service == "s3":
            bucket, _, key = self.path.lstrip("/").partition("/")
            named = {"bucket": bucket, "key": key}
        return {
            "time": datetime.now(UTC).isoformat(timespec="microseconds"),
            "service": self.service, "action": self.action, "status": status,
            "access_key_id": self.access_key_id, "principal": self.principal(),
            "method": self.method, "path": self.path, **named, "parameters": self.parameters,
            "milliseconds": round(milliseconds, 1), "fault": fault,
        }  # fmt: skip

    def _leading_keys(self) -> list[str]:
        try:
            return leading_keys(self.parameters)
        except (AttributeError, KeyError, StopIteration, TypeError):
            return []


class RequestLog:
    """A JSONL file, appended one whole line at a time."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def write(self, record: dict[str, Any]) -> None:
        """Append one record."""
        self._file.write(json.dumps(record, separators=(",", ":"), default=str) + "\n")
