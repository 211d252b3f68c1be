"""Run a handler as AWS's Python runtime does: `python -I -S launch.py PLAN HANDLER`.

PLAN is JSON: `path`, what comes before the standard library in `sys.path` (the function's folder,
its layers); `folders`, where packages are installed; `names`, which of them the handler may import,
null for all; `client`, "awslambdaric" or the path of a file with a `main(handler)`.

What AWS's runtime lacks is lacking here: a finder at the end of `sys.meta_path` offers the named
packages and nothing else of the environment. A folder of symbolic links would do the same, but
would have to be kept on disk, and Windows gives links to administrators only.
"""

import importlib
import importlib.util
import json
import re
import site
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


class Offered:
    """Finds the named top-level packages in some folders, and the metadata of the same."""

    def __init__(self, folders: list[str], names: list[str]) -> None:
        self._folders = folders
        self._names = frozenset(names)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As PathFinder does; a submodule's `path` is its package's, and no affair of ours."""
        if path is None and fullname in self._names:
            return PathFinder.find_spec(fullname, self._folders, target)
        return None

    def find_distributions(self, context: Any) -> list[Any]:
        """What `importlib.metadata.version("boto3")` reads.

        Only importlib.metadata calls this, so it is there; importing it costs every start 20 ms.
        """
        metadata: Any = sys.modules["importlib.metadata"]
        inside = metadata.DistributionFinder.Context(name=context.name, path=self._folders)
        found = metadata.MetadataPathFinder.find_distributions(inside)
        return [each for each in found if _module(each.name) in self._names]


def _module(distribution: str) -> str:
    """The module of a distribution: python-dateutil gives dateutil."""
    return re.sub(r"[-.]+", "_", distribution.lower()).removeprefix("python_")


def main(plan: dict[str, list[str] | str | None], handler: str) -> None:
    """Arrange the imports, then serve invocations until killed."""
    path, folders, names = plan["path"], plan["folders"], plan["names"]
    assert isinstance(path, list) and isinstance(folders, list), "path and folders are lists"
    sys.path[:0] = path
    if isinstance(names, list):
        sys.meta_path.append(Offered(folders, names))
    else:
        sys.path += folders
    site.setquit()  # `exit` and `quit`, which -S leaves out and AWS's runtime has
    site.sethelper()
    sys.argv = ["/var/runtime/bootstrap.py"]
    if plan["client"] == "awslambdaric":
        importlib.import_module("awslambdaric.__main__").main(["", handler])
    else:
        _load(str(plan["client"])).main(handler)


def _load(file: str) -> ModuleType:
    """A module that no import finds: its name is left to the function's own."""
    spec = importlib.util.spec_from_file_location("_bootstrap", file)
    assert spec is not None and spec.loader is not None, f"{file} is no Python file"
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2])
