"""A serving container in a few lines: it answers who it is, and obeys what it is sent."""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

base = Path(os.environ["SAGEMAKER_BASE_DIR"])
who = os.environ.get("WHO", "nobody")
say = print
say(f"{who} serves", sorted(each.name for each in (base / "model").rglob("*")), flush=True)
if "REFUSE" in os.environ:
    sys.exit("no such model architecture")
time.sleep(float(os.environ.get("START_S", "0")))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one segment for head and body, or Nagle's algorithm makes it 40 ms

    def do_GET(self) -> None:
        self.answer(200 if self.path == "/ping" else 404, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if body == b"die":
            os._exit(7)
        if body == b"hang up":
            self.close_connection = True
            return
        if body.startswith(b"sleep "):
            time.sleep(float(body[6:]))
        if body.startswith(b"answer "):
            self.answer(int(body[7:10]), body[11:])
            return
        asked = {name.lower(): value for name, value in self.headers.items()}
        told = {"who": who, "asked": asked, "size": len(body), "pid": os.getpid()}
        self.answer(200, json.dumps(told).encode())

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Amzn-SageMaker-Custom-Attributes", f"from {who}")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of single requests."""


class Server(ThreadingHTTPServer):
    request_queue_size = 128


Server(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
