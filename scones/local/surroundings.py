"""The environment in which any AWS program finds the local cloud instead of AWS."""

import os
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

UNSET = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
"""Variables that would lead a program elsewhere."""


def variables(running: Running, home: Path, around: Mapping[str, str]) -> dict[str, str]:
    """What to set for a program whose environment is `around` so far.

    Writes the SageMaker SDK's configuration file into `home`.
    """
    config = home.resolve() / "sagemaker-config.yaml"
    config.write_text(_NO_TELEMETRY)
    identity = Identity(running.url, region=running.region)
    return {
        **identity.environment(),
        "AWS_EC2_METADATA_DISABLED": "true",
        "BOTOCORE_EXPERIMENTAL__PLUGINS": "scones=scones_endpoint",
        "PYTHONPATH": _joined(os.pathsep, _PLUGIN_FOLDER, around.get("PYTHONPATH")),
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(config),
        "NO_PROXY": _joined(",", "localhost,127.0.0.1", around.get("NO_PROXY")),
    }


def _joined(separator: str, ours: str, theirs: str | None) -> str:
    parts = [each for each in (theirs or "").split(separator) if each]
    return separator.join([*(own for own in ours.split(separator) if own not in parts), *parts])
