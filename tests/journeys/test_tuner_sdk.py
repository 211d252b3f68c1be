"""The genuine SageMaker SDK's HyperparameterTuner: fit, wait, best job, analytics, attach."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scones.cli.connection import CONTAINERS
from scones.images import png
from scones.images.manifest import Entry, write_lst

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).parent / "programs" / "tuner_sdk.py"


def put_pictures(folder: Path) -> None:
    """Dark and bright pictures, 24 to train on and 12 to judge by, with their lists."""
    random = np.random.default_rng(0)
    for split, count in (("train", 24), ("test", 12)):
        (folder / split).mkdir()
        entries = []
        for number in range(count):
            pixels = random.integers(0, 120, (32, 32, 3), np.uint8) + 100 * (number % 2)
            (folder / split / f"{number}.png").write_bytes(png.encode(pixels.astype(np.uint8)))
            entries.append(Entry(f"{number}.png", number % 2, split, ""))
        (folder / f"{split}.lst").write_text(write_lst(entries))


@pytest.fixture(scope="module")
def journey(start_cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the program saw."""
    if find_spec("sagemaker") is None:
        pytest.skip("needs the SageMaker SDK, which the extra `sdk` brings")
    folder = tmp_path_factory.mktemp("tuner")
    put_pictures(folder)
    cloud = start_cloud(containers=CONTAINERS)
    left_out = ("AWS_", "SAGEMAKER_", "SCONES_")
    around = {k: v for k, v in os.environ.items() if not k.startswith(left_out)}
    scones = [sys.executable, "-c", "from scones.cli import main; main()"]
    ran = subprocess.run(
        [*scones, "exec", "--home", str(cloud.home), "--", sys.executable, str(PROGRAM)],
        cwd=folder, env={**around, "HOME": str(folder)}, capture_output=True, text=True,
        timeout=600, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-3000:]  # the SDK writes tracebacks there
    seen: dict[str, Any] = json.loads((folder / "seen.json").read_text())
    return seen


def test_the_search_completes_and_names_its_best(journey: dict[str, Any]) -> None:
    assert journey["status"] == "Completed"
    assert journey["counters"]["Completed"] == 3
    rows = journey["rows"]
    assert len(rows) == 3
    best = max(row["FinalObjectiveValue"] for row in rows)
    (names,) = [{r["TrainingJobName"] for r in rows if r["FinalObjectiveValue"] == best}]
    assert journey["best"] in names
    assert journey["best"].startswith(f"{journey['job']}-00")


def test_the_frame_has_what_was_chosen(journey: dict[str, Any]) -> None:
    for row in journey["rows"]:
        assert 0.001 <= float(row["learning_rate"]) <= 0.1
        assert 4 <= float(row["mini_batch_size"]) <= 10
        assert row["optimizer"].strip('"') in ("sgd", "adam")
        assert row["TrainingJobStatus"] == "Completed"
        assert row["TrainingElapsedTimeSeconds"] >= 0
    assert set(journey["ranges"]) == {"learning_rate", "mini_batch_size", "optimizer"}


def test_the_best_is_an_estimator_with_a_model(journey: dict[str, Any]) -> None:
    assert journey["best_model"].endswith(f"/models/{journey['best']}/output/model.tar.gz")
    assert set(journey["best_hyperparameters"]) >= {"epochs", "num_classes", "learning_rate"}
    assert journey["attached"] == journey["best"]
    assert journey["attached_metric"] == "validation:accuracy"
