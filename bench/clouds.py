"""Our own contestant: a local cloud on a home of its own."""

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from scones.local import control

CONTAINERS = {
    "image-classification": {
        "train": [sys.executable, "-m", "scones.container.job"],
        "serve": [sys.executable, "-m", "scones.container.endpoint"],
    }
}


@contextlib.contextmanager
def scones() -> Iterator[str]:
    """A local cloud on a free port and a fresh home; its endpoint URL."""
    with running() as cloud:
        yield cloud.url


@contextlib.contextmanager
def running() -> Iterator[control.Running]:
    """The same, with its process id."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        arguments = ["--port", "0", "--containers", json.dumps(CONTAINERS)]
        try:
            yield control.start(home, arguments=arguments)
        finally:
            control.stop(home)
