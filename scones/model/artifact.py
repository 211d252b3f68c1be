"""The artifact: fitted networks as one ONNX graph, from raw pixels to calibrated probabilities.

The graph is written operator by operator: PyTorch's exporter needs a package more, and its graphs
change from version to version. Inside it are the division by 255, the normalization (folded into
the whitening filters), the mirror image, the average over networks, the calibration and the
softmax, so that every consumer of the endpoint sees the same numbers and serving needs no torch.

    pixels [N, H, W, 3] uint8 -> probabilities [N, K] float32, logits [N, K] before calibration
"""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from scones.gate.calibration import Calibration
from scones.model.learner import State
from scones.model.network import LOGIT_SCALE

Floats = NDArray[np.float32]

OPSET = 20
"""The first with Gelu."""
NORM_EPSILON = 1e-5
"""torch.nn.BatchNorm2d's."""
FARTHEST = -(2**31)
"""Where a slice that runs backwards ends: before the first element."""


def to_onnx(networks: Sequence[State], height: int, width: int, calibration: Calibration) -> bytes:
    """The graph's bytes; the same for the same weights."""
    graph = _Graph()
    image_NCHW = graph(
        "Transpose", graph("Cast", "pixels", to=TensorProto.FLOAT), perm=[0, 3, 1, 2]
    )
    both = graph("Concat", image_NCHW, _mirror(graph, image_NCHW), axis=0)
    each = [_network(graph, both, weights) for weights in networks]
    total = each[0] if len(each) == 1 else graph("Sum", *each)
    num_classes = len(calibration.biases_K)
    halves = graph("Reshape", total, graph.ints([2, -1, num_classes]))
    summed = graph("ReduceSum", halves, graph.ints([0]), keepdims=0)
    graph("Mul", summed, graph.floats(np.float32(0.5 / len(each))), name="logits")
    scaled = graph("Mul", "logits", graph.floats(np.float32(calibration.slope)))
    biased = graph("Add", scaled, graph.floats(np.asarray(calibration.biases_K, np.float32)))
    graph("Softmax", biased, axis=1, name="probabilities")
    return graph.model([height, width, 3], num_classes)


def _mirror(graph: "_Graph", image_NCHW: str) -> str:
    start, end, axis, step = (graph.ints([value]) for value in (-1, FARTHEST, 3, -1))
    return graph("Slice", image_NCHW, start, end, axis, step)


def _network(graph: "_Graph", x: str, state: State) -> str:
    """`network.Network.forward`, on values between 0 and 255."""
    weights = {name: value.double().numpy() for name, value in state.items()}
    filters, offsets = _folded_whitening(weights)
    x = graph("Gelu", graph("Conv", x, graph.floats(filters), graph.floats(offsets)))
    for number in range(sum(name.endswith("conv1.weight") for name in weights)):
        x = _stage(graph, x, {name: weights[f"stages.{number}.{name}"] for name in STAGE_WEIGHTS})
    strongest = graph("ReduceMax", x, graph.ints([2, 3]), keepdims=0)
    return graph("MatMul", strongest, graph.floats(weights["head.weight"].T * LOGIT_SCALE))


STAGE_WEIGHTS = [
    "conv1.weight",
    "conv2.weight",
    *(
        f"norm{number}.{name}"
        for number in (1, 2)
        for name in ("weight", "bias", "running_mean", "running_var")
    ),
]


def _stage(graph: "_Graph", x: str, weights: dict[str, NDArray[Any]]) -> str:
    first, second = ({n: weights[f"norm{i}.{n}"] for n in NORM_WEIGHTS} for i in (1, 2))
    x = graph("Conv", x, graph.floats(weights["conv1.weight"]), pads=[1, 1, 1, 1])
    x = graph("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    # A negative scale would turn the maximum into a minimum, so this one is not folded.
    norm = [graph.floats(first[name]) for name in NORM_WEIGHTS]
    x = graph("Gelu", graph("BatchNormalization", x, *norm, epsilon=NORM_EPSILON))
    scale = second["weight"] / np.sqrt(second["running_var"] + NORM_EPSILON)
    filters = weights["conv2.weight"] * scale[:, None, None, None]
    offsets = second["bias"] - second["running_mean"] * scale
    convolved = graph("Conv", x, graph.floats(filters), graph.floats(offsets), pads=[1, 1, 1, 1])
    return graph("Gelu", convolved)


NORM_WEIGHTS = ("weight", "bias", "running_mean", "running_var")


def _folded_whitening(weights: dict[str, NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Whitening filters and offsets that take values of 0 to 255 as they come."""
    filters = weights["whitening.weight"] / weights["deviation_C11"][None]
    offsets = weights["whitening.bias"] - (filters * weights["mean_C11"][None]).sum((1, 2, 3))
    return filters / 255, offsets


class _Graph:
    """An ONNX graph in the making: a call adds an operator and gives its output's name."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def __call__(self, operator: str, *inputs: str, name: str | None = None, **how: Any) -> str:
        output = name or f"x{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [output], **how))
        return output

    def floats(self, values: NDArray[Any] | np.floating[Any]) -> str:
        return self._constant(np.asarray(values, np.float32))

    def ints(self, values: Sequence[int]) -> str:
        return self._constant(np.asarray(values, np.int64))

    def _constant(self, values: NDArray[Any]) -> str:
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def model(self, image_shape: Sequence[int], num_classes: int) -> bytes:
        def value(name: str, kind: int, shape: Sequence[int]) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(name, kind, ["N", *shape])

        graph = helper.make_graph(
            self._nodes,
            "scones",
            [value("pixels", TensorProto.UINT8, image_shape)],
            [value(n, TensorProto.FLOAT, [num_classes]) for n in ("probabilities", "logits")],
            self._constants,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="scones"
        )
        model.ir_version = 10  # what ONNX Runtime 1.18 and later read
        onnx.checker.check_model(model)
        content: bytes = model.SerializeToString(deterministic=True)
        return content


def pack_weights(networks: Sequence[State], widths: Sequence[int]) -> bytes:
    """The weights as PyTorch keeps them, for training to go on from."""
    buffer = io.BytesIO()
    torch.save({"networks": list(networks), "widths": list(widths)}, buffer)
    return buffer.getvalue()


def unpack_weights(content: bytes) -> tuple[tuple[State, ...], tuple[int, ...]]:
    """Weights and widths from `pack_weights`, running no code; ValueError for anything else."""
    try:
        packed = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
        return tuple(packed["networks"]), tuple(packed["widths"])
    except Exception as error:  # torch.load promises no types; this edge turns them into one
        raise ValueError(f"model: the earlier model's weights cannot be read ({error})") from error
