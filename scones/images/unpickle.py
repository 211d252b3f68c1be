"""Reading a pickle that came from the internet: plain values and numeric arrays, nothing else.

A pickle is a program: whatever it names, Python imports and calls. This one may name only what
numpy writes for an array (and `_codecs.encode`, with which Python 3 writes bytes at protocol 2),
and each of those names stands for a small class of ours, so that not even numpy's own
constructors are called with a stranger's arguments.
"""

import io
import pickle
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

NUMERIC = frozenset({"u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"})


class PickledArray:
    """Stands for `numpy.ndarray` while its pickled state is read."""

    def __init__(self, *_ignored: object) -> None:
        self.values: NDArray[np.generic] = np.empty(0, np.uint8)

    def __setstate__(self, state: tuple[int, tuple[int, ...], object, bool, str | bytes]) -> None:
        """Take (version, shape, dtype, is Fortran order, raw values), as numpy writes them."""
        _version, shape, dtype, is_fortran, raw = state
        if not isinstance(dtype, PickledDtype):
            raise pickle.UnpicklingError("an array without a numeric dtype")
        content = raw.encode("latin1") if isinstance(raw, str) else raw
        flat = np.frombuffer(content, dtype.order + dtype.code)
        self.values = flat.reshape(shape, order="F" if is_fortran else "C")


class PickledDtype:
    """Stands for `numpy.dtype`; integers and floats only."""

    def __init__(self, code: object, *_ignored: object) -> None:
        if code not in NUMERIC:
            raise pickle.UnpicklingError(f"an array of {code!r}, where numbers belong")
        self.code = str(code)
        self.order = "|"

    def __setstate__(self, state: tuple[object, ...]) -> None:
        """Take (version, byte order, ...), as numpy writes them."""
        order = state[1]
        if order not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError(f"an array with byte order {order!r}")
        self.order = str(order)


def latin1_bytes(text: object, encoding: object) -> bytes:
    """What `_codecs.encode` is to a pickle: text that stands for bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"_codecs.encode with encoding {encoding!r}")
    return text.encode("latin1")


ADMITTED: dict[tuple[str, str], Callable[..., object]] = {
    ("numpy", "ndarray"): PickledArray,
    ("numpy", "dtype"): PickledDtype,
    ("numpy.core.multiarray", "_reconstruct"): PickledArray,
    ("numpy._core.multiarray", "_reconstruct"): PickledArray,
    ("_codecs", "encode"): latin1_bytes,
}


class Unpickler(pickle.Unpickler):
    """Python's own unpickler, for which all but `ADMITTED` does not exist."""

    def find_class(self, module: str, name: str) -> Callable[..., object]:
        if (module, name) not in ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return ADMITTED[module, name]


def loads(content: bytes) -> object:
    """The pickled value, arrays as read-only `numpy.ndarray`, Python 2's strings as text.

    Raises ValueError for a pickle that is damaged or names anything but numeric arrays.
    """
    try:
        return _revealed(Unpickler(io.BytesIO(content), encoding="latin1").load())
    # A damaged pickle fails anywhere inside the unpickler; CPython promises no single type.
    except (
        pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError,
        IndexError, KeyError, MemoryError, OverflowError, ImportError,
        RecursionError,  # a dict within itself
    ) as error:  # fmt: skip
        raise ValueError(f"not a pickle of plain values and arrays: {error}") from error


def _revealed(value: object) -> object:
    """`value` with arrays in place of their stand-ins, in dicts of dicts, as CIFAR-100 needs."""
    if isinstance(value, PickledArray):
        return value.values
    if isinstance(value, dict):
        return {key: _revealed(item) for key, item in value.items()}
    return value
