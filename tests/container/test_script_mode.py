"""Script mode's containers without a cloud: what a program is given and how answers are written."""

import asyncio
import json
import signal
import subprocess
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest

from scones.container import script_endpoint, source
from scones.container.codec import UnsupportedTypeError, decode, encode
from scones.container.script_endpoint import Script
from scones.container.script_job import arguments, decoded, main, variables


def base_with(folder: Path, program: str, **hyperparameters: Any) -> Path:
    """An /opt/ml whose code lies in a channel, as with EnableNetworkIsolation."""
    config = folder / "input" / "config"
    config.mkdir(parents=True)
    code = folder / "input" / "data" / "code"
    code.mkdir(parents=True)
    (code / "main.py").write_text(program)
    (folder / "model").mkdir()
    settings = {
        "sagemaker_program": '"main.py"',
        "sagemaker_submit_directory": '"/opt/ml/input/data/code"',
        **hyperparameters,
    }
    (config / "hyperparameters.json").write_text(json.dumps(settings))
    (config / "inputdataconfig.json").write_text('{"code": {}, "train": {}}')
    resources = {
        "current_host": "algo-1", "current_group_name": "homogeneousCluster",
        "current_instance_type": "local", "hosts": ["algo-1"], "network_interface_name": "lo",
    }  # fmt: skip
    (config / "resourceconfig.json").write_text(json.dumps(resources))
    return folder


def test_hyperparameters_become_arguments_as_the_toolkit_makes_them() -> None:
    given = {
        "batch-size": 64, "b": 1, "name": "a b", "flag": True, "nothing": None,
        "layers": [1, 2], "map": {"y": 2, "x": 1},
    }  # fmt: skip
    assert arguments(given) == [
        "-b", "1", "--batch-size", "64", "--flag", "True", "--layers", "[1, 2]",
        "--map", "x=1,y=2", "--name", "a b", "--nothing", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1), ("1e-3", 0.001), ('"a"', "a"), ("adam", "adam"), ("[1]", [1])]
)
def test_a_hyperparameter_is_json_or_plain_text(text: str, value: Any) -> None:
    assert decoded(text) == value


def test_a_program_sees_sagemaker_s_variables(tmp_path: Path) -> None:
    base = base_with(tmp_path, "")
    seen = variables(base, {"sagemaker_region": "us-east-1"}, {"epochs": 3}, "main.py", "s3://b/c")
    assert seen["SM_MODEL_DIR"] == str(base / "model")
    assert seen["SM_CHANNEL_TRAIN"] == str(base / "input" / "data" / "train")
    assert json.loads(seen["SM_CHANNELS"]) == ["code", "train"]
    assert seen["SM_HPS"] == '{"epochs":3}'
    assert (seen["SM_HP_EPOCHS"], seen["SM_USER_ARGS"]) == ("3", '["--epochs","3"]')
    assert (seen["SM_MODULE_NAME"], seen["SM_USER_ENTRY_POINT"]) == ("main", "main.py")
    assert seen["SM_FRAMEWORK_PARAMS"] == '{"sagemaker_region":"us-east-1"}'
    assert json.loads(seen["SM_TRAINING_ENV"])["hosts"] == ["algo-1"]


@pytest.mark.parametrize(
    ("program", "status", "failure"),
    [
        ("", 0, None),
        ("import sys; sys.exit(3)", 3, 'ExecuteUserScriptError:\nExitCode 3\nErrorMessage ""\n'),
        ("int('x')", 1, "ValueError: invalid literal for int() with base 10: 'x'\"\nCommand"),
    ],
)
def test_a_program_s_end_is_the_job_s(
    tmp_path: Path, program: str, status: int, failure: str | None
) -> None:
    base = base_with(tmp_path, program)
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert main({"SAGEMAKER_BASE_DIR": str(base)}) == status
    finally:
        signal.signal(signal.SIGTERM, before)
    path = base / "output" / "failure"
    assert failure in path.read_text() if failure is not None else not path.exists()


