"""Script mode, from the SageMaker SDK's own estimator to the user's own functions."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scones.local.control import Running
from scones.local.surroundings import variables

PROGRAMS = Path(__file__).parent / "programs"
CONTAINERS = {
    "pytorch-training": {"train": [sys.executable, "-m", "scones.container.script_job"]},
    "pytorch-inference": {"serve": [sys.executable, "-m", "scones.container.script_endpoint"]},
}


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("sagemaker") is None, reason="needs sagemaker<3")
def test_the_sdk_s_pytorch_estimator_trains_and_deploys(make_hosted: Any, tmp_path: Path) -> None:
    hosted = make_hosted()
    (hosted.cloud.home / "containers.json").write_text(json.dumps(CONTAINERS))
    running = Running(hosted.cloud.process.pid, hosted.cloud.url, "us-east-1", "000000000000", 0.0)
    environment = os.environ | variables(running, tmp_path, os.environ)
    done = subprocess.run(
        [sys.executable, str(PROGRAMS / "notebook.py"), "data", str(PROGRAMS / "script")],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    good, bad = seen["jobs"]
    assert good["TrainingJobStatus"] == "Completed", good
    lines = hosted.lines("/aws/sagemaker/TrainingJobs", good["TrainingJobName"])
    assert "files: ['a.png', 'c.png', 'more']" in lines
    names = json.loads(lines[-1])
    assert {"SM_HP_LEARNING-RATE", "SM_NUM_GPUS", "SM_CHANNELS", "SM_TRAINING_ENV"} <= set(names)
    output = hosted.archive(f"script/{good['TrainingJobName']}/output/output.tar.gz")
    assert json.loads(output["hps.json"]) == {"epochs": 60, "learning-rate": 0.05}
    reason = bad["FailureReason"]
    assert reason.startswith('AlgorithmError: ExecuteUserScriptError:\nExitCode 1\nErrorMessage "')
    assert "RuntimeError: the pictures are upside down" in reason
    assert "train.py --epochs 60 --fail the pictures are upside down --learning-rate 0.05" in reason
    assert seen["answer"] == {"doubled": [2.0, 7.0]}
