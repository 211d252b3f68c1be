"""The training job: SageMaker's container contract around a fit.

Reads /opt/ml/input, writes /opt/ml/model (model.onnx, card.json, weights.pt), keeps checkpoints in
/opt/ml/checkpoints and goes on from one; a failure's reason goes to /opt/ml/output/failure, with
exit code 1. SAGEMAKER_BASE_DIR stands for /opt/ml, as in AWS's sagemaker-training toolkit.
The log has the built-in image-classification algorithm's lines, so that its metric definitions
read ours as well.
"""

import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from scones.container import channels, result
from scones.container.channels import Channel
from scones.container.hyperparameters import OURS, Plan, plan
from scones.gate import calibration, score
from scones.images.images import Images
from scones.model import artifact, split
from scones.model.card import Card
from scones.model.fit import Fitting
from scones.model.learner import State

CHECKPOINT = "scones.pt"

log = logging.getLogger("scones")


@dataclass(frozen=True)
class Folders:
    """/opt/ml, or what stands for it."""

    base: Path

    @property
    def data(self) -> Path:
        return self.base / "input" / "data"

    @property
    def model(self) -> Path:
        return self.base / "model"

    @property
    def checkpoint(self) -> Path:
        return self.base / "checkpoints" / CHECKPOINT

    @property
    def failure(self) -> Path:
        return self.base / "output" / "failure"

    def hyperparameters(self) -> dict[str, str]:
        path = self.base / "input" / "config" / "hyperparameters.json"
        texts: dict[str, str] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        return {name: str(text) for name, text in texts.items()}


def main(environment: Mapping[str, str] = os.environ) -> int:
    """Run the job; 0, or 1 with the reason in output/failure."""
    say_in_sagemakers_format()
    folders = Folders(Path(environment.get("SAGEMAKER_BASE_DIR", "/opt/ml")))
    try:
        run(folders, told(environment))
    except ValueError as error:  # the user's: one sentence
        return _failed(folders, str(error))
    except Exception as error:  # ours: the outermost edge
        traceback.print_exc()
        return _failed(folders, f"internal error: {type(error).__name__}: {error}")
    return 0


def say_in_sagemakers_format() -> None:
    """Log lines as the built-in algorithm writes them, on stdout."""
    handler = logging.StreamHandler(sys.stdout)
    layout = "[%(asctime)s %(levelname)s %(thread)d] %(message)s"
    handler.setFormatter(logging.Formatter(layout, "%m/%d/%Y %H:%M:%S"))
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)


def _failed(folders: Folders, reason: str) -> int:
    log.error("Customer Error: %s", reason)
    folders.failure.parent.mkdir(parents=True, exist_ok=True)
    folders.failure.write_text(reason, "utf-8")
    return 1


def told(environment: Mapping[str, str]) -> dict[str, str]:
    """What a job's Environment says that the built-in algorithm would refuse as hyperparameters."""
    found = {name: environment.get(f"SCONES_{name.upper()}") for name in OURS}
    return {name: text for name, text in found.items() if text is not None}


def run(folders: Folders, around: Mapping[str, str] | None = None) -> Card:
    """Read, fit, calibrate, certify, write. Raises ValueError for what the user can put right.

    `around` are hyperparameters that came by the environment; those of the job go before.
    """
    log.info("Docker entrypoint called with argument(s): train")
    texts = {**(around or {}), **folders.hyperparameters()}
    log.info("Merging with provided configuration from %s: %s", "hyperparameters.json", texts)
    todo = plan(texts)
    log.info("Final configuration: %s", _configuration(todo))
    train, validation = (
        channels.read(folders.data, name, todo.class_names, todo.height, todo.width)
        for name in ("train", "validation")
    )
    _check(todo, train)
    for name in train.damaged + validation.damaged:
        log.warning("Skipped a damaged picture: %s", name)
    fitted_on, held_out = hold_out(todo, train.images)
    fitting = _fitting(todo, folders, fitted_on)
    _fit(fitting, todo, folders, validation.images)
    done = result.Done(todo, fitting, fitting.fitted(), train, validation, fitted_on, held_out)
    return result.write(done, folders.model)


def _configuration(todo: Plan) -> dict[str, str]:
    """Everything that is settled, as texts, the recipe's own names first."""
    settled = {**asdict(todo.recipe), **{k: v for k, v in asdict(todo).items() if k != "recipe"}}
    return {name: str(value) for name, value in settled.items() if value is not None}


