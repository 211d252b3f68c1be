"""A serving container whose answer is in the picture: `[p, 1 - p]`, p the share of red."""

import io
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image


def answer(content: bytes) -> tuple[int, bytes]:
    """Status and body for one picture."""
    try:
        pixel = Image.open(io.BytesIO(content)).convert("RGB").getpixel((0, 0))
    except OSError:
        return 400, b"unable to evaluate payload provided"
    assert isinstance(pixel, tuple), "an RGB picture's pixels are triples"
    sure = round(pixel[0] / 255, 4)
    return 200, json.dumps([sure, round(1 - sure, 4)]).encode()


class Handler(BaseHTTPRequestHandler):
    """SageMaker's two routes."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one segment for head and body, or Nagle's algorithm makes it 40 ms

    def do_GET(self) -> None:
        self.say(200 if self.path == "/ping" else 404, b"")

    def do_POST(self) -> None:
        self.say(*answer(self.rfile.read(int(self.headers["Content-Length"]))))

    def say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of single requests."""


class Server(ThreadingHTTPServer):
    request_queue_size = 128


Server(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
