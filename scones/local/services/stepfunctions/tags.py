"""Operations on tags of state machines."""

from typing import Any

from scones.local.errors import ServiceError
from scones.local.services.stepfunctions import refusals
from scones.local.services.stepfunctions.ledger import Operations

_MOST = 50
"""https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"""


class TagOperations(Operations):
    """Tags."""

    async def tag_resource(self, resourceArn: str, tags: list[dict[str, str]]) -> dict[str, Any]:
        self._check_tagged(resourceArn)
        given = {each["key"]: each.get("value", "") for each in tags}
        if len({**self._ledger.machines.tags(resourceArn), **given}) > _MOST:
            raise ServiceError(
                "TooManyTags", f"Too many tags: '{resourceArn}'", resourceName=resourceArn
            )
        self._ledger.machines.tag(resourceArn, given)
        return {}

    async def untag_resource(self, resourceArn: str, tagKeys: list[str]) -> dict[str, Any]:
        self._check_tagged(resourceArn)
        self._ledger.machines.untag(resourceArn, tagKeys)
        return {}

    async def list_tags_for_resource(self, resourceArn: str) -> dict[str, Any]:
        self._check_tagged(resourceArn)
        tags = self._ledger.machines.tags(resourceArn)
        return {"tags": [{"key": key, "value": value} for key, value in tags.items()]}

    def _check_tagged(self, arn: str) -> None:
        refusals.arn(arn, "stateMachine")
        if self._ledger.machines.find(arn) is None:
            raise refusals.no_resource(arn)
