"""What tests share: the folder of real data beside the checkout, and a running local cloud."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real pictures, captures and conformance cases; the test skips without it."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("needs ../shared (real pictures and recorded cases), which is absent")
    return folder


@dataclass
class Cloud:
    """A real local cloud in a child process."""

    home: Path
    process: subprocess.Popen[str]
    url: str

    def client(self, service: str, **options: Any) -> Any:
        """A genuine boto3 client; errors are not retried."""
        config = Config(retries={"total_max_attempts": 1}).merge(options.pop("config", Config()))
        given = {
            "region_name": "us-east-1",
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test",
        }
        return boto3.client(service, endpoint_url=self.url, config=config, **{**given, **options})

    def stop(self) -> int:
        """End it as SIGTERM does; the exit status."""
        self.process.terminate()
        return self.process.wait(30)

    def kill(self) -> None:
        """End it as SIGKILL does, with no time to tidy up."""
        self.process.kill()
        self.process.wait(30)


StartCloud = Callable[..., Cloud]


@pytest.fixture(scope="module")
def start_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartCloud]:
    """`start_cloud(home=None, containers={}, arguments=())`: another cloud, ended with the module.

    Start one again on the same home after `stop` or `kill` to see what is still there.
    """
    with ExitStack() as stack:

        def start(
            home: Path | None = None,
            containers: dict[str, Any] | None = None,
            arguments: tuple[str, ...] = (),
        ) -> Cloud:
            folder = home or tmp_path_factory.mktemp("cloud") / "home"
            process = subprocess.Popen(
                [
                    sys.executable, "-m", "scones.local.server", "--home", str(folder),
                    "--port", "0", "--containers", json.dumps(containers or {}), *arguments,
                ],
                stdout=subprocess.PIPE,
                text=True,
            )  # fmt: skip
            stack.callback(_end, process)
            assert process.stdout is not None
            said = process.stdout.readline()
            assert " listens on " in said, f"the local cloud did not start: {said!r}"
            return Cloud(folder, process, said.split()[5])

        yield start


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()


@pytest.fixture(scope="module")
def cloud(start_cloud: StartCloud) -> Cloud:
    """A running local cloud on a free port and a fresh home, shared by a module's tests."""
    return start_cloud()


@pytest.fixture(scope="module")
def client(cloud: Cloud) -> Callable[..., Any]:
    """`client("s3")`: a genuine boto3 client of `cloud`."""
    return cloud.client
