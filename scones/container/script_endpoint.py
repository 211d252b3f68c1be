"""Script mode's serving container: the user's model_fn, input_fn, predict_fn and output_fn.

What is not defined has the PyTorch image's default
[https://github.com/aws/sagemaker-pytorch-inference-toolkit, default_pytorch_inference_handler].
"""

import importlib
import inspect
import json
import os
import sys
import traceback
from asyncio import get_running_loop
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from scones.container import source
from scones.container.codec import JSON, UnsupportedTypeError, decode, encode
from scones.container.visitors import from_page

DEFAULT_PROGRAM = "inference.py"


class Script:
    """The user's program with its model loaded."""

    def __init__(self, program: ModuleType, model_dir: Path) -> None:
        defaults: dict[str, Callable[..., Any]] = {
            "model_fn": model_fn, "input_fn": input_fn,
            "predict_fn": predict_fn, "output_fn": output_fn,
        }  # fmt: skip
        self._functions = {name: getattr(program, name, defaults[name]) for name in defaults}
        self._transform = getattr(program, "transform_fn", None)
        self._model = call(self._functions["model_fn"], str(model_dir))

    def __call__(self, body: bytes, content_type: str, accept: str) -> tuple[bytes, str]:
        """An answer and its content type; JSON where anything is accepted."""
        accept = JSON if accept in ("", "*/*") else accept
        if self._transform is not None:
            answer = call(self._transform, self._model, body, content_type, accept)
        else:
            data = call(self._functions["input_fn"], body, content_type)
            prediction = call(self._functions["predict_fn"], data, self._model)
            answer = call(self._functions["output_fn"], prediction, accept)
        content, answered_type = answer if isinstance(answer, tuple) else (answer, accept)
        if not isinstance(content, str | bytes):
            content, answered_type = encode(content, accept)
        return content.encode() if isinstance(content, str) else bytes(content), answered_type


def call(function: Callable[..., Any], *values: Any) -> Any:
    """Call the user's function, with a context of None as well if it has room for one."""
    room = [
        each
        for each in inspect.signature(function).parameters.values()
        if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
    ]
    return function(*values, None) if len(room) > len(values) else function(*values)


def model_fn(model_dir: str) -> Any:
    """A TorchScript model: the one .pt or .pth file in the folder."""
    found = [path for path in Path(model_dir).iterdir() if path.suffix in (".pt", ".pth")]
    if len(found) != 1:
        raise ValueError(
            f"model_fn is not defined, and {model_dir} holds {len(found)} TorchScript files "
            "(.pt, .pth) instead of one"
        )
    return torch.jit.load(str(found[0]), map_location=_device())  # type: ignore[no-untyped-call]


def input_fn(body: bytes, content_type: str) -> Any:
    """JSON, CSV or NPY as a tensor; of text, as float32."""
    values = decode(body, content_type)
    tensor = torch.from_numpy(values)
    is_text = content_type.startswith(("application/json", "text/"))
    return (tensor.float() if is_text else tensor).to(_device())


def predict_fn(data: Any, model: Any) -> Any:
    """What the model makes of a tensor."""
    with torch.no_grad():
        model.to(_device())
        model.eval()
        return model(data)


def output_fn(prediction: Any, accept: str) -> tuple[bytes, str]:
    """A prediction as JSON, CSV or NPY."""
    if isinstance(prediction, torch.Tensor):
        prediction = prediction.detach().cpu().numpy()
    return encode(prediction, accept)


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def application(script: Script) -> Starlette:
    """GET /ping and POST /invocations; one request at a time, as each of AWS's workers does."""
    pool = ThreadPoolExecutor(1)

    async def ping(request: Request) -> Response:
        return Response()

    async def invocations(request: Request) -> Response:
        if from_page(request.headers.raw):
            return Response("a web page may not ask", 403)
        content_type = request.headers.get("content-type", "application/json")
        accept = request.headers.get("accept", "*/*")
        body = await request.body()
        try:
            answer, answered_type = await get_running_loop().run_in_executor(
                pool, script, body, content_type, accept
            )
        except Exception as error:  # the edge: whatever the user's code raises is its answer
            traceback.print_exc()
            return _refusal(error)
        return Response(answer, media_type=answered_type)

    routes = [Route("/ping", ping), Route("/invocations", invocations, methods=["POST"])]
    return Starlette(routes=routes)


def _refusal(error: Exception) -> Response:
    """TorchServe's answer to an error in a handler, seen in a public thread
    (sagemaker-python-sdk, issue 2955)."""
    status = 415 if isinstance(error, UnsupportedTypeError) else 400
    said = {"code": status, "type": "InternalServerException", "message": str(error)}
    return Response(json.dumps(said, indent=2) + "\n", status, media_type="application/json")


def load(base: Path, environment: Mapping[str, str]) -> Script:
    """Import the user's program and let it load its model; ValueError if there is none."""
    program = environment.get("SAGEMAKER_PROGRAM", DEFAULT_PROGRAM)
    place = environment.get("SAGEMAKER_SUBMIT_DIRECTORY", "/opt/ml/model/code")
    code = source.unpack(place, base, base / "code")
    if not (code / program).is_file():
        raise ValueError(f"SAGEMAKER_PROGRAM is {program}; {place} holds no such file")
    sys.path.insert(0, str(code))
    module = importlib.import_module(program.removesuffix(".py").replace("/", "."))
    return Script(module, base / "model")


def main(environment: Mapping[str, str] = os.environ) -> int:
    """Serve until told to stop; 1 with the reason in the log where there is nothing to serve."""
    base = Path(environment.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
    port = int(environment.get("SAGEMAKER_BIND_TO_PORT", "8080"))
    try:
        script = load(base, environment)
    except ValueError as error:
        sys.stdout.write(f"{error}\n")
        return 1
    uvicorn.run(
        application(script), host="127.0.0.1", port=port, lifespan="off", ws="none",
        http="httptools", access_log=False, log_level="warning",
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
