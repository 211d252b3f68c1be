"""The course's notebook flow through the genuine SageMaker SDK 2.x, as `scones exec` runs it."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest

from scones.cli.connection import CONTAINERS
from scones.images import cifar100
from scones.images.manifest import Entry, write_lst
from scones.workflow.archive import write_sample

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).parent / "programs" / "course_sdk.py"
REAL = Path(__file__).resolve().parents[3] / "shared" / "data"
PICTURES = {"train": 200, "test": 40}


def put_pictures(folder: Path) -> None:
    """`train/`, `test/` and their lists, written as the course writes them: RGBA, by matplotlib."""
    real = REAL / "cifar-100-python-two-classes.tar.gz"
    data = cifar100.read(
        real if real.is_file() else write_sample(folder / "archive"), ("bicycle", "motorcycle")
    )
    for split, images in (("train", data.train), ("test", data.test)):
        (folder / split).mkdir()
        chosen = images.take(range(PICTURES[split]))
        rows = zip(chosen.filenames, chosen.labels_N, chosen.pixels_NHWC, strict=True)
        entries = []
        for name, label, pixels_HWC in rows:
            plt.imsave(folder / split / name, pixels_HWC)
            entries.append(Entry(name, int(label), split, ""))
        (folder / f"{split}.lst").write_text(write_lst(entries))


@contextmanager
def unreachable_proxy(callers: list[bytes]) -> Iterator[str]:
    """A proxy that serves nobody and notes who came: whatever leaves this computer does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def note() -> None:
            while True:
                try:
                    caller, _ = listener.accept()
                except OSError:
                    return
                with caller:
                    callers.append(caller.recv(200))

        thread = threading.Thread(target=note, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.fixture(scope="module")
def journey(start_cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the program saw (`seen.json`), what it printed, and who asked the proxy."""
    if find_spec("sagemaker") is None:
        pytest.skip("needs the SageMaker SDK, which the extra `sdk` brings")
    folder = tmp_path_factory.mktemp("notebook")
    put_pictures(folder)
    cloud = start_cloud(containers=CONTAINERS, arguments=("--capture-window-s", "3"))
    left_out = ("AWS_", "SAGEMAKER_", "SCONES_")
    around = {k: v for k, v in os.environ.items() if not k.startswith(left_out)}
    around["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{around['PATH']}"
    scones = [sys.executable, "-c", "from scones.cli import main; main()"]
    callers: list[bytes] = []
    with unreachable_proxy(callers) as proxy:
        ran = subprocess.run(
            [*scones, "exec", "--home", str(cloud.home), "--", sys.executable, str(PROGRAM)],
            cwd=folder,
            env={**around, "HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "HOME": str(folder)},
            capture_output=True,
            text=True,
            timeout=900,
        )
    assert ran.returncode == 0, ran.stderr[-3000:]
    seen = json.loads((folder / "seen.json").read_text())
    return {**seen, "out": ran.stdout, "err": ran.stderr, "callers": callers}


def test_session_bucket_and_role_are_the_clouds(journey: dict[str, Any]) -> None:
    assert journey["region"] == "us-east-1"
    assert journey["bucket"] == "sagemaker-us-east-1-000000000000"
    assert journey["role"] == "arn:aws:iam::000000000000:role/service-role/SconesRole"


def test_the_command_line_syncs_every_picture(journey: dict[str, Any]) -> None:
    assert (journey["train_synced"], journey["test_synced"]) == (200, 40)
    assert journey["test_objects"] == 41  # with test.lst: the prefix is "test"


def test_the_built_in_image_trains_and_its_log_is_streamed(journey: dict[str, Any]) -> None:
    assert journey["image"].endswith(".dkr.ecr.us-east-1.amazonaws.com/image-classification:1")
    assert journey["job_status"] == "Completed"
    assert set(journey["metrics"]) == {"train:accuracy", "validation:accuracy"}
    name = journey["job"]
    assert journey["model_data"] == (
        f"s3://{journey['bucket']}/models/image_model/{name}/output/model.tar.gz"
    )
    out = journey["out"]
    for said in (
        "Starting - Preparing the instances for training", "Docker entrypoint called",
        "Epoch[1] Validation-accuracy=", "Completed - Training job completed", "Billable seconds:",
    ):  # fmt: skip
        assert out.count(said) == 1, f"{said!r} in {out}"


def test_a_picture_is_answered_with_a_probability_a_class(journey: dict[str, Any]) -> None:
    for probabilities in [*journey["inferences"], journey["answer_after_update"]]:
        assert len(probabilities) == 2
        assert sum(probabilities) == pytest.approx(1, abs=1e-6)
    assert journey["answer_after_update"] == journey["inferences"][0]


def test_what_is_no_picture_is_refused_in_the_algorithms_words(journey: dict[str, Any]) -> None:
    refusal = journey["refusal"]
    assert (refusal["Code"], refusal["status"]) == ("ModelError", 400)
    said = 'Received client error (400) from primary with message "unable to evaluate payload'
    assert refusal["Message"].startswith(said)


def test_the_downloader_brings_what_was_captured(journey: dict[str, Any]) -> None:
    assert journey["nothing"] == []
    name = r"AllTraffic/\d{4}/\d\d/\d\d/\d\d/\d\d-\d\d-\d{3}-[0-9a-f-]{36}\.jsonl"
    assert all(re.fullmatch(name, each) for each in journey["captured_files"])
    outputs = [each["captureData"]["endpointOutput"] for each in journey["records"]]
    assert [json.loads(each["data"]) for each in outputs] == journey["inferences"]
    inputs = [each["captureData"]["endpointInput"] for each in journey["records"]]
    assert {(each["observedContentType"], each["encoding"]) for each in inputs} == {
        ("image/png", "BASE64")
    }


def test_capture_is_changed_while_the_endpoint_serves(journey: dict[str, Any]) -> None:
    assert journey["monitors"] == []
    updated = journey["updated_capture"]
    assert updated["DestinationS3Uri"] == f"s3://{journey['bucket']}/other"
    assert updated["CurrentSamplingPercentage"] == 50


def test_the_deleted_endpoint_is_gone(journey: dict[str, Any]) -> None:
    assert journey["gone"]["Code"] == "ValidationError"
    assert (
        f"Endpoint {journey['endpoint']} of account 000000000000 not found."
        in (journey["gone"]["Message"])
    )
    assert journey["configs_left"] == [journey["endpoint"]]  # the SDK deletes the newest only


def test_nothing_left_this_computer(journey: dict[str, Any]) -> None:
    assert journey["callers"] == []
    assert "Traceback" not in journey["err"]
