"""Measures are kept as they were, and never taken for what they are not."""

import io
import json

import numpy as np
import pytest

from scones.monitor.measured import VERSION, Measured, load, nothing, save
from scones.monitor.pictures import Measures

KEPT = nothing().grown(
    [2.0, 1.0], [Measures(0.5, 0.2, 0.1, 1024, "PNG"), Measures(0.6, 0.3, 0.2, 900, "JPEG")], 3
)


def saved(measured: Measured) -> bytes:
    stream = io.BytesIO()
    save(measured, stream)
    return stream.getvalue()


def test_measures_are_saved_and_loaded() -> None:
    found = load(io.BytesIO(saved(KEPT)))
    assert found.since(0.0) == KEPT.since(0.0)
    assert [each.format for each in found.since(0.0)] == ["JPEG", "PNG"]
    assert (found.num_files, found.formats) == (3, ("PNG", "JPEG"))


@pytest.mark.parametrize(
    "told", [{"version": VERSION + 1}, {}, {"version": VERSION, "formats": None}, [], "rubbish"]
)
def test_measures_of_another_version_and_broken_ones_are_refused(told: object) -> None:
    with np.load(io.BytesIO(saved(KEPT))) as archive:
        arrays = dict(archive)
    before = json.loads(arrays["told"].tobytes())
    other = {**before, **told} if isinstance(told, dict) and told else told
    arrays["told"] = np.frombuffer(json.dumps(other).encode(), np.uint8)
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **arrays)
    stream.seek(0)
    with pytest.raises(ValueError, match="no saved measures"):
        load(stream)


@pytest.mark.parametrize("cut", [0, 10, 200, -30])
def test_measures_that_are_cut_off_are_refused(cut: int) -> None:
    with pytest.raises(ValueError, match="no saved measures"):
        load(io.BytesIO(saved(KEPT)[:cut]))
