"""Tagged resources: the one place that asks the Tagging API, with the tenant of the call forced into the question.

IAM cannot narrow tag:GetResources: what is asked here, and what is let through of the answer, is the only layer.
https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
"""

import logging
from dataclasses import dataclass
from typing import Any

from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.results.errors import InvalidArgument, NotSetUp
from tenantscope_core.serving.settings import PREFIX
from tenantscope_core.stores.aws import AwsCaller, require_owner

from tenantscope_tenant_management.arns import Place
from tenantscope_tenant_management.resources import Marks, Resource, Wanted, resource, values_asked

MOST_REQUESTS = 20
A_REQUEST = 100  # the most that AWS gives in one
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tagged:
    """Every resource found, in no order, and whether these are all."""

    resources: list[Resource]
    complete: bool


class TaggedResources:
    """Asks with the session of the call, in the server's own region and the account of its roles."""

    def __init__(self, marks: Marks, place: Place) -> None:
        self._marks = marks
        self.place = place

    async def of(self, aws: AwsCaller, tenant: str, wanted: Wanted, *, sees_pool: bool) -> Tagged:
        """A tenant's own resources and, for who sees them, those of the pool; up to 2,000 are read.

        Raises:
            NotSetUp: The tenant's id is the mark of the pool.
            InvalidArgument: AWS knows no such type.
            AwsError: AWS failed otherwise.
        """
        require_owner(aws, tenant)
        if tenant == self._marks.pool:
            raise NotSetUp(
                "This tenant's id is also the mark of shared resources, so they cannot be told apart; the server's "
                f"operator sets {PREFIX}POOL_TAG_VALUE to a value that no tenant has."
            )
        asked = values_asked(tenant, self._marks, wanted, sees_pool=sees_pool)
        question: dict[str, Any] = {
            "TagFilters": [{"Key": self._marks.tag, "Values": asked}],
            "ResourcesPerPage": A_REQUEST,
            **({} if wanted.service is None else {"ResourceTypeFilters": [wanted.service]}),
        }
        found: dict[str, Resource] = {}
        token, strangers = "", 0
        for _ in range(MOST_REQUESTS if asked else 0):
            answer = await self._page(aws, question, token)
            for entry in answer.get("ResourceTagMappingList", []):
                one = resource(entry, asked, self._marks, self.place)
                if one is None:
                    strangers += 1
                elif wanted.takes(one):
                    found[one.digest] = one
            token = str(answer.get("PaginationToken") or "")
            if not token:
                break
        if strangers:
            log.warning("%d resources were given that do not bear the tag asked for, and not shown", strangers)
        return Tagged(list(found.values()), complete=not token)

    async def _page(self, aws: AwsCaller, question: dict[str, Any], token: str) -> dict[str, Any]:
        more = {"PaginationToken": token} if token else {}
        try:
            return await aws.call("resourcegroupstaggingapi", "get_resources", **question, **more)
        except AwsError as error:
            if error.code == "InvalidParameterException" and "ResourceTypeFilters" in question:
                raise InvalidArgument(
                    "AWS lists no resources of this type; leave `type` out to see the types that there are.",
                    parameter="type",
                ) from error
            raise