def _check(todo: Plan, train: Channel) -> None:
    if todo.num_training_samples not in (None, train.rows):
        raise ValueError(
            f"num_training_samples is {todo.num_training_samples} and the training list has "
            f"{train.rows} rows; give {train.rows}, or leave it out"
        )
    absent = [
        name
        for label, name in enumerate(todo.class_names)
        if not np.any(train.images.labels_N == label)
    ]
    if absent:
        raise ValueError(f"train: no pictures of class {', '.join(absent)}; check num_classes")


def hold_out(todo: Plan, images: Images) -> tuple[Images, Images]:
    """Pictures to fit on, and different ones that no fit and no choice ever sees.

    Of copies among the latter one is left: they would count as independent, and are not.
    """
    count = split.num_held_out(len(images), todo.certify)
    if count > len(images) // 2:
        raise ValueError(
            f"certify is {count}; of {len(images)} pictures at most half can be held out"
        )
    copy_of_N = split.copies(images.pixels_NHWC)
    kept, taken = split.stratified(images.labels_N, count, todo.seed, copy_of_N)
    different = split.once(taken, copy_of_N)
    if len(different) < len(taken):
        log.info(
            "%d held-out pictures are copies of others; each certifies once",
            len(taken) - len(different),
        )
    return images.take(kept), images.take(different)


def _fitting(todo: Plan, folders: Folders, images: Images) -> Fitting:
    """A fit from scratch, from an earlier model, or from a checkpoint."""
    start: Sequence[State] = ()
    recipe = todo.recipe
    if todo.use_pretrained_model:
        start, widths = artifact.unpack_weights(channels.earlier_weights(folders.data))
        recipe = replace(recipe, networks=len(start), widths=widths)
        log.info("Starting from an earlier model of %d networks", len(start))
    fitting = Fitting(images, recipe, todo.seed, todo.stopping, start)
    log.info(
        "Training %d network(s) on %d pictures, on %s", recipe.networks, len(images), fitting.device
    )
    if folders.checkpoint.is_file() and fitting.restore(_load(folders.checkpoint)):
        log.info("Going on from a checkpoint after %d epochs", fitting.epochs)
    return fitting


def _load(path: Path) -> State:
    try:
        state: State = torch.load(path, weights_only=True)
        return state
    except Exception as error:  # torch.load promises no types; half a file is a fresh start
        log.warning("The checkpoint cannot be read (%s); starting afresh", error)
        return {}


def _fit(fitting: Fitting, todo: Plan, folders: Folders, validation: Images) -> None:
    uncalibrated = calibration.identity(todo.num_classes)
    while not fitting.done:
        started_s = time.perf_counter()
        epoch = fitting.epoch()
        log.info("Epoch[%d] Train-accuracy=%f", epoch.number, epoch.train_accuracy)
        log.info("Epoch[%d] Time cost=%.3f", epoch.number, time.perf_counter() - started_s)
        if epoch.inner_accuracy is not None:
            log.info("Epoch[%d] Inner-accuracy=%f", epoch.number, epoch.inner_accuracy)
        logits_NK = fitting.logits(validation.pixels_NHWC)
        accuracy = np.mean(logits_NK.argmax(1) == validation.labels_N)
        log.info("Epoch[%d] Validation-accuracy=%f", epoch.number, accuracy)
        loss = score.log_loss(uncalibrated(logits_NK), validation.labels_N)
        log.info("Epoch[%d] Validation-log_loss=%f", epoch.number, loss)
        if todo.top_k is not None:
            best_NK = np.argsort(-logits_NK, axis=1)[:, : todo.top_k]
            top = np.mean(np.any(best_NK == validation.labels_N[:, None], axis=1))
            log.info("Epoch[%d] Validation-top_k_accuracy_%d=%f", epoch.number, todo.top_k, top)
        if fitting.epochs % todo.checkpoint_frequency == 0:
            _save(fitting, folders.checkpoint)


def _save(fitting: Fitting, path: Path) -> None:
    """Whole or not at all, whenever we are killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".tmp")
    torch.save(fitting.state(), unfinished)
    unfinished.replace(path)


if __name__ == "__main__":
    sys.exit(main())
