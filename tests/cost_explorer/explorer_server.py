"""AWS Cost Explorer in its recorded shape: what is asked and what is answered fit botocore's model of the service.

It keeps a small bill, and filters, groups and pages as the API reference says. It fails by error codes of the model, in
the service's JSON protocol.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from botocore.session import Session
from botocore.validate import ParamValidator
from fixtures.sts_server import SECRET_TEXT, Received, Reply

TARGET = "AWSInsightsIndexService.GetCostAndUsage"
SIGNED = re.compile(r"AWS4-HMAC-SHA256 Credential=[A-Z0-9]+/\d{8}/[a-z0-9-]+/ce/aws4_request, SignedHeaders=.*host.*")
_OPERATION = Session().get_service_model("ce").operation_model("GetCostAndUsage")


@dataclass(frozen=True)
class Charge:
    """One line of the bill; `tags` without a key are untagged."""

    day: date
    service: str
    amount: Decimal
    tags: dict[str, str] = field(default_factory=dict[str, str])
    record: str = "Usage"
    unit: str = "USD"


class Explorer:
    """Answers `GetCostAndUsage`; `asked` are the requests in order, `replies` are given first."""

    def __init__(self, bill: Iterable[Charge], *, today: date, per_page: int = 1_000) -> None:
        self.bill = list(bill)
        self.today = today
        self.per_page = per_page
        self.asked: list[dict[str, Any]] = []
        self.requests: list[Received] = []
        self.replies: list[Reply] = []
        self.change: Callable[[dict[str, Any]], None] | None = None

    async def __call__(self, request: Received) -> Reply:
        assert (request.method, request.path, request.headers["x-amz-target"]) == ("POST", "/", TARGET)
        assert request.headers["content-type"] == "application/x-amz-json-1.1"
        assert SIGNED.match(request.headers["authorization"])
        assert request.headers["x-amz-security-token"]
        body = json.loads(request.body)
        fits(body, _OPERATION.input_shape)
        self.asked.append(body)
        self.requests.append(request)
        if self.replies:
            return self.replies.pop(0)
        answer = self.answer(body)
        if self.change:
            self.change(answer)
        fits(answer, _OPERATION.output_shape)
        return Reply(200, json.dumps(answer).encode(), {"Content-Type": "application/x-amz-json-1.1"})

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        """What the service answers: one result a day or month, each with a page's part of the groups."""
        start, end = (date.fromisoformat(body["TimePeriod"][edge]) for edge in ("Start", "End"))
        assert start < end <= self.today + timedelta(days=1)
        assert len(body.get("GroupBy", [])) <= 2
        (metric,) = body["Metrics"]
        found = [one for one in self.bill if start <= one.day < end and matches(one, body.get("Filter"))]
        results: list[dict[str, Any]] = []
        for first, last in _spans(start, end, body["Granularity"]):
            of_span = [one for one in found if first <= one.day < last]
            period = {"Start": str(first), "End": str(last)}
            estimated = last > self.today.replace(day=1)
            if not body.get("GroupBy"):
                total = {metric: _sum(of_span)}
                results.append({"TimePeriod": period, "Total": total, "Groups": [], "Estimated": estimated})
                continue
            groups: dict[tuple[str, ...], list[Charge]] = {}
            for one in of_span:
                groups.setdefault(tuple(_key(one, group) for group in body["GroupBy"]), []).append(one)
            listed = [{"Keys": list(keys), "Metrics": {metric: _sum(of)}} for keys, of in sorted(groups.items())]
            results.append({"TimePeriod": period, "Total": {}, "Groups": listed, "Estimated": estimated})
        return self._paged(results, body)

    def _paged(self, results: list[dict[str, Any]], body: dict[str, Any]) -> dict[str, Any]:
        number = int(body.get("NextPageToken", "page-0").removeprefix("page-"))
        low, high, at, more = number * self.per_page, (number + 1) * self.per_page, 0, False
        for result in results:
            kept = [group for n, group in enumerate(result["Groups"], at) if low <= n < high]
            at += len(result["Groups"])
            result["Groups"] = kept
            more = at > high
        answer: dict[str, Any] = {"ResultsByTime": results, "DimensionValueAttributes": []}
        if body.get("GroupBy"):
            answer["GroupDefinitions"] = body["GroupBy"]
        return {**answer, "NextPageToken": f"page-{number + 1}"} if more else answer


def fits(value: dict[str, Any], shape: Any) -> None:
    """Hold a message against the service's model."""
    report = ParamValidator().validate(value, shape)
    assert not report.has_errors(), report.generate_report()


def matches(charge: Charge, expression: dict[str, Any] | None) -> bool:
    """Whether a filter takes a charge; it has one root, as the service asks."""
    if expression is None:
        return True
    ((root, inner),) = expression.items()
    if root == "And":
        assert len(inner) > 1
        return all(matches(charge, one) for one in inner)
    own = {"SERVICE": charge.service, "RECORD_TYPE": charge.record}
    value = own[inner["Key"]] if root == "Dimensions" else charge.tags.get(inner["Key"])
    if inner["MatchOptions"] == ["ABSENT"]:
        return value is None
    assert inner["MatchOptions"] == ["EQUALS", "CASE_SENSITIVE"]
    return value in inner["Values"]


def refusal(code: str, status: int = 400) -> Reply:
    """A failure as the service words it."""
    body = json.dumps({"__type": code, "message": SECRET_TEXT}).encode()
    return Reply(status, body, {"Content-Type": "application/x-amz-json-1.1"})


def tenant_filter(body: dict[str, Any], key: str) -> list[str]:
    """The tenants that a request is narrowed to by a filter at its root or directly below an And; else none."""
    asked = body.get("Filter", {})
    tags = [one["Tags"] for one in asked.get("And", [asked]) if "Tags" in one]
    return [value for tag in tags if tag["Key"] == key and "Values" in tag for value in tag["Values"]]


def _key(charge: Charge, group: dict[str, str]) -> str:
    if group["Type"] == "TAG":
        return f"{group['Key']}${charge.tags.get(group['Key'], '')}"
    return {"SERVICE": charge.service, "RECORD_TYPE": charge.record}[group["Key"]]


def _sum(charges: list[Charge]) -> dict[str, str]:
    units = {one.unit for one in charges} or {"USD"}
    (unit,) = units
    return {"Amount": str(sum((one.amount for one in charges), Decimal(0))), "Unit": unit}


def _spans(start: date, end: date, granularity: str) -> list[tuple[date, date]]:
    spans: list[tuple[date, date]] = []
    while start < end:
        after = start + timedelta(days=1)
        if granularity == "MONTHLY":
            after = (start.replace(day=1) + timedelta(days=32)).replace(day=1)
        spans.append((start, min(after, end)))
        start = spans[-1][1]
    return spans
