"""A window judged: what makes the certificate active, suspended or none, and what is told of it."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from scones.gate.heldout import Baseline, Gate, HeldOut, weigh
from scones.monitor.drift import watch
from scones.monitor.monitor_page import tone
from scones.monitor.verdict import Findings, changes, judge, states
from scones.monitor.windows import UNKNOWN, Window

NAMES = ("bicycle", "motorcycle")


def logits(rng: np.random.Generator, labels: NDArray[np.int64], sharp: float = 1.0) -> Any:
    """Two-class logits of an accuracy of about .95 when sharp is 1."""
    z = sharp * rng.normal(np.where(labels == 1, 5.0, -5.0), 3.0)
    return np.stack([-z / 2, z / 2], axis=1)


def trained(n: int = 400) -> Gate:
    rng = np.random.default_rng(0)
    labels = (np.arange(n) % 2).astype(np.int64)
    return weigh(HeldOut(NAMES, logits(rng, labels), labels, ("",) * n))


def stream(
    gate: Gate, n: int, *, sharp: float = 1.0, labelled: bool = True, share: float = 0.5
) -> Window:
    rng = np.random.default_rng(1)
    labels = (rng.random(n) < share).astype(np.int64)
    p = gate.calibration(logits(rng, labels, sharp))
    return Window(NAMES, np.arange(float(n)), p, labels if labelled else np.full(n, UNKNOWN))


def state(findings: Findings, about: str) -> str:
    return states(findings)[about]


def sentence(findings: Findings, about: str) -> str:
    return next(verdict.sentence for verdict in findings.verdicts if verdict.about == about)


def test_a_stream_like_the_baseline_leaves_the_certificate_active() -> None:
    gate = trained()
    findings = judge(stream(gate, 1000), gate.threshold(0.8), gate=gate)
    assert findings.alarms == ()
    assert state(findings, "gate") == "active"
    assert "The certificate is ACTIVE" in sentence(findings, "gate")
    assert state(findings, "bias") == "no bias found"
    assert state(findings, "confidence") == "no drift"
    assert state(findings, "mix by labels") == "as the baseline"
    assert state(findings, "accuracy") == "as estimated"


def test_flattened_confidences_suspend_the_certificate() -> None:
    gate = trained()
    findings = judge(stream(gate, 1000, sharp=0.4), gate.threshold(0.8), gate=gate)
    assert findings.alarms[0] == "suspended"
    assert "drift" in findings.alarms
    assert "SUSPENDED: the confidences have drifted" in sentence(findings, "gate")
    assert "ACTIVE" not in sentence(findings, "gate")
    assert findings.confidence.alarm is not None
    assert f"shown at record {findings.confidence.alarm + 1} of 1,000" in sentence(
        findings, "confidence"
    )


def test_wrong_labels_suspend_the_certificate_though_confidences_stay() -> None:
    gate = trained()
    same = stream(gate, 400)
    flipped = np.where(np.arange(400) % 4 == 0, 1 - same.truth_N, same.truth_N)
    window = Window(NAMES, same.at_N, same.probabilities_NK, flipped)
    findings = judge(window, gate.threshold(0.8), gate=gate)
    assert "suspended" in findings.alarms
    assert "drift" not in findings.alarms
    assert "labels show that more than 5 % of accepted are wrong" in sentence(findings, "gate")
    assert state(findings, "accuracy") == "estimate and labels differ"


def test_an_unbalanced_stream_is_told_from_a_bias() -> None:
    gate = trained()
    for labelled, about in ((False, "mix by MLLS"), (True, "mix by labels")):
        window = stream(gate, 1000, share=0.85, labelled=labelled)
        findings = judge(window, gate.threshold(0.8), gate=gate)
        assert state(findings, about) == "unbalanced stream"
        assert state(findings, "bias") != "biased"


def test_labels_of_nearly_all_tell_the_mix_whatever_has_drifted() -> None:
    gate = trained()
    blurred = stream(gate, 1000, sharp=0.2)
    findings = judge(blurred, gate.threshold(0.8), gate=gate)
    assert findings.confidence.drifted
    assert [mix.method for mix in findings.mixes] == ["labels"]
    assert state(findings, "mix by labels") == "as the baseline"
    assert "Of 979 records, counted by labels: " in sentence(findings, "mix by labels")


def test_without_labels_a_drift_leaves_the_mix_unsaid() -> None:
    gate = trained()
    moved = {"sharpness": watch(np.zeros(50), np.ones(200))}
    calm, blurred = (
        judge(stream(gate, 1000, sharp=sharp, labelled=False), 0.9, gate=gate, pictures=pictures)
        for sharp, pictures in ((1.0, moved), (0.4, None))
    )
    for findings, what in ((calm, "the pictures have"), (blurred, "the confidences have")):
        for about in ("mix by BBSE", "mix by MLLS"):
            assert state(findings, about) == "cannot be told"
            assert what in sentence(findings, about)


def test_a_threshold_by_hand_promises_nothing() -> None:
    gate = trained()
    assert gate.overall.threshold is not None
    window = stream(gate, 50)
    assert state(judge(window, 0.8), "gate") == "by hand"
    assert "set by hand, which promises nothing" in sentence(judge(window, 0.8), "gate")
    below = judge(window, gate.overall.threshold - 0.01, gate=gate)
    assert state(below, "gate") == "by hand"
    assert "below the certified" in sentence(below, "gate")


def test_drifted_pictures_suspend_the_certificate_and_nothing_says_no_drift() -> None:
    gate = trained()
    dark = {
        "brightness": watch(np.zeros(50), np.ones(200)),
        "size": watch(np.zeros(50), [0.0] * 200),
    }
    findings = judge(stream(gate, 200), gate.threshold(0.8), gate=gate, pictures=dark)
    assert findings.alarms[:1] == ("suspended",)
    assert sentence(findings, "gate") == (
        "The certificate is SUSPENDED: the pictures have drifted in brightness."
    )
    assert not any("no drift" in verdict.sentence.lower() for verdict in findings.verdicts[:1])


def test_what_was_not_watched_is_not_called_calm() -> None:
    gate, calm = trained(), np.random.default_rng(3).random(300)
    for pictures, words in (
        (None, "the confidences have not drifted (pictures were not looked at)"),
        ({}, "the confidences have not drifted (pictures were not looked at)"),
        ({"size": watch(calm[:100], calm[100:103])}, "(pictures are too few to say)"),
        ({"size": watch([], calm)}, "(there are no earlier pictures to compare with)"),
        ({"size": watch(calm[:100], calm[100:])}, "neither confidences nor pictures have drifted"),
    ):
        findings = judge(stream(gate, 200), gate.threshold(0.8), gate=gate, pictures=pictures)
        assert words in sentence(findings, "gate")
    assert state(judge(stream(gate, 9), 0.9, pictures=None), "pictures") == "not looked at"
    assert state(judge(stream(gate, 9), 0.9, pictures={}), "pictures") == "no pictures"


def test_without_labels_the_certificate_rests_on_the_absence_of_drift_alone() -> None:
    gate = trained()
    findings = judge(stream(gate, 200, labelled=False), gate.threshold(0.8), gate=gate)
    assert state(findings, "gate") == "active"
    assert "it rests on the absence of drift alone" in sentence(findings, "gate")
    assert "the 0 accepted" not in sentence(findings, "gate").lower()


def turned(gate: Gate, n: int, change: int) -> Window:
    """Favours the first class before `change` and the second after it, with flatter logits."""
    rng = np.random.default_rng(8)
    labels = (np.arange(n) % 2).astype(np.int64)
    z = rng.normal(np.where(labels == 1, 5.0, -5.0), 3.0) + np.where(np.arange(n) < change, -2, 3)
    z = np.where(np.arange(n) < change, z, 0.35 * z)
    return Window(
        NAMES, np.arange(float(n)), gate.calibration(np.stack([-z / 2, z / 2], 1)), labels
    )


def test_after_drift_bias_and_accuracy_are_judged_on_what_came_after_it() -> None:
    gate = trained()
    window = turned(gate, 1400, 1000)
    findings = judge(window, 0.8, gate=gate, reference_M=window.confidence[:400])
    after = findings.judged_after
    assert after is not None and after == findings.confidence.alarm + 1  # type: ignore[operator]
    assert 1000 < after < 1100
    recent = judge(window.take(slice(after, None)), 0.8, gate=gate, reference_M=np.zeros(0))
    assert findings.balance == recent.balance
    assert findings.counted == recent.counted
    assert findings.balance.favoured == "motorcycle"
    assert "biased" in findings.alarms
    for about in ("bias", "mix by labels", "accuracy"):
        assert sentence(findings, about).startswith(
            f"Judged on {1400 - after} records after record {after:,}, where drift was shown. "
        )
    few = judge(window.take(slice(after + 5)), 0.8, gate=gate, reference_M=window.confidence[:400])
    assert few.balance.n == 5
    assert state(few, "bias") == "too few to say"
    none = judge(window.take(slice(after)), 0.8, gate=gate, reference_M=window.confidence[:400])
    assert state(none, "bias") == "too few to say"
    assert state(none, "accuracy") == "unknown"
    json.dumps(none.to_json(), allow_nan=False)


def test_drift_of_pictures_parts_the_records_by_their_times() -> None:
    gate = trained()
    moved = {"size": watch(np.zeros(50), np.ones(100))}
    alarm = moved["size"].alarm
    assert alarm is not None
    window = stream(gate, 300)
    one_a_record = judge(window.take(slice(100)), 0.8, gate=gate, pictures=moved)
    assert one_a_record.judged_after == alarm + 1
    every_third = judge(
        window, 0.8, gate=gate, pictures=moved, pictured_at_N=np.arange(0.0, 300, 3)
    )
    assert every_third.judged_after == 3 * alarm + 1


def test_a_picture_of_before_the_drift_counts_again_after_it() -> None:
    gate = trained()
    half = stream(gate, 200)
    window = Window(
        NAMES, np.arange(400.0), np.tile(half.probabilities_NK, (2, 1)), np.tile(half.truth_N, 2)
    )
    answers = np.tile(np.arange(1, 201, dtype=np.uint64), 2)
    moved = {"size": watch(np.zeros(50), np.arange(400) >= 150)}
    findings = judge(window, 0.8, gate=gate, pictures=moved, answers_N=answers)
    assert findings.judged_after is not None and 150 < findings.judged_after < 200
    assert findings.balance.n == 200
    assert judge(window, 0.8, gate=gate, answers_N=answers).balance.n == 200


def test_a_stream_out_of_balance_and_a_wrong_estimate_are_alarms() -> None:
    gate = trained()
    for labelled in (True, False):
        shifted = judge(stream(gate, 600, share=0.9, labelled=labelled), 0.9, gate=gate)
        assert "unbalanced" in shifted.alarms
    same = stream(gate, 600)
    for rate, wanted in ((0.2, True), (0.0, False)):
        wrong = np.random.default_rng(4).random(600) < rate
        truth = np.where(wrong, 1 - same.truth_N, same.truth_N)
        findings = judge(Window(NAMES, same.at_N, same.probabilities_NK, truth), 0.8, gate=gate)
        assert ("inaccurate" in findings.alarms) == wanted
    # One call that was surely wrong is no evidence, nor are two.
    for n in (1, 2):
        sure = Window(NAMES, np.arange(n * 1.0), np.tile([1.0, 0.0], (n, 1)), np.ones(n, np.int64))
        assert judge(sure, 0.8).alarms == ()
    # More right than foretold is no alarm.
    doubtful = Window(
        NAMES, np.arange(900.0), np.tile([0.9, 0.1], (900, 1)), np.zeros(900, np.int64)
    )
    better = judge(doubtful, 0.8)
    assert state(better, "accuracy") == "estimate and labels differ"
    assert "inaccurate" not in better.alarms


@pytest.mark.slow
def test_over_all_looks_a_calm_stream_is_seldom_called_unbalanced_or_inaccurate() -> None:
    called = {"unbalanced": 0, "inaccurate": 0}
    for life in range(20):
        rng = np.random.default_rng(100 + life)
        labels = (rng.random(2000) < 0.5).astype(np.int64)
        held_out = (np.arange(200) % 2).astype(np.int64)
        gate = weigh(HeldOut(NAMES, logits(rng, held_out), held_out, ("",) * 200))
        p = gate.calibration(logits(rng, labels))
        raised: set[str] = set()
        for n in (250, 500, 1000, 2000):
            window = Window(NAMES, np.arange(float(n)), p[:n], labels[:n])
            raised |= set(judge(window, 0.8, gate=gate).alarms)
        for alarm in called:
            called[alarm] += alarm in raised
    assert max(called.values()) <= 1


def test_a_period_is_a_draw_whose_own_chance_counts() -> None:
    gate = trained()
    window = stream(gate, 1500)
    drawn = Baseline(NAMES, window.probabilities_NK[:60], (np.arange(60) < 24).astype(np.int64))
    labels = judge(window, 0.8, baseline=drawn, reference_M=window.confidence)
    assert state(labels, "mix by labels") == "as the baseline"
    chosen = replace(gate, baseline=drawn)
    assert state(judge(window, 0.8, gate=chosen), "mix by labels") == "unbalanced stream"


def test_labels_of_nearly_all_are_counted_without_a_baseline() -> None:
    findings = judge(stream(trained(), 300), 0.8)
    assert state(findings, "mix by labels") == "nothing to compare with"
    assert "Of 300 records, counted by labels: " in sentence(findings, "mix by labels")
    assert "in the baseline" not in sentence(findings, "mix by labels")


def test_the_default_threshold_is_not_called_somebodys() -> None:
    gate = trained()
    findings = judge(stream(gate, 50), 0.8, by_hand=False)
    assert state(findings, "gate") == "not certified"
    assert sentence(findings, "gate") == (
        "The gate stands at 0.8, the default: not certified, so it promises nothing. The model has "
        "no certificate."
    )


def test_a_gate_that_could_not_be_certified_says_so() -> None:
    gate = trained(20)
    findings = judge(stream(gate, 50), gate.threshold(0.8), gate=gate, by_hand=False)
    assert state(findings, "gate") == "not certifiable"
    assert "20 training pictures held out for this are too few" in sentence(findings, "gate")
    assert "the default: not certified" in sentence(findings, "gate")
    assert state(judge(stream(gate, 50), 0.9, gate=gate), "gate") == "by hand"


def test_few_labels_that_speak_against_it_suspend_nothing_yet_and_more_do() -> None:
    gate = trained()
    same = stream(gate, 400)
    third_wrong = np.where(np.arange(400) % 3 == 0, 1 - same.truth_N, same.truth_N)
    for arrived, wanted in ((4, "active"), (100, "suspended")):
        known = np.where(np.arange(400) < arrived, third_wrong, UNKNOWN)
        window = Window(NAMES, same.at_N, same.probabilities_NK, known)
        findings = judge(window, gate.threshold(0.8), gate=gate, by_hand=False)
        assert state(findings, "gate") == wanted


@pytest.mark.parametrize("n", [0, 1, 2])
@pytest.mark.parametrize("labelled", [True, False])
def test_hardly_a_record_still_has_every_verdict(n: int, labelled: bool) -> None:
    gate = trained()
    for known in (gate, trained(0), None):
        findings = judge(stream(gate, n, labelled=labelled), 0.9, gate=known)
        assert {"gate", "bias", "confidence", "accuracy"} <= set(states(findings))
        assert findings.alarms == ()
        json.dumps(findings.to_json(), allow_nan=False)


def test_drift_of_pictures_is_told_by_what_moved() -> None:
    gate = trained()
    moved = {"brightness": watch(np.zeros(50), np.ones(200)), "contrast": watch([], [0.5])}
    findings = judge(stream(gate, 200), 0.9, gate=gate, pictures=moved)
    assert state(findings, "pictures") == "drift"
    assert "drifted in brightness (record" in sentence(findings, "pictures")
    still = judge(stream(gate, 200), 0.9, gate=gate, pictures={"contrast": moved["contrast"]})
    assert sentence(still, "pictures") == (
        "Too few to say: 1 picture, and even a coarse drift would show only after 30."
    )


def test_nothing_to_compare_with_and_too_few_are_not_called_well() -> None:
    gate, random = trained(), np.random.default_rng(0)
    for n, known, wanted in (
        (1, gate, "too few to say"),
        (29, gate, "too few to say"),
        (60, gate, "no drift"),
        (1, None, "too few to say"),
        (60, None, "nothing to compare with"),
        (60, trained(4), "nothing to compare with"),
    ):
        reference = random.random(0 if known is None else len(known.baseline.labels_N))
        pictures = {"brightness": watch(reference, random.random(n))}
        findings = judge(stream(gate, n), 0.9, gate=known, pictures=pictures)
        assert (state(findings, "confidence"), state(findings, "pictures")) == (wanted, wanted)
        told = [each for each in findings.verdicts if each.about in ("confidence", "pictures")]
        assert {tone(each) for each in told} == {"good" if wanted == "no drift" else "open"}


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_handful_of_labels_bears_nothing_out(n: int) -> None:
    gate = trained()
    findings = judge(stream(gate, n), 0.5, gate=gate)
    for about in ("mix by labels", "accuracy"):
        assert state(findings, about) == "too few to say"
        assert "too few to say" in sentence(findings, about)


@pytest.mark.parametrize(
    ("n", "words"), [(0, "there is no record to judge"), (29, "29 records, and even a coarse")]
)
def test_a_certificate_is_not_called_active_before_there_is_evidence(n: int, words: str) -> None:
    gate = trained()
    findings = judge(stream(gate, n), gate.threshold(0.8), gate=gate)
    assert state(findings, "gate") == "no evidence yet"
    assert words in sentence(findings, "gate")
    assert "ACTIVE" not in sentence(findings, "gate")


def test_estimate_and_labels_are_compared_in_title_and_sentence_alike() -> None:
    gate = trained()
    same = stream(gate, 400)
    for wrong, wanted, words in (
        (0.0, "as estimated", "They agree: the confidences of the labelled ones foretell"),
        (0.2, "estimate and labels differ", "They differ: fewer are right than the"),
    ):
        turned = np.random.default_rng(2).random(400) < wrong
        truth = np.where(turned, 1 - same.truth_N, same.truth_N)
        window = Window(NAMES, same.at_N, same.probabilities_NK, truth)
        findings = judge(window, 0.8, gate=gate)
        assert state(findings, "accuracy") == wanted
        assert words in sentence(findings, "accuracy")


def test_labels_within_what_the_confidences_foretell_do_not_differ() -> None:
    # All of n calls at 96 % are right. Of 92 the confidences foretell 92.0 to 100 %, of 140 they
    # foretell 92.8 to 99.2 %; the interval of 92 of 92, 96.1 to 100 %, leaves 96 out as well.
    for n, wanted in ((92, "as estimated"), (140, "estimate and labels may differ")):
        p = np.tile([0.96, 0.04], (n, 1))
        findings = judge(Window(NAMES, np.arange(float(n)), p, np.zeros(n, np.int64)), 0.5)
        assert (state(findings, "accuracy"), n) == (wanted, n)


def test_a_message_goes_out_when_a_verdict_changes_not_when_it_stays() -> None:
    gate = trained()
    calm = judge(stream(gate, 500), gate.threshold(0.8), gate=gate)
    assert len(changes({}, calm)) == len(calm.verdicts)
    assert changes(states(calm), calm) == []
    upset = judge(stream(gate, 500, sharp=0.4), gate.threshold(0.8), gate=gate)
    assert {"gate", "confidence"} <= {each.about for each in changes(states(calm), upset)}


def test_findings_are_plain_json() -> None:
    gate = trained()
    window = stream(gate, 300)
    told = json.loads(json.dumps(judge(window, 0.9, gate=gate).to_json()))
    assert [mix["method"] for mix in told["mix"]] == ["labels"]
    assert told["threshold"] == 0.9
    assert told["accuracy"]["counted"]["n"] > 0
    assert told["drift"]["confidence"]["alarm"] is None
    drifted = judge(stream(gate, 300, sharp=0.3), 0.9, gate=gate)
    alarm = drifted.to_json()["drift"]["confidence"]["alarm"]
    assert f"shown at record {alarm} of 300" in sentence(drifted, "confidence")
    assert drifted.to_json()["judged_after"] == alarm
    unlabelled = judge(stream(gate, 300, labelled=False), 0.9, gate=gate).to_json()
    assert [mix["method"] for mix in unlabelled["mix"]] == ["BBSE", "MLLS"]
