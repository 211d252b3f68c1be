"""Hyperparameters: the built-in algorithm's names and meanings, ours beside them, no other."""

import pytest

from scones.container.hyperparameters import READERS, REFUSED, plan
from scones.model.fit import Stopping
from scones.model.recipe import BEST, QUICK, Augmentation

COURSE = {"image_shape": "3,32,32", "num_classes": "2", "num_training_samples": "1000"}


def test_the_courses_three_mean_our_quick_recipe() -> None:
    todo = plan(COURSE)
    assert todo.recipe == QUICK
    assert (todo.height, todo.width, todo.num_training_samples) == (32, 32, 1000)
    assert (todo.certify, todo.risk, todo.certainty) == (None, 0.05, 0.95)
    assert todo.stopping is None
    assert todo.class_names == ("0", "1")


def test_a_public_projects_seven_are_honoured() -> None:
    todo = plan(
        COURSE
        | {
            "early_stopping": "True",
            "early_stopping_min_epochs": "10",
            "mini_batch_size": "32",
            "epochs": "30",
            "optimizer": "adam",
        }
    )
    assert (todo.recipe.batch_size, todo.recipe.epochs) == (32, 30)
    assert (todo.recipe.optimizer, todo.recipe.learning_rate) == ("adam", 3e-3)
    assert todo.stopping == Stopping(min_epochs=10)


def test_everything_can_be_said() -> None:
    todo = plan(
        {
            "num_classes": "3", "class_names": "cat, dog,horse", "image_shape": "3,48,64",
            "profile": "best", "learning_rate": "0.2", "lr_scheduler_step": "5,8",
            "lr_scheduler_factor": "0.5", "momentum": "0.7", "weight_decay": "0",
            "augmentation_type": "crop_color", "use_pretrained_model": "1", "certify": "0",
            "risk": "0.1", "certainty": ".9", "seed": "7", "checkpoint_frequency": "4",
            "top_k": "2", "precision_dtype": "float32", "multi_label": "0",
        }
    )  # fmt: skip
    assert todo.class_names == ("cat", "dog", "horse")
    assert (todo.height, todo.width) == (48, 64)
    assert todo.recipe.networks == BEST.networks
    assert todo.recipe.lr_scheduler_step == (5, 8)
    assert todo.recipe.augmentation.colour > 0
    assert todo.recipe.augmentation.rotation == 0
    assert (todo.use_pretrained_model, todo.certify, todo.top_k) == (True, 0, 2)


def test_no_augmentation_is_none_at_all() -> None:
    assert plan(COURSE | {"augmentation_type": "none"}).recipe.augmentation == Augmentation()


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_cannot_be_honoured_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} cannot be honoured"):
        plan(COURSE | {name: "1"})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("epochs", "0"), ("epochs", "ten"), ("epochs", "1.5"), ("epochs", "nan"),
        ("mini_batch_size", "-1"), ("learning_rate", "0"), ("learning_rate", "inf"),
        ("optimizer", "lion"), ("momentum", "1"), ("image_shape", "32,32"),
        ("image_shape", "1,32,32"), ("image_shape", "3,32,x"), ("image_shape", "3,4,4"),
        ("num_classes", "1"), ("early_stopping", "perhaps"), ("precision_dtype", "float16"),
        ("augmentation_type", "heavy"), ("risk", "0"), ("certainty", "1"), ("top_k", "3"),
        ("lr_scheduler_step", "a"), ("profile", "slow"), ("class_names", "only"),
        ("multi_label", "1"), ("seed", "-1"), ("folds", "1"), ("folds", "21"),
        ("num_training_samples", ""),
    ],
)  # fmt: skip
def test_a_value_that_makes_no_sense_is_refused_with_its_name(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=name):
        plan(COURSE | {name: text})


def test_an_unknown_name_is_offered_the_close_ones() -> None:
    with pytest.raises(ValueError, match="epoch is no hyperparameter here; did you mean epochs"):
        plan(COURSE | {"epoch": "3"})


def test_the_number_of_classes_must_be_said() -> None:
    with pytest.raises(ValueError, match="num_classes is not given"):
        plan({})


def test_every_name_of_the_built_in_algorithm_is_honoured_or_refused() -> None:
    documented = {
        "num_classes", "num_training_samples", "augmentation_type", "beta_1", "beta_2",
        "checkpoint_frequency", "early_stopping", "early_stopping_min_epochs",
        "early_stopping_patience", "early_stopping_tolerance", "epochs", "eps", "gamma",
        "image_shape", "kv_store", "learning_rate", "lr_scheduler_factor", "lr_scheduler_step",
        "mini_batch_size", "momentum", "multi_label", "num_layers", "optimizer",
        "precision_dtype", "resize", "top_k", "use_pretrained_model", "use_weighted_loss",
        "weight_decay",
    }  # fmt: skip
    assert documented <= READERS.keys() | REFUSED.keys()
    assert not READERS.keys() & REFUSED.keys()
