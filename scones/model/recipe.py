"""Recipes: everything that is chosen about a training run, on one page each.

Chosen by 5-fold cross-validation on the 1000 training pictures of bicycles and motorcycles; what
was tried, with figures, is in docs/model-choices.md.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Augmentation:
    """How far a training picture may be changed before each look at it; 0 is not at all."""

    flip: bool = False
    """Left and right swapped for half of the pictures."""
    shift: float = 0.0
    """Pixels of a side of 32, each way; what enters is mirrored from inside."""
    rotation: float = 0.0
    """Degrees, each way."""
    scale: float = 0.0
    """0.2 is from 1 / 1.2 to 1.2, and half of that for the ratio of the sides."""
    shear: float = 0.0
    bent: float = 1.0
    """Share of the pictures that are turned, scaled and sheared. The others are shifted by whole
    pixels and so stay as sharp as those that are judged: resampling blurs thin spokes."""
    colour: float = 0.0
    """0.3 is brightness, contrast and saturation between 0.7 and 1.3, and a cast of 0.06."""
    cutout: float = 0.0
    """Side of the square that is blanked, as a share of the picture's."""
    cutmix: float = 0.0
    """Share of the pictures in which a square is another's, and a like part of the class."""


@dataclass(frozen=True)
class Recipe:
    """One way to train."""

    name: str
    networks: int = 1
    """Trained side by side on the same pictures, their logits averaged; an even number, since two
    cores train two of them at a time."""
    widths: tuple[int, ...] = (32, 64, 128)
    """Channels of each stage."""
    epochs: int = 40
    batch_size: int = 50
    optimizer: str = "muon"
    """muon, or by the built-in algorithm's names sgd, nag (Nesterov's momentum), adam, rmsprop."""
    learning_rate: float = 0.05
    """At its highest."""
    momentum: float = 0.6
    weight_decay: float = 5e-4
    """Of convolutions and the last layer; biases and normalization have none."""
    beta_1: float = 0.9
    beta_2: float = 0.999
    eps: float = 1e-8
    gamma: float = 0.9
    """rmsprop's decay."""
    warmup: float = 0.25
    """Share of all steps in which the learning rate rises; it then falls to a twentieth."""
    lr_scheduler_step: tuple[int, ...] = ()
    """Epochs at which the learning rate is multiplied by `lr_scheduler_factor`, instead of
    rising and falling; empty: one cycle."""
    lr_scheduler_factor: float = 0.1
    label_smoothing: float = 0.1
    averaging: float = 0.0
    """Decay a step of the moving average of the weights, less in the first steps; 0: the last
    weights are the model."""
    augmentation: Augmentation = Augmentation()


FULL = Augmentation(
    flip=True, shift=3.0, rotation=15.0, scale=0.2, shear=0.15, bent=0.5, colour=0.3, cutout=0.375
)

QUICK = Recipe("quick", networks=2, epochs=30, averaging=0.98, augmentation=FULL)
BEST = Recipe(
    "best",
    networks=2,
    widths=(48, 96, 192),
    epochs=80,
    averaging=0.98,
    augmentation=replace(FULL, cutmix=0.5),
)
PROFILES = {recipe.name: recipe for recipe in (QUICK, BEST)}
