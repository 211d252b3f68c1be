"""What a worker's process sees: a /tmp of its own, /var/task and /opt as on AWS."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scones.local.runtime import sandbox

SCRIPT = str(Path(sandbox.__file__))
PYTHON = [sys.executable, "-I", "-S"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")


@pytest.fixture
def task(tmp_path: Path) -> Path:
    folder = tmp_path / "task"
    folder.mkdir()
    (folder / "app.py").write_text("x = 1\n")
    return folder


def enter(task: Path, script: str, **plan: Any) -> Any:
    """Run a Python script in a sandbox; what it prints, read as JSON."""
    whole = {"task": str(task), "opt": None, "tmp_bytes": 2**20, "keep": _needed(), **plan}
    done = subprocess.run(
        [*PYTHON, SCRIPT, json.dumps(whole), *PYTHON, "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
    )
    if done.returncode == sandbox.REFUSED:
        pytest.skip(f"this system allows no sandbox: {done.stderr}")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _needed() -> list[str]:
    return sorted({sys.prefix, sys.base_prefix})


def test_tmp_is_empty_and_ours_alone(task: Path) -> None:
    beside = Path("/tmp/scones-test-sandbox")
    script = (
        "import json, os; before = os.listdir('/tmp'); "
        f"open('{beside}', 'w').write('x'); print(json.dumps([before, os.listdir('/tmp')]))"
    )
    before, after = enter(task, script)
    shown = {Path(each).parts[2] for each in _needed() if each.startswith("/tmp/")}
    assert set(before) == shown
    assert set(after) == {beside.name} | shown
    assert not beside.exists()


def test_tmp_holds_what_it_was_given(task: Path) -> None:
    script = (
        "import errno, json\n"
        "file = open('/tmp/large', 'wb', buffering=0)\n"
        "try:\n"
        "    written = file.write(bytes(2**21))\n"
        "    file.write(bytes(2**21))\n"
        "except OSError as error:\n"
        "    print(json.dumps([written, errno.errorcode[error.errno]]))\n"
    )
    assert enter(task, script) == [2**20, "ENOSPC"]


def test_the_function_is_at_var_task_and_cannot_be_changed(task: Path) -> None:
    script = (
        "import errno, json, os\n"
        "try:\n"
        "    open('/var/task/app.py', 'w')\n"
        "except OSError as error:\n"
        "    print(json.dumps([os.getcwd(), os.listdir('.'), errno.errorcode[error.errno]]))\n"
    )
    assert enter(task, script) == ["/var/task", ["app.py"], "EROFS"]


def test_var_keeps_what_it_holds(task: Path) -> None:
    script = "import json, os; print(json.dumps(sorted(os.listdir('/var'))))"
    here = {each.name for each in Path("/var").iterdir()}
    assert set(enter(task, script)) == here | {"task"}


def test_layers_are_in_opt_beside_what_it_holds(task: Path, tmp_path: Path) -> None:
    layer = tmp_path / "opt" / "python"
    layer.mkdir(parents=True)
    (layer / "word.py").write_text("WORD = 1\n")
    script = (
        "import json, os; print(json.dumps("
        "[open('/opt/python/word.py').read(), sorted(os.listdir('/opt'))]))"
    )
    text, names = enter(task, script, opt=str(tmp_path / "opt"))
    assert text == "WORD = 1\n"
    assert set(names) == {each.name for each in Path("/opt").iterdir()} | {"python"}


def test_a_needed_folder_in_tmp_stays_visible(task: Path) -> None:
    script = f"import json, os; print(json.dumps(os.listdir('{task.parent}')))"
    assert enter(task, script, keep=[*_needed(), str(task.parent)]) == ["task"]


def test_a_sandbox_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    plan: dict[str, Any] = {
        "task": str(tmp_path / "absent"),
        "opt": None,
        "tmp_bytes": 1,
        "keep": [],
    }
    done = subprocess.run(
        [*PYTHON, SCRIPT, json.dumps(plan), "/bin/true"], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == sandbox.REFUSED
    assert done.stderr.startswith("no private /tmp: ")
