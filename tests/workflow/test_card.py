"""What a model's card tells the monitor, of every age of card."""

import io
import json
import tarfile
from typing import Any

import numpy as np
import pytest

from scones.gate.heldout import Gate, HeldOut, weigh
from scones.workflow.card import NO_BASELINE, NO_CERTIFICATE, card_in, gate_of

NAMES = ("bicycle", "motorcycle")


def gate() -> Gate:
    labels = (np.arange(200) % 2).astype(np.int64)
    z = np.random.default_rng(0).normal(np.where(labels == 1, 4.0, -4.0), 2.0)
    return weigh(HeldOut(NAMES, np.stack([-z / 2, z / 2], axis=1), labels, ("",) * 200))


def archive(**files: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as packed:
        for name, content in files.items():
            entry = tarfile.TarInfo(name.replace("_", "."))
            entry.size = len(content)
            packed.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def test_the_card_is_found_in_the_archive() -> None:
    card = {"gate": gate().to_json()}
    told = card_in(archive(model_onnx=b"x", card_json=json.dumps(card).encode()))
    assert told == json.loads(json.dumps(card))
    assert card_in(archive(model_onnx=b"x")) == {}


def test_a_gate_comes_back_with_its_baseline() -> None:
    made = gate()
    for card in ({"gate": made.to_json()}, made.to_json()):
        found, missing = gate_of(json.loads(json.dumps(card)))
        assert found is not None and missing is None
        assert found.overall == made.overall
        assert np.array_equal(found.baseline.labels_N, made.baseline.labels_N)


def test_a_gate_that_was_promised_nothing_for_want_of_pictures_has_no_baseline() -> None:
    nothing = weigh(HeldOut(NAMES, np.zeros((0, 2)), np.zeros(0, np.int64), ()))
    found, missing = gate_of({"gate": json.loads(json.dumps(nothing.to_json()))})
    assert found is not None and missing == NO_BASELINE


def test_an_older_card_has_certificates_and_no_baseline() -> None:
    made = gate()
    card = {
        "class_names": list(NAMES),
        "calibration": made.calibration.to_json(),
        "certificates": [each.to_json() for each in (made.overall, *made.per_class)],
    }
    found, missing = gate_of(json.loads(json.dumps(card)))
    assert found is not None and missing == NO_BASELINE
    assert (found.overall, len(found.per_class)) == (made.overall, 2)
    assert len(found.baseline.labels_N) == 0


@pytest.mark.parametrize("card", [{}, {"certificates": []}, {"format": 1}, {"gate": None}])
def test_a_card_without_a_certificate_says_so(card: dict[str, Any]) -> None:
    assert gate_of(card) == (None, NO_CERTIFICATE)


@pytest.mark.parametrize("card", [{"gate": {}}, {"gate": 3}, {"certificate": {"risk": "x"}}])
def test_a_broken_card_says_so(card: dict[str, Any]) -> None:
    found, missing = gate_of(card)
    assert found is None
    assert missing is not None and missing.startswith("The model's card cannot be read")
