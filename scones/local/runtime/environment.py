"""The variables, and only those, that a handler's process finds."""

import sys

from scones.local.functions.function import Function
from scones.local.identity import Identity

# The folder that a home-less sandbox user is told of on AWS; it exists neither there nor here, so
# that nothing is read from, or written to, the home of whoever runs the cloud.
_HOME = "/home/sbx_user1051"


def environment(
    function: Function, identity: Identity, *, address: str, group: str, stream: str, task: str
) -> dict[str, str]:
    """Lambda's own variables, what leads the SDK to this cloud, and the function's.

    `address` is that of the Runtime API, `task` where the function's files are.
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    return {
        **identity.environment(),
        "HOME": _HOME,
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": "/usr/local/bin:/usr/bin:/bin:/opt/bin",
        "LD_LIBRARY_PATH": f"{task}:{task}/lib:/opt/lib",
        **function.variables,
        "_HANDLER": function.handler,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": group,
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "AWS_LAMBDA_RUNTIME_API": address,
        "LAMBDA_TASK_ROOT": task,
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
    }


def search_path(task: str, opt: str | None) -> list[str]:
    """What comes before the standard library in the handler's `sys.path`."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    layers = [f"{opt}/python/lib/{version}/site-packages", f"{opt}/python"] if opt else []
    return [task, *layers]
