"""What a person may get wrong: one line, exit status 2, nothing started or half-written."""

import io
import tarfile
from pathlib import Path

import pytest

from scones.cli import main
from scones.cli.options import agreed
from scones.images import sample
from scones.local import control
from scones.settings import Settings


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample set as an archive."""
    path = tmp_path_factory.mktemp("data") / "archive.tar.gz"
    path.write_bytes(sample.archive())
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder's home."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "SCONES_DATA",
        "SCONES_THRESHOLD",
        "SCONES_CERTIFY",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
    ):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / ".scones"


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that `scones ...` says when it ends with status 2."""
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    told = capsys.readouterr()
    assert ended.value.code == 2, told
    assert told.out == ""
    (line,) = told.err.splitlines()
    assert line.startswith("scones: ")
    return line


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--threshold", "0"], "threshold is 0.0; it should be above 0, at most 1"),
        (["--threshold", "1.5"], "threshold is 1.5"),
        (["--threshold", "high"], "threshold is 'high'; it should be a number"),
        (["--profile", "slow"], "profile is 'slow'; it should be quick or best"),
        (["--certify", "-1"], "certify is -1; it should be 0 or more"),
        (["--certify", "9999"], "certify is 9999; of"),
        (["--certify", "many"], "certify is 'many'; it should be a whole number"),
        (["--folds", "21"], "folds is 21; it should be 0, or from 2 to 20"),
        (["--risk", "1"], "risk is 1.0; it should be between 0 and 1"),
        (["--certainty", "0"], "certainty is 0.0; it should be between 0 and 1"),
        (["--certify", "9", "--hyperparameter", "certify=9"], "said once"),
        (["--treshold", "0.9"], "No such option: --treshold"),
        (["--classes", "bicycle"], "two or more different class names"),
        (["--classes", "bicycle,motorcicle"], "did you mean motorcycle?"),
        (["--invocations", "abc"], "invocations is 'abc'; it should be a whole number"),
        (["--region", "mars"], "region is 'mars'; it should be one of AWS's, such as us-east-1"),
        (["--region", "eu-wset-1"], "did you mean eu-west-1"),
        (["--invocations", "0"], "invocations is 0; it should be 1 or more"),
        (["--hyperparameter", "epochs"], "hyperparameter is 'epochs'; it should be name=value"),
        (["--bays", "tank=dock:1"], "tank"),
        (["--target", "aws"], "role"),
        (["--target", "mars"], "target is 'mars'"),
        (["--report-dir", "/dev/null/report"], "report_dir is '/dev/null/report'"),
    ],
)
def test_a_setting_that_is_wrong(
    home: Path, archive: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert words in refused(capsys, "run", "--data", str(archive), *options)
    assert list(home.parent.iterdir()) == []


@pytest.mark.parametrize("command", ["train", "retrain"])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--profile", "slow"], "profile is 'slow'"),
        (["--certify", "-1"], "certify is -1"),
        (["--risk", "2"], "risk is 2.0"),
        (["--certainty", "0"], "certainty is 0.0"),
        (["--folds", "1"], "folds is 1"),
        (["--hyperparameter", "foo=3"], "hyperparameter foo is none of image-classification"),
        (["--hyperparameter", "epochs=0"], "epochs is '0'; give a whole number above 0"),
    ],
)
def test_training_again_is_told_what_training_is_told(
    home: Path, capsys: pytest.CaptureFixture[str], command: str, options: list[str], words: str
) -> None:
    assert words in refused(capsys, command, *options)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--profile", "best"], "--profile"),
        (["--threshold", "0.9", "--seed", "0"], "--threshold, --seed"),
        (["--hyperparameter", "epochs=1"], "--hyperparameter"),
    ],
)
def test_going_back_trains_nothing_and_says_so(
    home: Path, capsys: pytest.CaptureFixture[str], options: list[str], named: str
) -> None:
    line = refused(capsys, "retrain", "--back", *options)
    assert f"--back goes without {named}: nothing is trained" in line
    assert not home.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--count", "5", "--after", "20", "--drift", "blur"], "after is 20; it should be below"),
        (["--after", "3"], "after is 3; it should be given with a drift"),
        (["--balance", "0.3", "--drift", "label-shift"], "balance is 0.3; it should be left out"),
    ],
)
def test_a_stream_that_would_not_be_what_was_asked_for(
    home: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert words in refused(capsys, "simulate", *options)
    assert not home.exists()


def test_an_environment_that_is_wrong(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCONES_THRESHOLD", "high")
    assert "threshold is 'high'" in refused(capsys, "run")


def test_a_truncated_archive(home: Path, archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = home.parent / "short.tar.gz"
    short.write_bytes(archive.read_bytes()[:50_000])
    assert "short.tar.gz" in refused(capsys, "run", "--data", str(short))
    assert not home.exists()


@pytest.mark.parametrize("content", [b"hello\n", bytes(range(256)) * 40])
def test_a_file_that_is_no_archive(
    home: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    (home.parent / "garbage.tar.gz").write_bytes(content)
    line = refused(capsys, "run", "--data", "garbage.tar.gz")
    assert line == "scones: data: garbage.tar.gz is damaged or no tar.gz archive"


def test_an_archive_without_the_members(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = home.parent / "empty.tar.gz"
    with tarfile.open(empty, "w:gz"):
        pass
    assert "meta" in refused(capsys, "stage", "--data", str(empty))
    assert control.status(home) is None


def test_data_that_is_not_there(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no such thing" in refused(capsys, "run", "--data", "no such thing").lower()


def test_a_home_that_cannot_be_written(
    home: Path, archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home.parent / "file").write_text("")
    line = refused(capsys, "run", "--data", str(archive), "--home", "file/home")
    assert "home" in line and "cannot be written" in line


def test_destroying_on_aws_is_refused_where_nobody_can_be_asked(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(target="aws", role="arn:aws:iam::123456789012:role/r", region="us-east-1")
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(ValueError, match="Nobody can be asked here; give --yes"):
        agreed("Delete all?", settings)
    assert agreed("Delete all?", Settings())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["train"], "run `scones stage` first"),
        (["deploy"], "run `scones stage` first"),
        (["classify"], "run `scones stage` first"),
        (["report"], "run `scones stage` first"),
    ],
)
def test_a_step_too_early_says_which_goes_before(
    home: Path, capsys: pytest.CaptureFixture[str], command: list[str], words: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err
    assert control.status(home) is None
