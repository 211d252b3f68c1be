"""Which command on this computer stands for which container image.

There is no Docker here: an image is a name, and a name is a command that keeps SageMaker's
container contract. The built-in names come from whoever starts the cloud; `containers.json` in the
home folder adds to them, or replaces one, and is read anew at each use:

    {"my-image": {"train": ["python", "train.py"], "serve": ["python", "serve.py"]}}
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from scones.local.identity import Identity

Commands = Mapping[str, Mapping[str, Sequence[str]]]


class Containers:
    """The registered images."""

    def __init__(self, built_in: Commands, file: Path) -> None:
        self._built_in = built_in
        self._file = file

    def command(self, image: str, verb: str) -> list[str]:
        """The command for `image` ("train" or "serve"); LookupError tells how to register one.

        An image is known by its whole URI, or without its tag, or without its registry, or by the
        last part of its repository's name.
        """
        registered = self._registered()
        for name in names(image):
            if verb in registered.get(name, {}):
                return list(registered[name][verb])
        raise LookupError(self._unknown(image, verb, registered))

    def _registered(self) -> dict[str, Mapping[str, Sequence[str]]]:
        own = json.loads(self._file.read_text()) if self._file.exists() else {}
        return {**self._built_in, **own}

    def _unknown(self, image: str, verb: str, registered: Commands) -> str:
        known = ", ".join(sorted(name for name in registered if verb in registered[name]))
        example = json.dumps({list(names(image))[-1]: {verb: ["python", f"{verb}.py"]}})
        return (
            f"No command is registered to {verb} with the image {image}. "
            f"Known images: {known or 'none'}. To register one, write {example} into {self._file}."
        )


def names(image: str) -> Iterator[str]:
    """The names by which `image` may be registered, the most particular first."""
    yield image
    untagged = image.partition("@")[0]
    head, slash, tail = untagged.rpartition("/")
    untagged = head + slash + tail.partition(":")[0]
    yield untagged
    registry, slash, repository = untagged.partition("/")
    if slash and ("." in registry or ":" in registry or registry == "localhost"):
        yield repository
    yield untagged.rpartition("/")[2]


def environment(identity: Identity, own: Mapping[str, str]) -> dict[str, str]:
    """What a container sees: this computer's variables, but for AWS_*, then `own`."""
    around = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**around, "PYTHONUNBUFFERED": "1", **identity.environment(), **own}
