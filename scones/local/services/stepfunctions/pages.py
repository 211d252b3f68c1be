"""Long lists, a page at a time."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any, TypeVar

from scones.local.services.stepfunctions.refusals import bad_token

Item = TypeVar("Item")


def page(
    items: Sequence[Item], most: int | None, token: str | None, default: int = 100
) -> tuple[Sequence[Item], dict[str, Any]]:
    """A page of `items` and the members that lead to the next; 0 means the default."""
    first = position(token)
    last = first + (most or default)
    rest = {"nextToken": token_for(last)} if last < len(items) else {}
    return items[first:last], rest


def position(token: str | None) -> int:
    """Where a page begins; ServiceError InvalidToken."""
    if token is None:
        return 0
    try:
        found = int(base64.urlsafe_b64decode(token.encode()).decode().removeprefix("at:"))
    except (ValueError, binascii.Error, UnicodeError) as error:
        raise bad_token(token) from error
    if found < 0:
        raise bad_token(token)
    return found


def token_for(place: int) -> str:
    """A token for the page that begins at `place`."""
    return base64.urlsafe_b64encode(f"at:{place}".encode()).decode()
