"""A report's files arrive all together or not at all, and its summary fits a terminal."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from scones.gate.calibration import Calibration, deployable
from scones.model.figures import figures
from scones.monitor import report_page
from scones.monitor.report import Execution, Material, examine
from scones.settings import Settings
from scones.workflow.report import check_folder, write
from scones.workflow.summary import of_model, summary


def test_files_replace_those_of_the_report_before(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "report"
    check_folder(folder)
    write(folder, [("report.html", b"old"), ("report.json", b"{}")])
    write(folder, [("report.html", b"new")])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "report.html": b"new",
        "report.json": b"{}",
    }


def test_a_picture_that_a_report_no_longer_has_goes_and_other_files_stay(tmp_path: Path) -> None:
    may_make = report_page.may_make()
    write(tmp_path, [("report.html", b"old"), ("machine-failed.png", b"old")], may_make)
    (tmp_path / "tune.png").write_bytes(b"another command's")
    write(tmp_path, [("report.html", b"new"), ("confidence.png", b"new")], may_make)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "confidence.png", "report.html", "tune.png",
    ]  # fmt: skip


def test_a_file_that_cannot_be_written_leaves_the_old_report_whole(tmp_path: Path) -> None:
    write(tmp_path, [("report.html", b"old")])
    with pytest.raises(ValueError, match="cannot be written"):
        write(tmp_path, [("report.html", b"new"), ("no/such/folder", b"")])
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [
        ("report.html", b"old")
    ]


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("")
    for folder in (tmp_path / "report", tmp_path / "report" / "deeper"):
        with pytest.raises(ValueError, match="choose another with --report-dir"):
            check_folder(folder)


def test_a_summary_of_nothing_and_of_many_errors_fits_eighty_columns() -> None:
    many = [Execution("FAILED", f"Lambda.AnErrorWithALongName{place}") for place in range(9)]
    for executions in ([], many):
        material = Material(
            dataset="sample", classes=tuple(f"class_{place}" for place in range(12)), threshold=0.8,
            deployed_at=datetime(2026, 11, 20, tzinfo=UTC), records=(), manifest=(),
            executions=executions, seconds={"stage": 1.0, "train": None},
            threshold_from="default", promise="Not certifiable with 40 labels. " * 4,
        )  # fmt: skip
        text = summary(examine(material), Settings())
        assert max(len(line) for line in text.splitlines()) <= 80
        assert "dataset: sample" in text
        assert "gate          The gate stands at 0.8, the default: not certified" in text
        assert "promise       Not certifiable" in text


def test_a_summary_calls_out_of_fold_figures_an_estimate() -> None:
    right = np.arange(100) < 90
    probabilities_NK = np.stack([np.where(right, 0.9, 0.2), np.where(right, 0.1, 0.8)], axis=1)
    told = figures(probabilities_NK, np.zeros(100, np.int64), ("bicycle", "motorcycle"))
    material = Material(
        dataset="cifar100", classes=("bicycle", "motorcycle"), threshold=0.8,
        deployed_at=datetime(2026, 11, 20, tzinfo=UTC), records=(), manifest=(), executions=(),
        threshold_from="default", card={"figures": {"out_of_fold": told}},
    )  # fmt: skip
    text = " ".join(summary(examine(material), Settings()).split())
    assert "out of fold accuracy 90.0 % (100 training pictures; 95 % interval 82.4 to" in text
    assert "an estimate for the deployed model, not a certificate" in text
    assert "promise" not in text.replace("promises nothing", "")


def test_what_training_left_is_told_in_short() -> None:
    right = np.arange(100) < 90
    probabilities_NK = np.stack([np.where(right, 0.9, 0.2), np.where(right, 0.1, 0.8)], axis=1)
    told = figures(probabilities_NK, np.zeros(100, np.int64), ("bicycle", "motorcycle"))
    sentences = ["Not certifiable.", "Confidences are the model's own."]
    card = {"figures": {"validation": told, "out_of_fold": told}, "sentences": sentences}
    text = of_model(card)
    assert max(len(line) for line in text.splitlines()) <= 80
    lines = " ".join(text.split())
    assert "accuracy 90.0 % (100 test pictures; 95 % interval 82.4 to" in lines
    assert "out of fold accuracy 90.0 % (100 training pictures" in lines
    assert "promise Not certifiable. confidence Confidences are" in lines
    assert of_model({}) == ""


def test_a_summary_warns_of_confidences_that_are_not_calibrated() -> None:
    few = deployable(Calibration(20.0, (0.0, 0.0), 2))
    material = Material(
        dataset="folder", classes=("bicycle", "motorcycle"), threshold=0.8,
        deployed_at=datetime(2026, 11, 20, tzinfo=UTC), records=(), manifest=(), executions=(),
        card={"calibration": few.to_json()},
    )  # fmt: skip
    text = " ".join(summary(examine(material), Settings()).split())
    assert "CAUTION Confidences are the model's own: 2 labelled pictures are too few" in text


def test_a_summary_says_which_home_brings_the_cloud_back() -> None:
    material = Material(
        dataset="cifar100", classes=("bicycle", "motorcycle"), threshold=0.8,
        deployed_at=datetime(2026, 11, 20, tzinfo=UTC), records=(), manifest=(), executions=(),
    )  # fmt: skip
    elsewhere = " ".join(summary(examine(material), Settings(home=Path("my home"))).split())
    assert "`scones up --home 'my home'` serves it again" in elsewhere
    assert "`scones up` serves it again" in summary(examine(material), Settings())
