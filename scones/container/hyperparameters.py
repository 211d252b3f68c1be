"""Hyperparameters as SageMaker hands them over, all texts, to a plan of what to do.

Names and meanings of the built-in image-classification algorithm are kept
[https://docs.aws.amazon.com/sagemaker/latest/dg/IC-Hyperparameter.html]; one that is not given
means our recipe, not the built-in's default; one that cannot be honoured is refused by name.
"""

import difflib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from scones.model.fit import Stopping
from scones.model.optimizer import OPTIMIZERS
from scones.model.recipe import FULL, PROFILES, Augmentation, Recipe

SMALLEST_SIDE = 16
LARGEST_SIDE = 256

AUGMENTATIONS = {
    "none": Augmentation(),
    "crop": Augmentation(flip=True, shift=3.0),
    "crop_color": Augmentation(flip=True, shift=3.0, colour=FULL.colour),
    "crop_color_transform": replace(FULL, cutout=0.0),
}
BESIDE: dict[str, dict[str, float]] = {
    "sgd": {"momentum": 0.85},
    "nag": {"momentum": 0.85},
    "adam": {"learning_rate": 3e-3},
    "rmsprop": {"learning_rate": 1e-3, "momentum": 0.0},
}
"""What goes with an optimizer where it alone is given: the recipes' own figures are Muon's."""

REFUSED = {
    "num_layers": "the network has a depth of its own",
    "resize": "pictures are resized to image_shape",
    "kv_store": "training runs on one machine",
}


@dataclass(frozen=True)
class Plan:
    """What one job shall do."""

    recipe: Recipe
    num_classes: int
    num_training_samples: int | None
    """To be found in the training list; None: whatever is there."""
    height: int
    width: int
    class_names: tuple[str, ...]
    dataset: str
    damaged: tuple[str, ...]
    """Files that were left out before pictures were staged."""
    seed: int
    certify: int | None
    """Training pictures to hold out; None: 200, or a fifth where there are fewer than 1000."""
    folds: int
    """Cross-validation beside the fit, so many fits more, for out-of-fold figures; 0: none."""
    risk: float
    certainty: float
    stopping: Stopping | None
    use_pretrained_model: bool
    checkpoint_frequency: int
    top_k: int | None


def plan(texts: Mapping[str, str]) -> Plan:
    """What `texts` ask for; ValueError names hyperparameter, value and what would be right."""
    for name in texts:
        _check_name(name)
    given = {name: READERS[name](name, text.strip()) for name, text in texts.items()}
    if "num_classes" not in given:
        raise ValueError("num_classes is not given; give the number of classes, at least 2")
    height, width = given.get("image_shape", (32, 32))
    classes = given["num_classes"]
    names = given.get("class_names") or tuple(str(label) for label in range(classes))
    if len(names) != classes:
        raise ValueError(f"class_names names {len(names)} classes and num_classes says {classes}")
    if not 1 < given.get("top_k", 2) <= classes:
        raise ValueError(
            f"top_k is {texts['top_k']}; between 2 and num_classes ({classes}) it goes"
        )
    return Plan(
        recipe=_recipe(given),
        num_classes=classes,
        num_training_samples=given.get("num_training_samples"),
        height=height,
        width=width,
        class_names=names,
        dataset=given.get("dataset", "unnamed"),
        damaged=given.get("damaged", ()),
        seed=given.get("seed", 0),
        certify=given.get("certify"),
        folds=given.get("folds", 0),
        risk=given.get("risk", 0.05),
        certainty=given.get("certainty", 0.95),
        stopping=_stopping(given),
        use_pretrained_model=given.get("use_pretrained_model", False),
        checkpoint_frequency=given.get("checkpoint_frequency", 1),
        top_k=given.get("top_k"),
    )


def _check_name(name: str) -> None:
    if name in REFUSED:
        raise ValueError(f"{name} cannot be honoured: {REFUSED[name]}; leave it out")
    if name not in READERS:
        close = difflib.get_close_matches(name, READERS, n=2)
        offer = f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(KNOWN)}"
        raise ValueError(f"{name} is no hyperparameter here; {offer}")


def _recipe(given: Mapping[str, Any]) -> Recipe:
    recipe = PROFILES[given.get("profile", "quick")]
    changes: dict[str, Any] = dict(BESIDE.get(given.get("optimizer", ""), {}))
    changes |= {ours: given[name] for name, ours in RECIPE_FIELDS.items() if name in given}
    if "augmentation_type" in given:
        changes["augmentation"] = AUGMENTATIONS[given["augmentation_type"]]
    return replace(recipe, **changes)


def _stopping(given: Mapping[str, Any]) -> Stopping | None:
    kin = {
        ours: given[f"early_stopping_{ours}"]
        for ours in ("min_epochs", "patience", "tolerance")
        if f"early_stopping_{ours}" in given
    }
    return replace(Stopping(), **kin) if given.get("early_stopping", False) else None


def _number(low: float, high: float, kind: str, whole: bool) -> Callable[[str, str], Any]:
    def read(name: str, text: str) -> Any:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high or (whole and value != int(value)):
            raise ValueError(f"{name} is {text!r}; {kind}")
        return int(value) if whole else value

    return read


