"""The training job, in process: what it reads, logs, writes, and how it fails."""

import hashlib
import json
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from scones.container import channels, job
from scones.container.hyperparameters import plan
from scones.gate.heldout import calibrates, pictures_sha256
from scones.images.manifest import Entry, write_lst
from scones.model import artifact
from scones.model.card import Card
from scones.model.fit import Fitting

LayOut = Callable[..., Path]

QUICKLY = {"epochs": 2, "mini_batch_size": 10}


def run(base: Path) -> int:
    return job.main({"SAGEMAKER_BASE_DIR": str(base)})


def failure(base: Path) -> str:
    return (base / "output" / "failure").read_text()


def card(base: Path) -> Card:
    return Card.from_json((base / "model" / "card.json").read_text())


def test_a_job_leaves_graph_card_and_weights_and_the_real_algorithms_log_lines(
    lay_out: LayOut, capsys: pytest.CaptureFixture[str]
) -> None:
    base = lay_out(**QUICKLY, num_training_samples=40, top_k=2, class_names="bicycle,motorcycle")
    assert run(base) == 0
    assert {path.name for path in (base / "model").iterdir()} == {
        "model.onnx", "card.json", "weights.pt",
    }  # fmt: skip
    said = capsys.readouterr().out
    for wanted in (
        r"^\[\d\d/\d\d/\d{4} \d\d:\d\d:\d\d INFO \d+\] Epoch\[0\] Train-accuracy=[01]\.\d{6}$",
        r"Epoch\[1\] Validation-accuracy=([01]\.\d{6})$",
        r"Epoch\[1\] Validation-log_loss=\d\.\d{6}$",
        r"Epoch\[1\] Validation-top_k_accuracy_2=1\.000000$",
        r"Epoch\[1\] Time cost=\d+\.\d{3}$",
        r"Final configuration: .*'epochs': '2'",
    ):
        assert re.search(wanted, said, re.MULTILINE), wanted
    assert "Epoch[2]" not in said
    assert not (base / "output" / "failure").exists()


def test_the_card_tells_what_was_done(lay_out: LayOut) -> None:
    base = lay_out(
        50, **QUICKLY, dataset="sample", seed=3, class_names="bicycle,motorcycle",
        damaged='["a.jpg (cut off)"]',
    )  # fmt: skip
    assert run(base) == 0
    found = card(base)
    assert found.data["damaged"] == ["a.jpg (cut off)"]
    assert found.data["name"] == "sample"
    assert found.data["train"] == {"bicycle": 25, "motorcycle": 25}
    assert (found.data["fitted"], found.data["held_out"]) == (40, 10)
    assert (found.recipe["seed"], found.recipe["epochs_run"]) == (3, 2)
    assert found.figures["validation"]["n"] == 10
    assert found.gate is not None
    assert (found.gate.overall.scope, found.gate.overall.n) == ("all", 10)
    assert [each.scope for each in found.gate.per_class] == ["bicycle", "motorcycle"]
    assert "drawn by code" in found.limits[0]


@pytest.mark.parametrize("classes", [2, 3])
def test_the_gate_in_the_card_speaks_of_what_is_served_and_of_the_staged_bytes(
    lay_out: LayOut, classes: int
) -> None:
    base = lay_out(60, **{**QUICKLY, "num_classes": classes, "certify": 24})
    data = base / "input" / "data"
    for split, count in (("train", 60), ("validation", 10)):
        entries = [Entry(f"{split}_{i}.png", i % classes, split, "") for i in range(count)]
        (data / f"{split}_lst" / f"{split}.lst").write_text(write_lst(entries))
    assert run(base) == 0
    gate = card(base).gate
    assert gate is not None and gate.calibration == card(base).calibration
    todo = plan(job.Folders(base).hyperparameters())
    train = channels.read(data, "train", todo.class_names, 32, 32)
    held_out = job.hold_out(todo, train.images)[1]
    behind = np.ones(24, bool)
    if gate.overall.n < 24:
        behind = ~calibrates(held_out.labels_N)
    held_out = held_out.take(np.flatnonzero(behind))
    digests = [
        hashlib.sha256((data / "train" / name).read_bytes()).hexdigest()
        for name in held_out.filenames
    ]
    assert gate.overall.pictures_sha256 == pictures_sha256(digests)
    session = onnxruntime.InferenceSession(base / "model" / "model.onnx")
    (served_NK,) = session.run(["probabilities"], {"pixels": held_out.pixels_NHWC})
    assert np.abs(served_NK - gate.baseline.probabilities_NK).max() < 1e-5
    assert gate.baseline.labels_N.tolist() == held_out.labels_N.tolist()


