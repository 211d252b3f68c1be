"""Arrays as JSON, CSV and NPY, as SageMaker's inference toolkit reads and writes them."""

import json
from io import BytesIO, StringIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"


class UnsupportedTypeError(ValueError):
    """A content type that none of the defaults knows."""


def decode(body: bytes, content_type: str) -> NDArray[Any]:
    """A body as an array."""
    match media_type(content_type):
        case "application/json":
            return np.asarray(json.loads(body))
        case "text/csv":
            return np.genfromtxt(StringIO(body.decode()), delimiter=",")
        case "application/x-npy":
            array: NDArray[Any] = np.load(BytesIO(body), allow_pickle=False)
            return array
    raise UnsupportedTypeError(
        f"Content type {content_type} is not supported; define input_fn, or send {JSON}, "
        f"{CSV} or {NPY}"
    )


def encode(value: Any, accept: str) -> tuple[bytes, str]:
    """A value as the first of the accepted types that can be written, and that type."""
    for wanted in map(media_type, accept.split(",")):
        match wanted:
            case "application/json" | "*/*" | "application/*" | "":
                return json.dumps(value, default=_plain).encode(), JSON
            case "text/csv":
                text = StringIO()
                np.savetxt(text, np.atleast_1d(np.asarray(value)), delimiter=",", fmt="%s")
                return text.getvalue().encode(), CSV
            case "application/x-npy":
                packed = BytesIO()
                np.save(packed, np.asarray(value), allow_pickle=False)
                return packed.getvalue(), NPY
    raise UnsupportedTypeError(
        f"Accept {accept} is not supported; define output_fn, or accept {JSON}, {CSV} or {NPY}"
    )


def media_type(content_type: str) -> str:
    """A content type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON; define output_fn")
