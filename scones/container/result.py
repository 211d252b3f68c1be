"""A job's result: calibration, promise, figures, card and graph, written for model.tar.gz."""

import logging
import platform
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from scones.container.channels import Channel
from scones.container.hyperparameters import Plan
from scones.gate import calibration
from scones.gate.calibration import Calibration
from scones.gate.heldout import Gate, HeldOut, weigh
from scones.images.images import Images
from scones.model import artifact, card
from scones.model.card import Card
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
    gate = _gate(done)
    repair = gate.calibration if gate else _estimate(done, out_of_fold)
    measured = _figures(done, repair, gate, out_of_fold)
    described = _describe(done, repair, gate, measured)
    weights = done.fitted.weights
    contents = {
        "model.onnx": artifact.to_onnx(weights, todo.height, todo.width, repair),
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


def _gate(done: Done) -> Gate | None:
    """Calibration, certificates and baseline by the held-out pictures; None without any."""
    todo, held_out = done.todo, done.held_out
    if len(held_out) == 0:
        return None
    seen = HeldOut(
        todo.class_names,
        done.fitting.logits(held_out.pixels_NHWC),
        held_out.labels_N,
        tuple(done.train.sha256[name] for name in held_out.filenames),
    )
    return weigh(seen, risk=todo.risk, certainty=todo.certainty)


def _estimate(done: Done, out_of_fold: Logits | None) -> Calibration:
    """By fits that neither saw the picture nor are deployed, so nothing is promised."""
    if out_of_fold is None:
        return calibration.identity(len(done.todo.class_names), "no pictures were held out")
    return calibration.deployable(calibration.fit(out_of_fold, done.fitted_on.labels_N))


def _figures(
    done: Done, repair: Calibration, gate: Gate | None, out_of_fold: Logits | None
) -> dict[str, Any]:
    """Figures of the calibrated model by set of pictures."""
    validation = done.validation.images
    sets = {
        "validation": (repair(done.fitting.logits(validation.pixels_NHWC)), validation.labels_N)
    }
    if gate is not None:
        sets["certifying"] = (gate.baseline.probabilities_NK, gate.baseline.labels_N)
    if out_of_fold is not None:
        sets["out_of_fold"] = (repair(out_of_fold), done.fitted_on.labels_N)
    return {
        name: figures(probabilities_NK, labels_N, done.todo.class_names)
        for name, (probabilities_NK, labels_N) in sets.items()
        if len(labels_N)
    }


def _describe(done: Done, repair: Calibration, gate: Gate | None, measured: dict[str, Any]) -> Card:
    todo, train, validation = done.todo, done.train, done.validation
    damaged = (*todo.damaged, *train.damaged, *validation.damaged)
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
            "damaged": list(damaged),
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
        calibration=repair,
        gate=gate,
        limits=card.limits(
            measured,
            gate,
            todo.dataset,
            pretrained=todo.use_pretrained_model,
            calibration=repair,
            damaged=damaged,
        ),
    )


def _versions() -> dict[str, str]:
    packages = ("scones", "torch", "numpy", "scipy", "pillow", "onnx")
    found: dict[str, Any] = {name: metadata.version(name) for name in packages}
    return {"python": platform.python_version(), **found}