def test_without_a_program_the_job_says_what_is_missing(tmp_path: Path) -> None:
    base = base_with(tmp_path, "", sagemaker_program='""')
    done = subprocess.run(
        [sys.executable, "-m", "scones.container.script_job"],
        env={"SAGEMAKER_BASE_DIR": str(base)}, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    failure = (base / "output" / "failure").read_text()
    assert "sagemaker_program and sagemaker_submit_directory are missing" in failure


def test_a_source_archive_cannot_leave_its_folder(tmp_path: Path) -> None:
    hostile = tmp_path / "code.tar.gz"
    with tarfile.open(hostile, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../../escaped"))
    with pytest.raises(tarfile.OutsideDestinationError):
        source.unpack("/opt/ml/code.tar.gz", tmp_path, tmp_path / "code")


@pytest.mark.slow
def test_what_is_required_and_there_is_not_installed_again(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("numpy\n")
    python = source.interpreter(tmp_path, tmp_path)
    assert python != sys.executable
    where = subprocess.run(
        [python, "-c", "import numpy; print(numpy.__file__)"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert where.stdout.strip() == np.__file__


@pytest.mark.parametrize("content_type", ["application/json", "text/csv", "application/x-npy"])
def test_arrays_survive_each_content_type(content_type: str) -> None:
    array = np.array([[1.5, -2.0], [0.0, 4.0]])
    body, answered = encode(array, content_type)
    assert answered == content_type
    assert decode(body, f"{content_type}; charset=utf-8").tolist() == array.tolist()


def test_other_content_types_are_refused_by_name() -> None:
    with pytest.raises(UnsupportedTypeError, match="image/png"):
        decode(b"", "image/png")
    with pytest.raises(UnsupportedTypeError, match="image/png"):
        encode([], "image/png")


def ask(script: Script, method: str, path: str, **members: Any) -> httpx.Response:
    """One request to a script's application."""

    async def request() -> httpx.Response:
        transport = httpx.ASGITransport(app=script_endpoint.application(script))
        async with httpx.AsyncClient(transport=transport, base_url="http://container") as client:
            return await client.request(method, path, **members)

    return asyncio.run(request())


def script_of(**functions: Any) -> Script:
    program: Any = SimpleNamespace(**{"model_fn": lambda folder: lambda x: x * 2, **functions})
    return Script(program, Path("model"))


def test_the_user_s_four_functions_are_asked_in_turn() -> None:
    script = script_of(
        input_fn=lambda body, content_type: (body.decode(), content_type),
        predict_fn=lambda data, model, context: f"{model(data[0])} as {data[1]}",
        output_fn=lambda prediction, accept: (prediction.upper(), "text/plain"),
    )
    assert ask(script, "GET", "/ping").status_code == 200
    answer = ask(script, "POST", "/invocations", content=b"ab", headers={"Content-Type": "text/x"})
    assert (answer.text, answer.headers["content-type"]) == (
        "ABAB AS TEXT/X", "text/plain; charset=utf-8",
    )  # fmt: skip


def test_transform_fn_replaces_three_of_them() -> None:
    script = script_of(transform_fn=lambda model, body, content_type, accept: {"size": len(body)})
    answer = ask(script, "POST", "/invocations", content=b"abc", headers={"Accept": "*/*"})
    assert (answer.json(), answer.headers["content-type"]) == ({"size": 3}, "application/json")


@pytest.mark.parametrize("name", ["origin", "sec-fetch-site"])
def test_a_web_page_reaches_none_of_the_user_s_code(name: str) -> None:
    script = script_of(transform_fn=lambda model, body, content_type, accept: b"reached")
    refused = ask(script, "POST", "/invocations", headers={name: "https://example.com"})
    assert refused.status_code == 403


def test_an_error_in_the_user_s_code_is_torchserve_s_answer() -> None:
    def predict_fn(data: Any, model: Any) -> Any:
        raise IndexError("index out of range in self")

    script = script_of(predict_fn=predict_fn, input_fn=lambda body, content_type: body)
    answer = ask(script, "POST", "/invocations", content=b"x")
    assert (answer.status_code, answer.json()) == (
        400,
        {"code": 400, "type": "InternalServerException", "message": "index out of range in self"},
    )
    answer = ask(
        script_of(), "POST", "/invocations", content=b"x", headers={"Content-Type": "image/png"}
    )
    assert answer.status_code == 415


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_without_functions_a_torchscript_model_is_served(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")

    class Twice(torch.nn.Module):  # type: ignore[name-defined, misc]
        def forward(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[name-defined]
            return x * 2

    torch.jit.save(torch.jit.trace(Twice(), torch.ones(2)), str(tmp_path / "model.pt"))
    program: Any = SimpleNamespace()
    script = Script(program, tmp_path)
    answer = ask(script, "POST", "/invocations", content=b"[1, 2.5]")
    assert answer.json() == [2.0, 5.0]
