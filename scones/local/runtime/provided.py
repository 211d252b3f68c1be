"""Which packages a handler finds without bringing them along, and where they are installed."""

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

# What AWS's Python runtimes come with, beside the standard library:
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html#python-sdk-included
_SDK = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six")
_RUNTIME = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")


@dataclass(frozen=True)
class Provided:
    """What `launch.py` needs to know of installed packages."""

    folders: list[str]
    names: list[str] | None
    """Top-level modules; `None`: all that is in the folders."""


def as_on_aws() -> Provided:
    """The AWS SDK and the runtime's own packages, wherever this environment has them."""
    found = {name: importlib.util.find_spec(name) for name in (*_SDK, *_RUNTIME)}
    folders = {_folder(spec.origin) for spec in found.values() if spec and spec.origin}
    return Provided(sorted(folders), [name for name, spec in found.items() if spec])


def whole_environment() -> Provided:
    """Every package that we ourselves can import, in our own order."""
    library = str(Path(importlib.util.__file__).parents[1])
    return Provided([each for each in sys.path if each and not library.startswith(each)], None)


def _folder(origin: str) -> str:
    file = Path(origin)
    return str(file.parent.parent if file.name == "__init__.py" else file.parent)