def test_the_same_seed_gives_the_same_graph_to_the_byte(lay_out: LayOut) -> None:
    base = lay_out(**QUICKLY)
    assert run(base) == 0
    first = (base / "model" / "model.onnx").read_bytes()
    (base / "checkpoints" / "scones.pt").unlink()
    assert run(base) == 0
    assert (base / "model" / "model.onnx").read_bytes() == first


def test_a_job_started_again_goes_on_from_its_checkpoint_and_ends_the_same(
    lay_out: LayOut, capsys: pytest.CaptureFixture[str]
) -> None:
    base = lay_out(epochs=3, mini_batch_size=10)
    assert run(base) == 0
    unbroken = (base / "model" / "model.onnx").read_bytes()
    todo = plan(job.Folders(base).hyperparameters())
    train = channels.read(base / "input" / "data", "train", todo.class_names, 32, 32)
    cut_off = Fitting(job.hold_out(todo, train.images)[0], todo.recipe)
    cut_off.epoch()
    torch.save(cut_off.state(), base / "checkpoints" / "scones.pt")
    (base / "model" / "model.onnx").unlink()
    capsys.readouterr()
    assert run(base) == 0
    said = capsys.readouterr().out
    assert "Going on from a checkpoint after 1 epochs" in said
    assert "Epoch[0]" not in said
    assert (base / "model" / "model.onnx").read_bytes() == unbroken


def test_half_a_checkpoint_is_a_fresh_start(
    lay_out: LayOut, capsys: pytest.CaptureFixture[str]
) -> None:
    base = lay_out(**QUICKLY)
    (base / "checkpoints").mkdir()
    (base / "checkpoints" / "scones.pt").write_bytes(b"PK\x03\x04 half")
    assert run(base) == 0
    assert "starting afresh" in capsys.readouterr().out


def test_certify_0_lets_all_pictures_train_and_promises_nothing(lay_out: LayOut) -> None:
    base = lay_out(**QUICKLY, certify=0)
    assert run(base) == 0
    assert (card(base).data["fitted"], card(base).gate) == (40, None)
    assert card(base).threshold is None


def test_a_picture_that_came_twice_certifies_once_and_never_trains_as_well(
    lay_out: LayOut,
) -> None:
    base = lay_out(60, **QUICKLY, certify=28)
    folder = base / "input" / "data" / "train"
    names = [f"train_{i}.png" for i in range(60)]
    for i in range(0, 40, 4):  # 0 and 2 are of one class, and so on
        (folder / names[i + 2]).write_bytes((folder / names[i]).read_bytes())
    todo = plan(job.Folders(base).hyperparameters())
    train = channels.read(base / "input" / "data", "train", todo.class_names, 32, 32)
    fitted_on, held_out = job.hold_out(todo, train.images)
    kept, taken = (
        [(folder / name).read_bytes() for name in each.filenames] for each in (fitted_on, held_out)
    )
    assert not set(kept) & set(taken)
    assert len(set(taken)) == len(taken)
    assert 28 / 2 <= len(taken) < 28
    assert len(kept) == 60 - 28


def test_out_of_fold_figures_are_an_estimate_and_say_so(lay_out: LayOut) -> None:
    base = lay_out(**QUICKLY, certify=0, folds=3)
    assert run(base) == 0
    found = card(base)
    assert found.figures["out_of_fold"]["n"] == 40
    assert found.calibration.n == 40
    assert found.gate is None
    assert any("an estimate, not a certificate" in limit for limit in found.limits)


