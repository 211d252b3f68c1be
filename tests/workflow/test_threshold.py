"""Which threshold goes live: a person's, the certificate's, or 0.8."""

from dataclasses import replace

import numpy as np

from scones.gate.heldout import HeldOut, weigh
from scones.workflow.threshold import Threshold, choose

NOTHING = HeldOut(("bicycle", "motorcycle"), np.zeros((0, 2)), np.zeros(0, np.int64), ())


def test_a_person_goes_before_the_certificate_and_that_before_the_default() -> None:
    uncertified = weigh(NOTHING)
    gate = replace(uncertified, overall=replace(uncertified.overall, threshold=0.93, more=None))
    promise = gate.overall.sentence()
    assert choose(0.7, gate) == Threshold(0.7, "hand", promise)
    assert choose(None, gate) == Threshold(0.93, "certificate", promise)
    refused = choose(None, uncertified)
    assert (refused.value, refused.source) == (0.8, "default")
    assert refused.promise is not None and "Not certifiable that" in refused.promise
    assert choose(None, None) == Threshold(0.8, "default", None)
