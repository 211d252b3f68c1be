"""`python -m bench [NAME ...]`: run the named benches, or all of them, and print their tables.

NAME may be `bench.part` where a bench has parts.
"""

import importlib
import pkgutil
import sys
from pathlib import Path

NOT_BENCHES = {"__main__", "clouds", "load", "nothing", "peers", "resnet", "table"}


def main(names: list[str]) -> int:
    """Run each bench in turn; an unknown name is refused with the known ones."""
    known = sorted(
        module.name
        for module in pkgutil.iter_modules([str(Path(__file__).parent)])
        if module.name not in NOT_BENCHES
    )
    unknown = [name for name in names if name.partition(".")[0] not in known]
    if unknown:
        sys.stderr.write(f"bench: no bench named {unknown[0]!r}; there are: {', '.join(known)}\n")
        return 2
    for name in names or known:
        bench, _, part = name.partition(".")
        importlib.import_module(f"bench.{bench}").main(*([part] if part else []))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
