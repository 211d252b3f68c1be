"""The ONNX graph gives what PyTorch gives."""

import io
import pickle
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from scones.gate.calibration import Calibration, identity
from scones.images import png
from scones.images.images import Images, Pixels
from scones.model import artifact, fit
from scones.model.fit import Fitting
from scones.model.learner import State
from scones.model.network import Network
from scones.model.recipe import Recipe


def run(graph: bytes, pixels_NHWC: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    probabilities_NK, logits_NK = session.run(["probabilities", "logits"], {"pixels": pixels_NHWC})
    return probabilities_NK, logits_NK


@pytest.fixture(scope="module", params=[1, 3])
def fitting(request: pytest.FixtureRequest, images: Images, tiny: Recipe) -> Fitting:
    return fit.fit(images, replace(tiny, networks=request.param))


def test_training_and_serving_give_the_same_probabilities_for_the_same_png(
    images: Images, fitting: Fitting
) -> None:
    calibration = Calibration(1.7, (0.25, -0.25))
    graph = artifact.to_onnx(fitting.fitted().weights, 32, 32, calibration)
    served = np.stack([png.decode(png.encode(pixels)) for pixels in images.pixels_NHWC])
    probabilities_NK, logits_NK = run(graph, served)
    expected = fitting.logits(images.pixels_NHWC)
    assert np.abs(logits_NK - expected).max() < 1e-5
    assert np.abs(probabilities_NK - calibration(expected)).max() < 1e-5
    one_by_one = np.concatenate([run(graph, pixels[None])[0] for pixels in served[:5]])
    assert np.abs(one_by_one - probabilities_NK[:5]).max() < 1e-6


def scrambled(seed: int, widths: Sequence[int], classes: int) -> State:
    """Weights that training would never find: negative scales, odd means and variances."""
    generator = torch.Generator().manual_seed(seed)
    state = Network(widths, classes).state_dict()
    for name, value in state.items():
        if value.is_floating_point():
            drawn = torch.randn(value.shape, generator=generator)
            state[name] = drawn.abs() + 0.5 if "var" in name or "deviation" in name else drawn
    return state


@pytest.mark.parametrize(("height", "width"), [(32, 32), (16, 24), (65, 40)])
@pytest.mark.parametrize("classes", [2, 7])
def test_any_weights_sizes_and_number_of_classes_agree(
    height: int, width: int, classes: int
) -> None:
    state = scrambled(1, (6, 5, 4), classes)
    network = Network((6, 5, 4), classes)
    network.load_state_dict(state)
    network.eval()
    rng = np.random.default_rng(0)
    pixels_NHWC = rng.integers(0, 256, (5, height, width, 3), dtype=np.uint8)
    x_NCHW = fit.tensor(pixels_NHWC, "cpu")
    with torch.no_grad():
        expected = ((network(x_NCHW) + network(x_NCHW.flip(3))) / 2).numpy()
    probabilities_NK, logits_NK = run(
        artifact.to_onnx([state], height, width, identity(classes)), pixels_NHWC
    )
    assert np.allclose(logits_NK, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    assert np.allclose(probabilities_NK.sum(1), 1)


def test_the_same_weights_give_the_same_bytes() -> None:
    state = scrambled(1, (4, 4), 2)
    one, other = (artifact.to_onnx([state], 32, 32, identity(2)) for _ in range(2))
    assert one == other


def test_a_mirror_image_gets_the_same_answer(images: Images, fitting: Fitting) -> None:
    graph = artifact.to_onnx(fitting.fitted().weights, 32, 32, identity(2))
    there, back = (run(graph, p)[1] for p in (images.pixels_NHWC, images.pixels_NHWC[:, :, ::-1]))
    assert np.abs(there - back).max() < 1e-5


def test_weights_are_unpacked_as_they_were_packed() -> None:
    state = scrambled(1, (4, 4), 2)
    networks, widths = artifact.unpack_weights(artifact.pack_weights([state, state], (4, 4)))
    assert widths == (4, 4)
    assert all(torch.equal(networks[1][name], state[name]) for name in state)


class Boom:
    """Runs code when it is unpickled by anyone who trusts it."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit",)


def hostile() -> bytes:
    buffer = io.BytesIO()
    torch.save({"networks": Boom(), "widths": []}, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("content", [b"", b"nothing", pickle.dumps(Boom()), hostile()])
def test_weights_that_are_none_are_refused_and_nothing_runs(content: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        artifact.unpack_weights(content)
