"""What a function may be configured to be."""

import json
import re
from typing import Any

from scones.local.services.lambda_.ledger import invalid

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_TIMEOUT_S = 900
MAX_MEMORY_MB = 10_240
MAX_TMP_MB = 10_240
MAX_VARIABLES_BYTES = 4096
MAX_LAYERS = 5
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
RESERVED = {
    "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
}  # fmt: skip
_RUNTIME = re.compile(r"python3\.\d+")


def check(settings: dict[str, Any]) -> None:
    """InvalidParameterValueException for a value that a function cannot have."""
    runtime = settings.get("Runtime")
    if runtime is not None and not _RUNTIME.fullmatch(runtime):
        raise invalid(f"The local cloud runs python3.x functions; Runtime {runtime} is none.")
    _check_range("Timeout", settings.get("Timeout"), 1, MAX_TIMEOUT_S)
    _check_range("MemorySize", settings.get("MemorySize"), 128, MAX_MEMORY_MB)
    storage = settings.get("EphemeralStorage") or {}
    _check_range("EphemeralStorage.Size", storage.get("Size"), 512, MAX_TMP_MB)
    if len(settings.get("Layers") or []) > MAX_LAYERS:
        raise invalid(f"Cannot reference more than {MAX_LAYERS} layers.")
    _check_variables((settings.get("Environment") or {}).get("Variables") or {})


def _check_range(name: str, value: int | None, low: int, high: int) -> None:
    if value is not None and not low <= value <= high:
        raise invalid(f"Value {value} at '{name}' must be between {low} and {high}.")


def _check_variables(variables: dict[str, str]) -> None:
    unable = "Lambda was unable to configure your environment variables because the environment "
    if reserved := sorted(RESERVED & variables.keys()):
        raise invalid(
            f"{unable}variables you have provided contains reserved keys that are currently not "
            f"supported for modification. Reserved keys used in this request: {', '.join(reserved)}"
        )
    told = json.dumps(variables, separators=(",", ":"), ensure_ascii=False)
    if len(told.encode()) > MAX_VARIABLES_BYTES:
        raise invalid(
            f"{unable}variables you have provided exceeded the 4KB limit. String measured: {told}"
        )
