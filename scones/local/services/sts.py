"""Who am I: STS."""

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from scones.local.identity import Identity

_USER_ID = "AROASCONES00000000000"


class Sts:
    """Says that everybody is the local role, assumed; hands out keys that nothing verifies."""

    def __init__(self, identity: Identity, clock: Callable[[], float] = time.time) -> None:
        self._identity = identity
        self._clock = clock

    def get_caller_identity(self) -> dict[str, Any]:
        """An assumed role: the SageMaker SDK takes a user for an error."""
        return {
            "UserId": f"{_USER_ID}:scones",
            "Account": self._identity.account,
            "Arn": self._assumed(self._identity.role_name, "scones"),
        }

    def assume_role(
        self, RoleArn: str, RoleSessionName: str, DurationSeconds: int | None = None
    ) -> dict[str, Any]:
        """Temporary keys; they work like any others."""
        return {
            "Credentials": self._credentials(DurationSeconds or 3600),
            "AssumedRoleUser": {
                "AssumedRoleId": f"{_USER_ID}:{RoleSessionName}",
                "Arn": self._assumed(RoleArn.rpartition("/")[2], RoleSessionName),
            },
        }

    def get_session_token(self, DurationSeconds: int | None = None) -> dict[str, Any]:
        """Temporary keys for the caller itself."""
        return {"Credentials": self._credentials(DurationSeconds or 43200)}

    def _assumed(self, role: str, session: str) -> str:
        return f"arn:aws:sts::{self._identity.account}:assumed-role/{role}/{session}"

    def _credentials(self, duration_s: int) -> dict[str, Any]:
        return {
            "AccessKeyId": "ASIA" + secrets.token_hex(8).upper(),
            "SecretAccessKey": secrets.token_urlsafe(30),
            "SessionToken": secrets.token_urlsafe(60),
            "Expiration": datetime.fromtimestamp(int(self._clock()) + duration_s, UTC),
        }
