"""What a search is asked, how its folds lie, and what is said of its result."""

import random
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scones.container.job import hold_out
from scones.images.images import Images
from scones.images.manifest import Entry
from scones.settings import Settings
from scones.workflow.folds import Fold, _hold_out, deal, open_to_choice
from scones.workflow.search import DEFAULT, read
from scones.workflow.tune import (
    COMPLETE,
    FAILED,
    OPTUNA,
    PRUNED,
    SAGEMAKER,
    Trial,
    Tuned,
    Tuning,
    as_json,
    mean,
)

SPACE = read(["learning_rate=0.01:0.2:log", "momentum=0.1:0.9"])
TUNING = Tuning(SPACE)


def entries(count: int) -> list[Entry]:
    return [
        Entry(f"train/{i}.png", i % 2, "train", f"{i * 7919 % 104729:06}") for i in range(count)
    ]


def test_folds_hold_every_class_evenly_in_whatever_order_pictures_come() -> None:
    staged = entries(103)
    dealt = deal(staged, 5)
    for label in (0, 1):
        counts = [
            sum(
                its == fold and entry.label == label
                for entry, its in zip(staged, dealt, strict=True)
            )
            for fold in range(5)
        ]
        assert max(counts) - min(counts) <= 1
    shuffled = random.Random(0).sample(staged, len(staged))
    by_key = {entry.key: its for entry, its in zip(staged, dealt, strict=True)}
    assert deal(shuffled, 5) == [by_key[entry.key] for entry in shuffled]


def test_copies_of_a_picture_lie_in_one_fold() -> None:
    staged = entries(20)
    copies = [replace(entry, key=f"train/copy-{i}.png") for i, entry in enumerate(staged)]
    assert deal(staged + copies, 4) == deal(staged, 4) * 2


@pytest.mark.parametrize("certify", [None, 0, 30])
def test_a_search_sees_none_of_the_pictures_that_will_certify(certify: int | None) -> None:
    staged = entries(100)
    staged[7] = replace(staged[7], sha256=staged[11].sha256)
    pixels = np.arange(100, dtype=np.uint8).repeat(12).reshape(100, 2, 2, 3)
    pixels[7] = pixels[11]
    images = Images(
        pixels, np.array([e.label for e in staged]), ("a", "b"), tuple(e.key for e in staged)
    )
    todo: Any = SimpleNamespace(certify=certify, seed=3)
    fitted_on, _ = hold_out(todo, images)
    found = open_to_choice(staged, certify, 3)
    assert [int(each.key[6:-4]) for each in found] == [
        row
        for row in range(100)
        if any((pixels[row] == one).all() for one in fitted_on.pixels_NHWC)
    ]
    assert len(found) == 100 - {None: 20, 0: 0, 30: 30}[certify] == len(fitted_on)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        (Settings(), (None, 0)),
        (Settings(certify=100, seed=3), (100, 3)),
        (Settings(hyperparameters={"certify": "0", "seed": "7"}), (0, 7)),
    ],
)
def test_what_a_job_will_hold_out_is_said_by_hyperparameter_or_setting(
    settings: Settings, found: tuple[int | None, int]
) -> None:
    assert _hold_out(settings) == found


def test_a_share_to_hold_out_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="hyperparameter certify is 'all'; give a whole number"):
        _hold_out(Settings(hyperparameters={"certify": "all"}))


def test_a_mean_is_over_pictures_not_folds() -> None:
    folds = [Fold("", "", 3, 1), Fold("", "", 1, 3), Fold("", "", 2, 2)]
    assert mean([1.0, 0.0], folds) == 0.25
    assert mean([1.0], folds) == 1.0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"trials": 0}, "trials is 0; it should be 1 to 500"),
        ({"folds": 1}, "folds is 1; it should be 2 to 20"),
        ({"jobs": 11}, "jobs is 11; it should be 1 to 10"),
        ({"objective": "f1"}, "objective is 'f1'; it should be accuracy or log_loss"),
        ({"strategy": "grid"}, "strategy is 'grid'; it should be bayesian or random"),
    ],
)
def test_a_wrong_question_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Tuning(SPACE, **options)


def test_what_the_settings_contradict_is_refused() -> None:
    with pytest.raises(ValueError, match="momentum is searched and given"):
        TUNING.check(Settings(hyperparameters={"momentum": "0.5"}))
    role = "arn:aws:iam::123456789012:role/Scones"
    on_aws = Settings(target="aws", role=role)
    TUNING.check(on_aws)
    with pytest.raises(ValueError, match="on AWS it should be accuracy"):
        replace(TUNING, objective="log_loss").check(on_aws)


TRIALS = (
    Trial(1, {"learning_rate": "0.05"}, COMPLETE, 0.93, (0.92, 0.94)),
    Trial(2, {"learning_rate": "0.2"}, FAILED, None, (), "the loss is nan"),
    Trial(3, {"learning_rate": "0.04"}, COMPLETE, 0.94, (0.93, 0.95)),
    Trial(4, {"learning_rate": "0.01"}, PRUNED, 0.99, (0.99,)),
    Trial(5, {"learning_rate": "0.03"}, COMPLETE, 0.94, (0.94, 0.94)),
)


def test_the_result_says_how_good_how_sure_and_how_to_train() -> None:
    tuned = Tuned(TUNING, TRIALS, OPTUNA, "study", 1000)
    assert tuned.best == TRIALS[2]  # the first of equals, and no pruned one
    assert tuned.sentence() == (
        "5 trials (3 complete, 1 pruned, 1 failed): the best, number 3, has accuracy 0.9400 out "
        "of fold (95 %: 0.923 to 0.954, n = 1000). Being the best of many it looks better than it "
        "is; `scones train` measures anew."
    )
    settings = Settings(profile="best", hyperparameters={"epochs": "20"})
    line = (
        "scones train --profile best --hyperparameter epochs=20 --hyperparameter learning_rate=0.04"
    )
    assert tuned.command(settings) == line == as_json(tuned, settings)["command"]
    seeded = tuned.command(Settings(certify=100, seed=3))
    assert seeded == "scones train --certify 100 --seed 3 --hyperparameter learning_rate=0.04"
    least = replace(tuned, tuning=replace(TUNING, objective="log_loss"), by=SAGEMAKER)
    assert least.best == TRIALS[0]
    assert "log loss 0.9300 on one split." in least.sentence()


def test_a_search_without_a_complete_trial_has_no_best() -> None:
    tuned = Tuned(Tuning(read(DEFAULT)), TRIALS[1:2], OPTUNA, "study", 1000)
    assert tuned.best is None and tuned.command(Settings()) == ""
    assert tuned.sentence() == "1 trials (1 failed): none was complete, so there is no best."
