"""What is sent to Lambda and Step Functions."""

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scones.settings import Bay, Settings
from scones.workflow.machine import definition, functions_zip

ARNS = {
    name: f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    for name in ("serializeImageData", "imageClassification", "filterLowInferenceConfidence")
}


def test_the_zip_is_the_same_bytes_every_time() -> None:
    assert functions_zip() == functions_zip()
    with zipfile.ZipFile(io.BytesIO(functions_zip())) as archive:
        names = archive.namelist()
        assert names == ["scones/__init__.py", *sorted(names[1:])]
        assert {each.date_time for each in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {each.external_attr >> 16 for each in archive.infolist()} == {0o100644}


def test_the_unpacked_zip_runs_with_nothing_of_ours_beside_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(functions_zip())) as archive:
        archive.extractall(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import scones.functions.accept as f\n"
        "import scones.functions.classify, scones.functions.serialize\n"
        "print(f.__file__, f.handler({'inferences': [.1, .9]}, None)['class'])\n"
        "heavy = {'numpy', 'PIL', 'torch', 'scipy', 'typer'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    environment = {"AWS_DEFAULT_REGION": "us-east-1", "CLASSES": '["bicycle", "motorcycle"]'}
    ran = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, env=environment
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == [str(tmp_path / "scones/functions/accept.py"), "motorcycle"]


def machine(settings: Settings) -> dict[str, object]:
    made: dict[str, object] = json.loads(definition(settings.bays_of(settings.classes), ARNS))
    return made


@pytest.mark.parametrize(
    "classes", [("bicycle", "motorcycle"), ("apple", "pear", "orange", "tank")]
)
def test_every_class_has_a_rule_and_a_bay(classes: tuple[str, ...]) -> None:
    settings = Settings(classes=classes)
    states = json.loads(definition(settings.bays_of(classes), ARNS))["States"]
    rules = states["Which bay?"]["Choices"]
    assert [rule["StringEquals"] for rule in rules] == list(classes)
    for name, rule in zip(classes, rules, strict=True):
        bay = settings.bays_of(classes)[name]
        assert states[rule["Next"]]["Result"] == {
            "bay": bay.name,
            "order_radius_km": bay.order_radius_km,
        }
    assert "${" not in json.dumps(states)


def test_bays_are_settings() -> None:
    settings = Settings(bays={"bicycle": Bay("dock 7", 1.5)})
    assert json.dumps(machine(settings)).count("bicycle to dock 7") == 2
    with pytest.raises(ValueError, match="unicycle"):
        Settings(bays={"unicycle": Bay("dock 7", 1.5)}).bays_of(("bicycle", "motorcycle"))


def test_what_the_gate_refuses_is_never_tried_again() -> None:
    states = json.loads(definition(Settings().bays_of(("bicycle", "motorcycle")), ARNS))["States"]
    tasks = {name: state for name, state in states.items() if state["Type"] == "Task"}
    assert list(tasks) == list(ARNS)
    for name, state in tasks.items():
        assert state["Parameters"]["FunctionName"] == ARNS[name]
        errors = [error for retry in state["Retry"] for error in retry["ErrorEquals"]]
        assert "Lambda.TooManyRequestsException" in errors
        assert not {"ThresholdConfidenceNotMet", "States.ALL", "States.TaskFailed"} & set(errors)
    assert "EndpointThrottled" in json.dumps(tasks["imageClassification"]["Retry"])


def test_the_picture_is_dropped_once_it_is_classified() -> None:
    states = json.loads(definition(Settings().bays_of(("bicycle", "motorcycle")), ARNS))["States"]
    assert "image_data.$" not in states["imageClassification"]["ResultSelector"]
