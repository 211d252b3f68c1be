"""What the local cloud carries, as a page: `python -m scones.local.carries > docs/carries.md`.

Rendered from the inspection by which the gateway itself decides what to answer.
"""

import asyncio
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from functools import cache
from pathlib import Path
from typing import Any

from scones.local.build import Ground, build
from scones.local.carried import Carried, Operation
from scones.local.gateway import Gateway
from scones.local.identity import Identity
from scones.local.processes import Processes

_HEAD = """\
# What the local cloud carries

Made by `python -m scones.local.carries`; a test holds it to the code. Whatever is not in these
tables answers 501 `NotImplemented`, and names itself.
"""


def page() -> str:
    """The page in Markdown, of the services that `build` makes."""
    with tempfile.TemporaryDirectory() as folder:
        return render(_carried(Path(folder)))


@cache
def carried_names() -> dict[str, list[str]]:
    """AWS's names of the operations carried, by boto3's names of the services."""
    with tempfile.TemporaryDirectory() as folder:
        services = _carried(Path(folder)).items()
        return {name: sorted(each.by_name) for name, each in services}


def render(services: Mapping[str, Carried]) -> str:
    """The page in Markdown."""
    return "\n".join([_HEAD, *_summary(services), *_sections(services)]) + "\n"


def _carried(home: Path) -> Mapping[str, Carried]:
    gateway = Gateway(home / "incoming")
    processes = Processes(home / "processes")
    services = build(Ground(home, Identity("http://127.0.0.1"), processes, {}, gateway.call))
    gateway.carry(services)
    asyncio.run(_left(services.values()))
    return gateway.carried


async def _left(services: Iterable[Any]) -> None:
    """Every service is entered and left, so that none keeps a file open."""
    async with AsyncExitStack() as stack:
        for each in services:
            if hasattr(each, "__aenter__"):
                await stack.enter_async_context(each)


def _summary(services: Mapping[str, Carried]) -> Iterator[str]:
    yield "| service | boto3 client | protocol | operations |"
    yield "|---|---|---|---|"
    for name, each in sorted(services.items()):
        of_all = f"{len(each.by_name)} of {len(each.model.operation_names)}"
        yield f"| {each.model.metadata['serviceId']} | `{name}` | {each.protocol} | {of_all} |"
    yield ""


def _sections(services: Mapping[str, Carried]) -> Iterator[str]:
    for _, each in sorted(services.items()):
        yield f"## {each.model.metadata['serviceId']}\n"
        yield "| operation | members that it does not carry |"
        yield "|---|---|"
        for _, operation in sorted(each.by_name.items()):
            yield f"| {operation.model.name} | {', '.join(_left_out(operation))} |"
        yield ""


def _left_out(operation: Operation) -> list[str]:
    shape = operation.model.input_shape
    return sorted(set(shape.members if shape else ()) - operation.parameters)


if __name__ == "__main__":
    sys.stdout.write(page())
