"""Script mode's training container: run the user's own program with the SM_* variables.

What the program sees, and what is said of its failure, is as AWS's sagemaker-training toolkit has
it [https://github.com/aws/sagemaker-training-toolkit, ENVIRONMENT_VARIABLES.md, errors.py].
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scones.container import source

OWN_PREFIX = "sagemaker_"
"""Of the hyperparameters that are the SDK's and not the user's."""
OBJECTIVE = "_tuning_objective_metric"
"""By it a tuning job says what it judges by; the toolkit keeps it from the program as well."""
LAST_LINES = 60
"""Of the program's errors, for the failure file."""


def main(environment: Mapping[str, str] = os.environ) -> int:
    """Run the job; the program's exit status, or 1."""
    base = Path(environment.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the program, in our group, hears it too
    try:
        return run(base, environment)
    except ValueError as error:
        _fail(base, str(error))
        return 1


def run(base: Path, environment: Mapping[str, str]) -> int:
    """Fetch the code, run it, and write down why it failed if it did."""
    settings = {name: decoded(text) for name, text in _configuration(base, "hyperparameters")}
    own = {
        name: value
        for name, value in settings.items()
        if name.startswith(OWN_PREFIX) or name == OBJECTIVE
    }
    theirs = {name: value for name, value in settings.items() if name not in own}
    program = own.get("sagemaker_program") or environment.get("SAGEMAKER_PROGRAM")
    place = own.get("sagemaker_submit_directory") or environment.get("SAGEMAKER_SUBMIT_DIRECTORY")
    if not program or not place:
        raise ValueError(
            "the hyperparameters sagemaker_program and sagemaker_submit_directory are missing: "
            "this image runs your own program, as sagemaker.pytorch.PyTorch sends it"
        )
    code = source.unpack(str(place), base, base / "code")
    if not (code / str(program)).is_file():
        raise ValueError(f"sagemaker_program is {program}; {place} holds no such file")
    command = [*_interpreter(str(program), code, base), str(program), *arguments(theirs)]
    seen = variables(base, own, theirs, str(program), str(place))
    around = {**environment, **seen, "PYTHONPATH": str(code)}
    status, errors = _execute(command, code, around)
    if status != 0:
        shown = " ".join(command)
        _fail(
            base,
            f'ExecuteUserScriptError:\nExitCode {status}\nErrorMessage "{errors}"\n'
            f'Command "{shown}"',
        )
    return status if status >= 0 else 128 - status


def decoded(text: str) -> Any:
    """A hyperparameter's value: the SDK sends JSON, the console plain text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def arguments(settings: Mapping[str, Any]) -> list[str]:
    """Hyperparameters as the program's arguments, by name."""
    words = []
    for name in sorted(settings):
        value = settings[name]
        if isinstance(value, dict):
            value = ",".join(f"{key}={value[key]}" for key in sorted(value))
        words += [f"--{name}" if len(name) > 1 else f"-{name}", "" if value is None else str(value)]
    return words


def variables(
    base: Path, own: dict[str, Any], theirs: dict[str, Any], program: str, place: str
) -> dict[str, str]:
    """The SM_* variables."""
    resources = dict(_configuration(base, "resourceconfig"))
    channels = dict(_configuration(base, "inputdataconfig"))
    folders = {name: str(base / "input" / "data" / name) for name in channels}
    facts: dict[str, Any] = {
        "channels": sorted(channels),
        "current_host": resources["current_host"],
        "current_instance_group": resources["current_group_name"],
        "current_instance_type": resources["current_instance_type"],
        "framework_module": "sagemaker_pytorch_container.training:main",
        "framework_params": own,
        "hosts": resources["hosts"],
        "hps": theirs,
        "input_config_dir": str(base / "input" / "config"),
        "input_data_config": channels,
        "input_dir": str(base / "input"),
        "log_level": own.get("sagemaker_container_log_level", 20),
        "model_dir": str(base / "model"),
        "module_dir": place,
        "module_name": program.removesuffix(".py"),
        "network_interface_name": resources["network_interface_name"],
        "num_cpus": os.cpu_count() or 1,
        "num_gpus": _num_gpus(),
        "output_data_dir": str(base / "output" / "data"),
        "output_dir": str(base / "output"),
        "resource_config": resources,
        "user_args": arguments(theirs),
        "user_entry_point": program,
    }
    facts["training_env"] = {**facts, "hyperparameters": theirs, "channel_input_dirs": folders}
    facts |= {f"channel_{name}": folder for name, folder in folders.items()}
    facts |= {f"hp_{name}": value for name, value in theirs.items()}
    return {f"SM_{name.upper()}": _text(value) for name, value in facts.items()}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, sort_keys=True, separators=(",", ":"))


def _num_gpus() -> int:
    """As the toolkit counts them: what nvidia-smi lists."""
    try:
        listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, check=False)
    except OSError:
        return 0
    return sum(line.startswith(b"GPU") for line in listed.stdout.splitlines())


def _configuration(base: Path, name: str) -> Iterable[tuple[str, Any]]:
    content: dict[str, Any] = json.loads(
        (base / "input" / "config" / f"{name}.json").read_text("utf-8")
    )
    return content.items()


def _interpreter(program: str, code: Path, base: Path) -> list[str]:
    return ["/bin/sh"] if program.endswith(".sh") else [source.interpreter(code, base)]


def _execute(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Run to the end; exit status and the last that was written to standard error."""
    sys.stdout.write(f"Invoking script with the following command:\n\n{' '.join(command)}\n\n")
    sys.stdout.flush()
    last: deque[str] = deque(maxlen=LAST_LINES)
    with subprocess.Popen(
        command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as process:
        assert process.stderr is not None, "standard error is piped"
        reading = threading.Thread(target=_pass_on, args=(process.stderr, last))
        reading.start()
        status = process.wait()
        reading.join(timeout=5.0)
    return status, "".join(last).strip()


def _pass_on(errors: Iterable[str], last: "deque[str]") -> None:
    for line in errors:
        sys.stdout.write(line)
        sys.stdout.flush()
        last.append(line)


def _fail(base: Path, reason: str) -> None:
    sys.stdout.write(reason + "\n")
    path = base / "output" / "failure"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(reason, "utf-8")


if __name__ == "__main__":
    sys.exit(main())
