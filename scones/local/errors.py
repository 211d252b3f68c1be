"""A service's answer that is a refusal, in AWS's own words."""

from typing import Any


class ServiceError(Exception):
    """What a service says instead of a result.

    `code` is AWS's error code as clients see it in `response["Error"]["Code"]`, `status` the HTTP
    status. `members` are further members of the error's shape, in AWS's spelling (ModelError's
    `OriginalStatusCode`, say).
    """

    def __init__(self, code: str, message: str, status: int = 400, **members: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.members = members
