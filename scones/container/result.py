"""A job's result: calibration, promise, figures, card and graph, written for model.tar.gz."""

import logging
import platform
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from scones.container.channels import Channel
from scones.container.hyperparameters import Plan
from scones.images.images import Images
from scones.model import artifact, card
from scones.model.card import Card, Promise
from scones.model.figures import figures
from scones.model.fit import Fitted, Fitting, Logits, cross_validate

log = logging.getLogger("scones")


@dataclass(frozen=True)
class Done:
    """A job whose networks are done learning."""

    todo: Plan
    fitting: Fitting
    fitted: Fitted
    train: Channel
    validation: Channel
    fitted_on: Images
    held_out: Images


def write(done: Done, model: Path) -> Card:
    """Everything that goes into model.tar.gz."""
    todo, out_of_fold = done.todo, _out_of_fold(done)
    promised = _promise(done, out_of_fold)
    described = _describe(done, promised, _figures(done, promised, out_of_fold))
    weights = done.fitted.weights
    contents = {
        "model.onnx": artifact.to_onnx(weights, todo.height, todo.width, promised.calibration),
        "weights.pt": artifact.pack_weights(weights, done.fitting.recipe.widths),
        "card.json": described.to_json().encode(),
    }
    model.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (model / name).write_bytes(content)
        log.info('Saved "%s"', model / name)
    log.info("%s", described.calibration.sentence(todo.class_names))
    log.info("%s", described.sentence())
    return described


def _out_of_fold(done: Done) -> Logits | None:
    """Logits_NK of the fitted pictures by fits that had not seen them; None if not asked for."""
    if not done.todo.folds:
        return None

    def tell(fold: int) -> None:
        log.info("Fold[%d] done", fold)

    log.info("Fitting %d times more, for out-of-fold figures", done.todo.folds)
    recipe = done.fitting.recipe
    return cross_validate(done.fitted_on, recipe, done.todo.seed, done.todo.folds, tell)


def _promise(done: Done, out_of_fold: Logits | None) -> Promise:
    todo, held_out = done.todo, done.held_out
    if out_of_fold is not None and not len(held_out):
        return card.estimate(out_of_fold, done.fitted_on)
    logits_NK = done.fitting.logits(held_out.pixels_NHWC)
    return card.promise(logits_NK, held_out, todo.risk, todo.certainty, todo.seed)


def _figures(done: Done, promised: Promise, out_of_fold: Logits | None) -> dict[str, Any]:
    """Figures of the calibrated model by set of pictures."""
    certifying = done.held_out.take(promised.certifying)
    sets = {
        "validation": (
            done.fitting.logits(done.validation.images.pixels_NHWC),
            done.validation.images,
        ),
        "certifying": (done.fitting.logits(certifying.pixels_NHWC), certifying),
        "out_of_fold": (out_of_fold, done.fitted_on),
    }
    return {
        name: figures(promised.calibration(logits_NK), images.labels_N, done.todo.class_names)
        for name, (logits_NK, images) in sets.items()
        if logits_NK is not None and len(images)
    }


def _describe(done: Done, promised: Promise, measured: dict[str, Any]) -> Card:
    todo, train, validation = done.todo, done.train, done.validation
    return Card(
        class_names=todo.class_names,
        image_shape=(3, todo.height, todo.width),
        data={
            "name": todo.dataset,
            "sha256": train.images.sha256(),
            "train": card.counts(train.images),
            "fitted": len(done.fitted_on),
            "held_out": len(done.held_out),
            "validation": card.counts(validation.images),
            "damaged": [*train.damaged, *validation.damaged],
        },
        recipe={
            **asdict(done.fitting.recipe),
            "seed": todo.seed,
            "early_stopping": asdict(todo.stopping) if todo.stopping else None,
            "use_pretrained_model": todo.use_pretrained_model,
            "epochs_run": done.fitted.epochs,
            "best_epoch": done.fitted.best_epoch,
            "device": done.fitting.device,
        },
        versions=_versions(),
        figures=measured,
        calibration=promised.calibration,
        certificates=promised.certificates,
        limits=card.limits(measured, len(done.held_out), todo.dataset),
    )


def _versions() -> dict[str, str]:
    packages = ("scones", "torch", "numpy", "scipy", "pillow", "onnx")
    found: dict[str, Any] = {name: metadata.version(name) for name in packages}
    return {"python": platform.python_version(), **found}
