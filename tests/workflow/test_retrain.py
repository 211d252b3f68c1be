"""When a new model is worse, and what it must not be examined on."""

from types import SimpleNamespace
from typing import Any

import pytest

from scones.images.manifest import Entry
from scones.workflow import retrain
from scones.workflow.examine import Compared
from scones.workflow.retrain import Learnt, Retrained, examined
from scones.workflow.staged import Facts, Staged
from scones.workflow.threshold import DEFAULT, Gates, Threshold
from scones.workflow.train import Trained


def test_a_model_is_worse_when_it_is_right_less_often() -> None:
    assert Compared(200, 180, 9, 8).worse
    assert not Compared(200, 180, 8, 8).worse
    assert not Compared(200, 180, 3, 9).worse


def test_the_comparison_is_told_with_intervals_and_mcnemars_p() -> None:
    said = Compared(200, 180, 2, 12).sentence()
    assert said.startswith("On the same 200 test pictures the old")
    assert "the old model is right on 182 (91.0 %; 95 %: 86.1 to 94.6)" in said
    assert "the new one on 192 (96.0 %" in said
    # Twice the binomial tail of 2 or fewer in 14: 2 * (1 + 14 + 91) / 2**14.
    assert "McNemar's exact p = 0.013" in said


def staged(count: int) -> Staged:
    facts = Facts("folder", ("a", "b"), {"a": 0, "b": 0}, {"a": count, "b": 0}, "")
    return Staged(facts, tuple(Entry(f"test/{i}.png", 0, "test", f"{i}") for i in range(count)))


class Pages:
    """S3 with one note of a simulation: picture `blurred` was made from test/3.png."""

    def get_paginator(self, name: str) -> Any:
        found = {"Contents": [{"Key": "simulated/run.jsonl"}]}
        return SimpleNamespace(paginate=lambda **asked: [found])

    def get_object(self, **asked: str) -> Any:
        line = b'{"origin": "test/3.png", "sha256": "blurred"}\n'
        return {"Body": SimpleNamespace(read=lambda: line)}


CLIENTS: Any = SimpleNamespace(s3=Pages(), bucket="b")


def test_the_original_of_a_learnt_picture_is_not_asked_about() -> None:
    held_out = examined(CLIENTS, staged(40), [Learnt("blurred", b"", 0), Learnt("new", b"", 0)])
    assert [each.key for each in held_out] == [f"test/{i}.png" for i in range(40) if i != 3]


def test_the_original_of_what_was_learnt_an_earlier_time_is_not_asked_about() -> None:
    some = staged(40)
    before = Entry("train/labelled-blurred.png", 0, "train", "blurred")
    held_out = examined(CLIENTS, Staged(some.facts, (*some.entries, before)), [])
    assert [each.key for each in held_out] == [f"test/{i}.png" for i in range(40) if i != 3]


def test_too_few_held_out_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="19 test pictures are left to compare on; 20 or more"):
        examined(CLIENTS, staged(retrain.FEWEST), [Learnt("blurred", b"", 0)])


def test_labels_that_taught_nothing_are_accounted_for_in_eighty_columns() -> None:
    trained, compared = Trained("job", "s3://b/model.tar.gz", ()), Compared(200, 180, 9, 8)
    same = Gates(Threshold(0.8, DEFAULT, None), Threshold(0.8, DEFAULT, None))
    told = Retrained(trained, 5, 1, compared, same, None).sentence()
    assert max(len(line) for line in told.splitlines()) <= 80
    words = " ".join(told.split())
    assert "It learnt from 5 more pictures. 1 picture of those labelled is not news:" in words
    assert "not news" not in Retrained(trained, 1, 0, compared, same, None).sentence()
    assert "from 1 more picture." in Retrained(trained, 1, 0, compared, same, None).sentence()
