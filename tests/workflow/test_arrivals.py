"""The audit bets on labels in the order in which they came, whatever their pictures' times."""

from pathlib import Path

import numpy as np
import pytest

from scones.gate.heldout import HeldOut, weigh
from scones.monitor.drift import audit
from scones.monitor.verdict import judge
from scones.monitor.windows import UNKNOWN, Window
from scones.workflow.kept import Cache


def test_labels_keep_their_places_and_new_ones_come_last(tmp_path: Path) -> None:
    cache, keys = Cache(tmp_path), np.arange(10, dtype=np.uint64) * np.uint64(2**60 + 1)
    assert cache.arrivals("a.u64", keys[[3, 5, 8]]).tolist() == [0, 1, 2]
    assert cache.arrivals("a.u64", keys[[1, 3, 5, 6, 8]]).tolist() == [3, 0, 1, 4, 2]
    assert cache.arrivals("a.u64", keys[[8]]).tolist() == [2]
    assert cache.arrivals("a.u64", keys[:0]).tolist() == []
    assert cache.arrivals("b.u64", keys[[1, 3]]).tolist() == [0, 1]
    (tmp_path / "a.u64").write_bytes(b"broken")
    assert cache.arrivals("a.u64", keys[[1, 3]]).tolist() == [0, 1]


def test_the_audit_bets_in_the_order_of_arrival() -> None:
    random = np.random.default_rng(0)
    labels = np.arange(400) % 2
    z = random.normal(np.where(labels == 1, 4.0, -4.0), 1.0)
    logits = np.stack([-z / 2, z / 2], axis=1)
    names = ("bicycle", "motorcycle")
    gate = weigh(HeldOut(names, logits, labels, tuple(f"{i:064x}" for i in range(400))))
    assert gate.overall.threshold is not None
    truth = np.where(random.random(100) < 0.1, 1, 0)
    truth[::3] = UNKNOWN
    window = Window(names, np.arange(100.0), np.tile([0.9999, 0.0001], (100, 1)), truth)
    arrived = random.permutation(100)
    # Each fifth record and the next show the same picture: the label that came first counts.
    answers = (np.arange(100) - (np.arange(100) % 5 == 1) + 1).astype(np.uint64)
    found = judge(window, 0.999, gate=gate, answers_N=answers, arrived_N=arrived).audit
    order = np.argsort(arrived)
    order = order[truth[order] != UNKNOWN]
    order = order[np.sort(np.unique(answers[order], return_index=True)[1])]
    assert found is not None and order.tolist() != sorted(order.tolist())
    expected = audit(truth[order] != 0, gate.overall.risk)
    assert found.log10_capital_N.tolist() == expected.log10_capital_N.tolist()


@pytest.mark.slow
def test_a_kept_risk_seldom_alarms_also_where_labels_come_in_another_order(
    tmp_path: Path,
) -> None:
    alarms = 0
    for seed in range(200):
        random, cache = np.random.default_rng(seed), Cache(tmp_path / f"{seed}")
        wrong, order = random.random(600) < 0.05, random.permutation(600)
        for n in range(50, 601, 50):
            seen = np.sort(order[:n])
            places = cache.arrivals("a.u64", seen.astype(np.uint64))
            if audit(wrong[seen][np.argsort(places)], 0.05).drifted:
                alarms += 1
                break
    assert alarms <= 0.05 * 200
