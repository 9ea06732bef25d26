"""Tagged resources in pages, log groups among them; what has no tag is not listed.

https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
"""

import json
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from .documents import as_list

LARGEST_PAGE = 100


def _page(found: list[Any], data: dict[str, Any]) -> dict[str, Any]:
    """One page in the order of the ARNs; the token is the last ARN of the page before: nothing is told twice."""
    after, size = str(data.get("PaginationToken") or ""), int(data.get("ResourcesPerPage") or LARGEST_PAGE)
    rest = sorted((each for each in found if each["ResourceARN"] > after), key=lambda each: each["ResourceARN"])
    page = rest[: max(1, min(size, LARGEST_PAGE))]
    token = page[-1]["ResourceARN"] if len(rest) > len(page) else ""
    return {"ResourceTagMappingList": page, "PaginationToken": token}


def teach() -> None:
    """Page GetResources, and let it find the log groups."""
    tagging: Any = import_module("ministack.services.tagging")
    logs: Any = import_module("ministack.services.cloudwatch_logs")
    untaught, untaught_match = tagging._get_resources, tagging._matches_type_filters

    def log_groups() -> Iterator[tuple[str, Any]]:
        for group in logs._log_groups.values():
            yield str(group["arn"]).removesuffix(":*"), tagging._normalise_flat(group.get("tags"))

    def matches(arn: str, filters: Any) -> Any:
        return untaught_match(arn.replace(":log-group:", ":log-group/"), filters)  # its name may hold slashes

    def get_resources(data: Any) -> Any:
        answer = untaught(data)
        if answer[0] != 200:
            return answer
        found = as_list(json.loads(answer[2])["ResourceTagMappingList"])
        return tagging._json(_page([each for each in found if each["Tags"]], data))

    tagging._COLLECTORS["logs"] = log_groups
    tagging._matches_type_filters = matches
    tagging._HANDLERS["GetResources"] = get_resources
