"""JSON text, as Step Functions writes it: no spaces, and characters as they are."""

import json
from typing import Any

dump = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def load(text: str) -> Any:
    """Read JSON; ValueError also for NaN and Infinity, which JSON has not."""
    return json.loads(text, parse_constant=_refuse)


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")
