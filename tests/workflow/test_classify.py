"""Which pictures are classified, and how executions are told."""

from collections import Counter

import pytest

from scones.images.manifest import Entry
from scones.workflow.classify import Outcome, choose, tally

ENTRIES = [Entry(f"test/{place}.png", place % 2, "test", "") for place in range(20)]


@pytest.mark.parametrize("count", [1, 2, 7, 20, 45, 100])
def test_classes_are_balanced_and_pictures_repeat_only_when_used_up(count: int) -> None:
    chosen = choose(ENTRIES, 2, count, seed=3)
    assert len(chosen) == count
    labels = Counter(entry.label for entry in chosen)
    assert abs(labels[0] - labels[1]) <= 1
    times = Counter(entry.key for entry in chosen)
    for label in (0, 1):
        mine = [times[entry.key] for entry in ENTRIES if entry.label == label]
        assert max(mine) - min(mine) <= 1


def test_a_seed_chooses_the_same_pictures_and_another_seed_others() -> None:
    assert choose(ENTRIES, 2, 10, seed=1) == choose(ENTRIES, 2, 10, seed=1)
    assert choose(ENTRIES, 2, 10, seed=1) != choose(ENTRIES, 2, 10, seed=2)


def test_an_odd_one_falls_to_either_class() -> None:
    firsts = {choose(ENTRIES, 2, 1, seed=seed)[0].label for seed in range(20)}
    assert firsts == {0, 1}


def test_a_class_without_pictures_is_said() -> None:
    with pytest.raises(ValueError, match="label 2"):
        choose(ENTRIES, 3, 9, seed=0)


def test_endings_are_tallied_by_error() -> None:
    def outcome(status: str, error: str | None = None) -> Outcome:
        return Outcome("n", "arn", ENTRIES[0], status, error, None)

    ended = [outcome("SUCCEEDED"), outcome("FAILED", "E"), outcome("FAILED", "E")]
    assert tally(ended) == "3 executions: 2 E, 1 succeeded"
