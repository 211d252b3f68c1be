"""The endpoint: GET /ping and POST /invocations over one ONNX model, SageMaker's serving contract.

Answers as the built-in image-classification algorithm does: a JSON array with a probability a
class. Runs without torch; a bare ASGI application, since there are two routes and each request
should cost little more than the model.
"""

import json
import logging
import os
import sys
from asyncio import get_running_loop
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import uvicorn

from scones.container.visitors import from_page
from scones.images import png

CONTENT_TYPES = ("image/png", "image/jpeg", "application/x-image")
LIMIT_BYTES = 25 * 1024 * 1024
"""SageMaker's largest payload for a real-time endpoint."""
UNREADABLE = b"unable to evaluate payload provided"
"""The built-in algorithm's words for a body that is no picture."""

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

log = logging.getLogger("scones")


class Model:
    """A model folder, unpacked: pixels to probabilities. Safe to call from several threads."""

    def __init__(self, folder: Path) -> None:
        """ValueError where the folder holds no model of ours."""
        path = folder / "model.onnx"
        if not path.is_file():
            raise ValueError(f"{folder} holds no model.onnx; give the model.tar.gz of a scones job")
        options = onnxruntime.SessionOptions()
        # Requests run side by side; threads inside one of a millisecond only wait for each other.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
        _, self.height, self.width, _ = self._session.get_inputs()[0].shape

    def __call__(self, content: bytes) -> list[float]:
        """A probability a class, as float32 gives it; ValueError for bytes that are no picture."""
        pixels_HWC = png.decode(content, self.height, self.width)
        (probabilities_1K,) = self._session.run(["probabilities"], {"pixels": pixels_HWC[None]})
        values: list[float] = probabilities_1K[0].astype(np.float64).tolist()
        return values


class Endpoint:
    """The two routes, as an ASGI application."""

    def __init__(self, model: Model, threads: int) -> None:
        self._model = model
        self._pool = ThreadPoolExecutor(threads)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http", "uvicorn runs us with lifespan and websockets off"
        if from_page(scope["headers"]):
            return await _answer(send, 403, b"a web page may not ask")
        match scope["method"], scope["path"]:
            case "GET", "/ping":
                await _answer(send, 200, b"\n")
            case "POST", "/invocations":
                await self._invoke(scope, receive, send)
            case _, "/ping" | "/invocations":
                await _answer(send, 405, b"method not allowed")
            case _:
                await _answer(send, 404, b"not found")

    async def _invoke(self, scope: Message, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        content_type = headers.get(b"content-type", b"application/x-image").decode("latin1")
        if content_type.partition(";")[0].strip().lower() not in CONTENT_TYPES:
            refusal = f"content type {content_type} is not one of {', '.join(CONTENT_TYPES)}"
            return await _answer(send, 415, refusal.encode())
        content = await _body(receive)
        if content is None:
            return await _answer(send, 413, b"the payload is larger than 25 MB")
        try:
            loop = get_running_loop()
            probabilities = await loop.run_in_executor(self._pool, self._model, content)
        except ValueError as error:
            log.warning("%s: %s", UNREADABLE.decode(), error)
            return await _answer(send, 400, UNREADABLE)
        text = json.dumps(probabilities)
        if b"application/jsonlines" in headers.get(b"accept", b""):
            lines = f'{{"prediction": {text}}}\n'
            return await _answer(send, 200, lines.encode(), b"application/jsonlines")
        return await _answer(send, 200, text.encode(), b"application/json")


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None as soon as it is beyond `LIMIT_BYTES`."""
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > LIMIT_BYTES:
            return None
        more = message.get("more_body", False)
    return b"".join(chunks)


async def _answer(send: Send, status: int, body: bytes, kind: bytes = b"text/plain") -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main(environment: Mapping[str, str] = os.environ) -> int:
    """Serve until told to stop; 1 with the reason in the log where there is nothing to serve."""
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
    base = Path(environment.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
    port = int(environment.get("SAGEMAKER_BIND_TO_PORT", "8080"))
    try:
        model = Model(base / "model")
    except ValueError as error:
        log.error("%s", error)
        return 1
    application = Endpoint(model, os.cpu_count() or 1)
    uvicorn.run(
        application, host="127.0.0.1", port=port, lifespan="off", ws="none", http="httptools",
        access_log=False, log_level="warning", server_header=False, date_header=False,
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
