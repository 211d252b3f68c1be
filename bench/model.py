"""Profiles on real pictures beside two baselines trained in the same run: accuracy and seconds.

    SCONES_DATA=cifar-100-python.tar.gz python -m bench model

Baselines, on the same ResNet-18, 30 epochs each: a plain recipe (momentum 0.9, one cycle to 0.1,
batch 64, flips and shifts), and the course's default, that of SageMaker's built-in algorithm (SGD
0.1, batch 32, no augmentation). They are judged as ours are but for the mirror image.

CV is out of fold on the training pictures, seed 0: accuracy, and log loss at the one temperature
that suits them best. The test pictures judge finished recipes and choose nothing. Every fit's
figures are kept in a JSON file as they come, so that a run that was broken off goes on.
"""

import hashlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench import resnet
from bench.table import say
from scones.gate import calibration, score
from scones.images.images import Dataset, Images
from scones.model import fit, split
from scones.model.recipe import PROFILES, Recipe
from scones.workflow import archive

CLASSES = ("bicycle", "motorcycle")
HELD_OUT = 200
FOLDS = 5

Predict = Callable[[Images], fit.Logits]


@dataclass(frozen=True)
class Row:
    """A way to get from training pictures and a seed to a predictor."""

    name: str
    how: object
    """What is trained; figures are kept for as long as its `repr` is the same."""
    train: Callable[[Images, int], Predict]
    judged: Recipe | None = None
    """What is cross-validated."""


def main(environment: Mapping[str, str] = os.environ) -> None:
    """Print the table; BENCH_SEEDS (5), BENCH_ROWS (all; comma-separated beginnings of names),
    BENCH_RESULTS (the file of figures)."""
    cache = Path(tempfile.gettempdir()) / "scones-bench"
    dataset, _ = archive.read(archive.locate("auto", cache, environment, say), CLASSES)
    kept = Kept(Path(environment.get("BENCH_RESULTS", cache / "model.json")), _identity(dataset))
    seeds = range(int(environment.get("BENCH_SEEDS", "5")))
    wanted = tuple(environment.get("BENCH_ROWS", "").split(","))
    say(
        f"\nTest accuracy on {dataset.name}: {len(dataset.train)} pictures to train, "
        f"{len(dataset.test)} to test, {os.cpu_count()} cores; figures in {kept.path}"
    )
    say(
        f"  {'':28}{'mean':>7}{'sd':>7}{'n':>3}{'min':>7}{'max':>7}{'wall s':>8}{'CPU s':>7}"
        f"{'CV':>8}{'CV loss':>9}"
    )
    for row in rows():
        if row.name.startswith(wanted):
            _measure(row, dataset, seeds, kept)


def rows() -> Iterable[Row]:
    """Our profiles with all pictures and with some held out, then the baselines."""
    for name, recipe in PROFILES.items():
        yield Row(f"{name}, certify 0", recipe, _profile(recipe, 0), recipe)
        yield Row(f"{name}, certify {HELD_OUT}", recipe, _profile(recipe, HELD_OUT))
    yield Row("plain ResNet-18 recipe", resnet.USUAL, _resnet(resnet.USUAL))
    yield Row("course's default, ResNet-18", resnet.COURSE, _resnet(resnet.COURSE))


class Kept:
    """Figures by what was measured, in a JSON file: what is there is not measured again."""

    def __init__(self, path: Path, identity: str) -> None:
        """`identity`: what all figures hang on besides their names."""
        self.path, self._identity = path, identity
        self._found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}

    def __call__(self, row: Row, part: str, measure: Callable[[], dict[str, Any]]) -> Any:
        """The figures of one part of a row."""
        told = repr((self._identity, row.how)).encode()
        name = f"{row.name}: {part} [{hashlib.sha256(told).hexdigest()[:12]}]"
        if name not in self._found:
            self._found[name] = measure()
            self._write()
        return self._found[name]

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_suffix(".tmp")
        unfinished.write_text(json.dumps(self._found) + "\n", "utf-8")
        unfinished.replace(self.path)


def _measure(row: Row, dataset: Dataset, seeds: range, kept: Kept) -> None:
    fits = [kept(row, f"seed {seed}", lambda s=seed: _fit(row, dataset, s)) for seed in seeds]  # type: ignore[misc]
    accuracies = [each["accuracy"] for each in fits]
    deviation = statistics.stdev(accuracies) if len(accuracies) > 1 else float("nan")
    wall_s, cpu_s = (statistics.median(each[key] for each in fits) for key in ("wall_s", "cpu_s"))
    say(
        f"  {row.name:28}{statistics.mean(accuracies):7.4f}{deviation:7.4f}{len(accuracies):3d}"
        f"{min(accuracies):7.3f}{max(accuracies):7.3f}{wall_s:8.1f}{cpu_s:7.1f}"
        + _cross_validated(row, dataset.train, kept)
    )


def _fit(row: Row, dataset: Dataset, seed: int) -> dict[str, Any]:
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    predict = row.train(dataset.train, seed)
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    right_N = predict(dataset.test).argmax(1) == dataset.test.labels_N
    return {"accuracy": float(np.mean(right_N)), "wall_s": wall_s, "cpu_s": cpu_s}


def _cross_validated(row: Row, images: Images, kept: Kept) -> str:
    """Out-of-fold accuracy and log loss, as columns."""
    recipe = row.judged
    if recipe is None:
        return f"{'-':>8}{'-':>9}"
    logits_NK = np.empty((len(images), len(images.class_names)))
    for fold in range(FOLDS):
        judged = kept(row, f"fold {fold}", lambda f=fold: _judge(images, recipe, f))  # type: ignore[misc]
        logits_NK[judged["rows"]] = judged["logits"]
    accuracy = np.mean(logits_NK.argmax(1) == images.labels_N)
    repaired = calibration.fit_temperature(logits_NK, images.labels_N)
    return f"{accuracy:8.4f}{score.log_loss(repaired(logits_NK), images.labels_N):9.4f}"


def _judge(images: Images, recipe: Recipe, fold: int) -> dict[str, Any]:
    rows_M, logits_MK = fit.out_of_fold(images, recipe, fold, FOLDS)
    return {"rows": rows_M.tolist(), "logits": logits_MK.tolist()}


def _profile(recipe: Recipe, held_out: int) -> Callable[[Images, int], Predict]:
    def train(images: Images, seed: int) -> Predict:
        kept, _ = split.stratified(images.labels_N, held_out, seed)
        fitting = fit.fit(images.take(kept), recipe, seed)
        return lambda judged: fitting.logits(judged.pixels_NHWC)

    return train


def _resnet(how: resnet.Plain) -> Callable[[Images, int], Predict]:
    def train(images: Images, seed: int) -> Predict:
        network = resnet.train(images, how, seed)
        return lambda judged: resnet.logits(network, judged)

    return train


def _identity(dataset: Dataset) -> str:
    return f"{dataset.train.sha256()} {dataset.test.sha256()} torch {torch.__version__}"
