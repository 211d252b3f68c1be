"""What a person may get wrong with `scones tune`: one line, exit status 2, nothing begun."""

import subprocess
import sys
from pathlib import Path

import pytest

from scones.cli import main


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--trials", "0"], "trials is 0; it should be 1 to 500"),
        (["--folds", "1"], "folds is 1"),
        (["--jobs", "0"], "jobs is 0"),
        (["--search", "lerning_rate=0.1:0.2"], "did you mean learning_rate?"),
        (["--objective", "f1"], "objective is 'f1'"),
        (["--strategy", "grid"], "strategy is 'grid'"),
        (["--by", "hand"], "by is 'hand'; it should be optuna or sagemaker"),
        (["--hyperparameter", "momentum=0.5"], "momentum is searched and given"),
        (["--report-dir", "/dev/null/report"], "report_dir is '/dev/null/report'"),
    ],
)
def test_an_option_that_is_wrong(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["tune", *options])
    told = capsys.readouterr()
    assert (ended.value.code, told.out) == (2, "")
    (line,) = told.err.splitlines()
    assert line.startswith("scones: ") and words in line
    assert list(tmp_path.iterdir()) == []


def test_without_optuna_it_says_what_to_install(tmp_path: Path) -> None:
    hidden = "import sys; sys.modules['optuna'] = None; from scones.cli import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", hidden, "tune"], cwd=tmp_path, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == (
        "scones: --by optuna needs optuna, which is not installed; "
        "pip install optuna -c constraints.txt, or give --by sagemaker\n"
    )