def test_a_models_channel_is_where_training_goes_on(
    lay_out: LayOut, capsys: pytest.CaptureFixture[str]
) -> None:
    base = lay_out(**QUICKLY)
    assert run(base) == 0
    earlier = (base / "model" / "weights.pt").read_bytes()
    (base / "input" / "data" / "model").mkdir()
    with tarfile.open(base / "input" / "data" / "model" / "model.tar.gz", "w:gz") as packed:
        packed.add(base / "model" / "weights.pt", "weights.pt")
    config = base / "input" / "config" / "hyperparameters.json"
    texts = json.loads(config.read_text())
    config.write_text(json.dumps({**texts, "use_pretrained_model": "1", "learning_rate": "1e-9"}))
    assert run(base) == 0
    assert "Starting from an earlier model" in capsys.readouterr().out
    one, other = (
        artifact.unpack_weights(content)[0][0]["head.weight"]
        for content in (earlier, (base / "model" / "weights.pt").read_bytes())
    )
    assert torch.allclose(one, other, atol=1e-3)


def test_pictures_of_another_size_train_and_serve(lay_out: LayOut) -> None:
    base = lay_out(**QUICKLY, image_shape="3,24,40")
    assert run(base) == 0
    session = onnxruntime.InferenceSession(
        base / "model" / "model.onnx", providers=["CPUExecutionProvider"]
    )
    pixels = np.zeros((3, 24, 40, 3), np.uint8)
    assert session.run(["probabilities"], {"pixels": pixels})[0].shape == (3, 2)


@pytest.mark.parametrize(
    ("hyperparameters", "reason"),
    [
        ({"num_layers": 18}, "num_layers cannot be honoured"),
        ({"num_training_samples": 1000}, "num_training_samples is 1000 .* has 40 rows"),
        ({"certify": 30}, "certify is 30; of 40 pictures at most half"),
        ({"use_pretrained_model": 1}, "channel 'model' holds no model.tar.gz"),
        ({"num_classes": 3}, "no pictures of class 2"),
        ({"learning_rate": 1e6, "optimizer": "sgd", "epochs": 4}, "the loss is .* at step"),
    ],
)
def test_a_failure_leaves_its_reason_and_no_model(
    lay_out: LayOut, hyperparameters: dict[str, object], reason: str
) -> None:
    base = lay_out(**{**QUICKLY, **hyperparameters})
    assert run(base) == 1
    assert re.search(reason, failure(base))
    assert not list((base / "model").glob("*")) if (base / "model").is_dir() else True


def test_one_damaged_picture_in_a_hundred_is_told_of_and_more_fail(
    lay_out: LayOut, capsys: pytest.CaptureFixture[str]
) -> None:
    base = lay_out(100, **QUICKLY)
    (base / "input" / "data" / "train" / "train_5.png").write_bytes(b"")
    assert run(base) == 0
    assert "Skipped a damaged picture: train_5.png" in capsys.readouterr().out
    assert card(base).data["damaged"][0].startswith("train_5.png")
    assert any("left out of the pictures: train_5.png" in each for each in card(base).limits)
    (base / "input" / "data" / "train" / "train_6.png").write_bytes(b"")
    assert run(base) == 1
    assert "train_5.png" in failure(base)
    assert "train_6.png" in failure(base)


def test_early_stopping_judges_on_an_inner_split(
    lay_out: LayOut, capsys: pytest.CaptureFixture[str]
) -> None:
    base = lay_out(
        epochs=9, mini_batch_size=10, learning_rate=1e-9, early_stopping=True,
        early_stopping_min_epochs=1, early_stopping_patience=2,
    )  # fmt: skip
    assert run(base) == 0
    assert "Epoch[2] Inner-accuracy=" in capsys.readouterr().out
    assert (card(base).recipe["epochs_run"], card(base).recipe["best_epoch"]) == (3, 0)
