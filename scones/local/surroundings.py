"""The environment in which any AWS program finds the local cloud instead of AWS."""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from scones.local.control import Running
from scones.local.identity import Identity

_PLUGIN_FOLDER = str(Path(__file__).parent / "client")
_NO_TELEMETRY = """\
# The SageMaker SDK would report each call to an address of AWS, which AWS_ENDPOINT_URL does not
# change, and wait for it.
SchemaVersion: "1.0"
SageMaker:
  PythonSDK:
    Modules:
      TelemetryOptOut: true
"""

_LEADS_ELSEWHERE = re.compile(
    "AWS_(DEFAULT_)?PROFILE|AWS_(SESSION|SECURITY)_TOKEN|AWS_ENDPOINT_URL_.*"
    "|AWS_USE_(FIPS|DUALSTACK)_ENDPOINT"
)


def unwanted(around: Mapping[str, str]) -> list[str]:
    """Variables of `around` that would lead an AWS program elsewhere, to be unset."""
    return sorted(name for name in around if _LEADS_ELSEWHERE.fullmatch(name))


def variables(running: Running, home: Path, around: Mapping[str, str]) -> dict[str, str]:
    """What to set for a program whose environment is `around` so far.

    Writes the SageMaker SDK's configuration file into `home`.
    """
    config = home.resolve() / "sagemaker-config.yaml"
    config.write_text(_NO_TELEMETRY)
    identity = Identity(running.url, account=running.account, region=running.region)
    # Python's own programs read the lower-case name first, others only the upper-case one.
    direct = _joined(",", "localhost,127.0.0.1", around.get("no_proxy") or around.get("NO_PROXY"))
    return {
        **identity.environment(),
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
        "AWS_EC2_METADATA_DISABLED": "true",
        "BOTOCORE_EXPERIMENTAL__PLUGINS": "scones=scones_endpoint",
        "PYTHONPATH": _joined(os.pathsep, _PLUGIN_FOLDER, around.get("PYTHONPATH")),
        "PATH": _with_our_programs(around.get("PATH", os.defpath)),
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(config),
        "NO_PROXY": direct,
        "no_proxy": direct,
    }


def _joined(separator: str, ours: str, theirs: str | None) -> str:
    parts = [each for each in (theirs or "").split(separator) if each]
    return separator.join([*(own for own in ours.split(separator) if own not in parts), *parts])


def _with_our_programs(path: str) -> str:
    """`aws` and `jupyter` of this environment, for who has no others."""
    ours = str(Path(sys.executable).parent)
    return path if ours in path.split(os.pathsep) else f"{path}{os.pathsep}{ours}"