def _integer(low: int, high: float = 2**31 - 1) -> Callable[[str, str], Any]:
    reach = f"at least {low}" if high > 2**30 else f"from {low} to {high}"
    return _number(low, high, f"give a whole number {reach}", whole=True)


def _real(low: float, high: float, kind: str) -> Callable[[str, str], Any]:
    return _number(low, high, f"give {kind}", whole=False)


def _choice(*choices: str) -> Callable[[str, str], Any]:
    def read(name: str, text: str) -> str:
        if text not in choices:
            raise ValueError(f"{name} is {text!r}; give {' or '.join(choices)}")
        return text

    return read


def _flag(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise ValueError(f"{name} is {text!r}; give True or False")
    return text.lower() in ("true", "1")


def _only(value: str, reason: str) -> Callable[[str, str], Any]:
    def read(name: str, text: str) -> str:
        if text != value:
            raise ValueError(f"{name} is {text!r} and cannot be honoured: {reason}")
        return text

    return read


def _shape(name: str, text: str) -> tuple[int, int]:
    parts = text.split(",")
    sides = [int(part) for part in parts[1:] if part.strip().isdecimal()]
    fits = all(SMALLEST_SIDE <= side <= LARGEST_SIDE for side in sides)
    if len(parts) != 3 or parts[0].strip() != "3" or len(sides) != 2 or not fits:
        raise ValueError(
            f"{name} is {text!r}; give 3,height,width, sides from {SMALLEST_SIDE} to {LARGEST_SIDE}"
        )
    return sides[0], sides[1]


def _texts(name: str, text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


def _list(name: str, text: str) -> tuple[str, ...]:
    try:
        names = json.loads(text)
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise ValueError(f"{name} is {text!r}; give a JSON list of texts")
    return tuple(names)


def _epochs_list(name: str, text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise ValueError(f"{name} is {text!r}; give epochs such as 10,20")
    return tuple(int(part) for part in parts)


def _folds(name: str, text: str) -> int:
    if not text.isdecimal() or int(text) not in (0, *range(2, 21)):
        raise ValueError(f"{name} is {text!r}; give 0, or a whole number from 2 to 20")
    return int(text)


SHARE = _real(1e-12, 1 - 1e-12, "a share between 0 and 1, such as 0.05")
DECAY = _real(0, 1 - 1e-9, "a number from 0 up to, but not, 1")
POSITIVE = _real(1e-12, 1e6, "a number above 0")

READERS: dict[str, Callable[[str, str], Any]] = {
    "num_classes": _integer(2, 1000),
    "num_training_samples": _integer(2),
    "image_shape": _shape,
    "epochs": _integer(1),
    "mini_batch_size": _integer(2),
    "learning_rate": POSITIVE,
    "lr_scheduler_factor": _real(0, 1, "a factor from 0 to 1"),
    "lr_scheduler_step": _epochs_list,
    "optimizer": _choice(*OPTIMIZERS),
    "momentum": DECAY,
    "weight_decay": _real(0, 1, "a number from 0 to 1"),
    "beta_1": DECAY,
    "beta_2": DECAY,
    "eps": POSITIVE,
    "gamma": DECAY,
    "augmentation_type": _choice(*AUGMENTATIONS),
    "early_stopping": _flag,
    "early_stopping_min_epochs": _integer(1),
    "early_stopping_patience": _integer(1),
    "early_stopping_tolerance": _real(0, 1, "an accuracy from 0 to 1"),
    "use_pretrained_model": _flag,
    "checkpoint_frequency": _integer(1),
    "top_k": _integer(2),
    "precision_dtype": _only("float32", "this network trains in float32"),
    "multi_label": _only("0", "a picture has one label here"),
    "use_weighted_loss": _only("0", "it is for multi-label training"),
    # ours
    "profile": _choice(*PROFILES),
    "certify": _integer(0),
    "folds": _folds,
    "risk": SHARE,
    "certainty": SHARE,
    "seed": _integer(0),
    "class_names": _texts,
    "dataset": lambda _name, text: text,
    "damaged": _list,
    # SageMaker's: a job of a tuning job is told by which metric it is judged
    "_tuning_objective_metric": lambda _name, text: text,
}

OURS = (
    "profile", "certify", "folds", "risk", "certainty", "seed", "class_names", "dataset",
    "damaged",
)  # fmt: skip
"""Names that the built-in algorithm does not know; a job may also say them in its Environment, as
SCONES_PROFILE and so on."""

UNSPOKEN = ("class_names", "dataset", "damaged", "_tuning_objective_metric")
KNOWN = tuple(name for name in READERS if name not in UNSPOKEN)
"""What a person would give; the others are told by the workflow and by SageMaker."""

RECIPE_FIELDS = {
    name: {"mini_batch_size": "batch_size"}.get(name, name)
    for name in (
        "epochs", "mini_batch_size", "learning_rate", "lr_scheduler_factor", "lr_scheduler_step",
        "optimizer", "momentum", "weight_decay", "beta_1", "beta_2", "eps", "gamma",
    )
}  # fmt: skip
