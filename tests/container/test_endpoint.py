"""The endpoint as a child process, asked over HTTP."""

import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from scones.container import endpoint
from scones.gate.calibration import identity
from scones.images import png, sample
from scones.model import artifact
from scones.model.network import Network


def save_model(base: Path) -> None:
    (base / "model").mkdir()
    state = Network((8, 8), 2).state_dict()
    (base / "model" / "model.onnx").write_bytes(artifact.to_onnx([state], 32, 32, identity(2)))


def start(base: Path) -> tuple[subprocess.Popen[bytes], str]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    environment = {
        **os.environ,
        "SAGEMAKER_BASE_DIR": str(base),
        "SAGEMAKER_BIND_TO_PORT": str(port),
    }
    child = subprocess.Popen(
        [sys.executable, "-m", "scones.container.endpoint"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return child, f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    base = tmp_path_factory.mktemp("served")
    save_model(base)
    child, url = start(base)
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        try:
            httpx.get(f"{url}/ping").raise_for_status()
            break
        except httpx.TransportError:
            time.sleep(0.05)
    yield url
    child.terminate()
    child.wait(10)
    if child.stdout is not None:
        child.stdout.close()


def picture() -> bytes:
    return png.encode(sample.draw(np.random.default_rng(0), "bicycle"))


def ask(url: str, content: bytes, kind: str, **headers: str) -> httpx.Response:
    return httpx.post(
        f"{url}/invocations", content=content, headers={"content-type": kind, **headers}
    )


@pytest.mark.parametrize("kind", ["image/png", "application/x-image", "image/jpeg"])
def test_a_picture_is_answered_with_a_json_array(url: str, kind: str) -> None:
    answer = ask(url, picture(), kind)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    first, second = json.loads(answer.text)
    assert first + second == pytest.approx(1)
    assert answer.text == f"[{first!r}, {second!r}]"
    assert float(np.float32(first)) == first


def test_a_jpeg_of_any_size_is_answered(url: str) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (640, 480), "red").save(buffer, "JPEG")
    assert ask(url, buffer.getvalue(), "image/jpeg").status_code == 200


def test_json_lines_are_given_where_they_are_accepted(url: str) -> None:
    answer = ask(url, picture(), "image/png", accept="application/jsonlines")
    assert answer.headers["content-type"] == "application/jsonlines"
    assert list(json.loads(answer.text)) == ["prediction"]


@pytest.mark.parametrize("content", [b"", b"not a picture", picture()[:200]])
def test_what_is_no_picture_answers_400_in_the_real_algorithms_words(
    url: str, content: bytes
) -> None:
    answer = ask(url, content, "image/png")
    assert (answer.status_code, answer.text) == (400, "unable to evaluate payload provided")


def test_another_content_type_answers_415(url: str) -> None:
    answer = ask(url, b"1,2", "text/csv")
    assert answer.status_code == 415
    assert "text/csv" in answer.text


def test_too_large_a_payload_answers_413(url: str) -> None:
    content = bytes(endpoint.LIMIT_BYTES + 1)
    assert ask(url, content, "image/png").status_code == 413


@pytest.mark.parametrize("name", ["Origin", "Sec-Fetch-Site"])
def test_a_web_page_gets_no_answer(url: str, name: str) -> None:
    assert ask(url, picture(), "image/png", **{name: "https://example.com"}).status_code == 403


def test_other_paths_and_methods_are_refused(url: str) -> None:
    assert httpx.get(f"{url}/").status_code == 404
    assert httpx.get(f"{url}/invocations").status_code == 405


def test_many_at_once_get_each_their_own_answer(url: str) -> None:
    rng = np.random.default_rng(1)
    pictures = [png.encode(sample.draw(rng, "motorcycle")) for _ in range(24)]
    one_by_one = [ask(url, content, "image/png").text for content in pictures]
    with ThreadPoolExecutor(8) as pool:
        at_once = list(pool.map(lambda content: ask(url, content, "image/png").text, pictures))
    assert at_once == one_by_one
    assert len(set(one_by_one)) > 1


def test_a_folder_without_a_model_ends_with_one_sentence(tmp_path: Path) -> None:
    child, _ = start(tmp_path)
    said, _ = child.communicate(timeout=30)
    assert child.returncode == 1
    assert said.decode().strip().endswith("give the model.tar.gz of a scones job")


def test_serving_needs_no_torch() -> None:
    program = "import sys, scones.container.endpoint; print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert said.stdout == b"False\n"
