"""Step Functions: executions a second, start until done, a Distributed Map, memory; beside peers.

Eight clients in a process of their own write ready-made requests to sockets. An execution counts
when it has ended; ours is in SQLite, with its history, before its start is acknowledged.
"""

import contextlib
import json
import os
import socket
import statistics
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.clouds import running
from bench.load import THREADS, boto, client
from bench.peers import ministack, moto
from bench.table import alternate, say, show

EXECUTIONS = 2000
"""Of a measurement, by the fastest; slower ones get a tenth."""
ROUNDS = 5
ITEMS = 10_000
MANY = 100_000
ROLE = "arn:aws:iam::000000000000:role/Bench"
THREE = {
    "StartAt": "A",
    "States": {
        "A": {"Type": "Pass", "Next": "B"},
        "B": {"Type": "Pass", "Next": "C"},
        "C": {"Type": "Pass", "End": True},
    },
}
_SIGNATURE = "AWS4-HMAC-SHA256 Credential=b/20260101/us-east-1/states/aws4_request, Signature=0"


def main() -> None:
    """Print the tables."""
    with ExitStack() as stack:
        load = stack.enter_context(client())
        cloud = stack.enter_context(running())
        urls = {
            "scones": cloud.url,
            "moto": stack.enter_context(_executing_moto()),
            "ministack": stack.enter_context(ministack()),
        }
        machines = {name: _machine(url) for name, url in urls.items()}
        count = {name: EXECUTIONS if name == "scones" else EXECUTIONS // 10 for name in urls}
        ended = {name: load(_ended, url, machines[name], count[name]) for name, url in urls.items()}
        title = f"three Pass states, {THREADS} clients"
        show(title, "executions/s", alternate(ended, ROUNDS), beside="moto")
        waits = {name: load(_latency, url, machines[name]) for name, url in urls.items()}
        show("start until done, one client", "ms", alternate(waits, ROUNDS), beside="moto")
        seconds = [load(_distributed, cloud.url)() for _ in range(3)]
        told = ", ".join(f"{each:.1f}" for each in seconds)
        say(f"\na Distributed Map over {ITEMS} items, a Pass inside: {told} s")
        before = _resident_mib(cloud.pid)
        load(_ended, cloud.url, machines["scones"], MANY)()
        after = _resident_mib(cloud.pid)
        say(f"\nresident: {before:.0f} MiB; after {MANY} more executions: {after:.0f} MiB")


@contextlib.contextmanager
def _executing_moto() -> Iterator[str]:
    """moto, told to run state machines; without that it only pretends to."""
    with moto() as url:
        body = json.dumps({"stepfunctions": {"execute_state_machine": True}}).encode()
        request = urllib.request.Request(f"{url}/moto-api/config", body, method="POST")
        urllib.request.urlopen(request).close()
        yield url


def _machine(url: str) -> str:
    made = boto("stepfunctions", url).create_state_machine(
        name="three", definition=json.dumps(THREE), roleArn=ROLE
    )
    arn: str = made["stateMachineArn"]
    return arn


class Line:
    """One connection that writes ready-made requests and reads whole answers."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self._host = place.netloc
        self._address = (place.hostname or "", place.port or 80)
        self._connect()

    def _connect(self) -> None:
        self._socket = socket.create_connection(self._address)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def request(self, operation: str, **arguments: Any) -> bytes:
        """The bytes of a request, to be sent as often as one likes."""
        body = json.dumps(arguments).encode()
        head = (
            f"POST / HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: {_SIGNATURE}\r\n"
            f"X-Amz-Target: AWSStepFunctions.{operation}\r\n"
            "Content-Type: application/x-amz-json-1.0\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def ask(self, request: bytes) -> Any:
        """The JSON that is answered."""
        self._socket.sendall(request)
        answer = self._read(b"")
        while b"\r\n\r\n" not in answer:
            answer = self._read(answer)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b" 200 " in head[:20], answer[:500]
        name = b"content-length:"
        length = next(
            int(line[len(name) :]) for line in head.split(b"\r\n") if line.lower().startswith(name)
        )
        while len(body) < length:
            body = self._read(body)
        if b"connection: close" in head.lower():  # as moto's server does
            self._connect()
        return json.loads(body)

    def _read(self, sofar: bytes) -> bytes:
        piece = self._socket.recv(65536)
        assert piece, "the server hung up"
        return sofar + piece


def _ended(url: str, machine: str, count: int) -> float:
    """Executions a second, from the first start to the last end."""
    began = time.perf_counter()
    workers = [
        threading.Thread(target=_start, args=(url, machine, count // THREADS))
        for _ in range(THREADS)
    ]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    line = Line(url)
    left = line.request("ListExecutions", stateMachineArn=machine, statusFilter="RUNNING")
    while line.ask(left)["executions"]:
        time.sleep(0.01)
    return count / (time.perf_counter() - began)


def _start(url: str, machine: str, count: int) -> None:
    line = Line(url)
    for _ in range(count):
        line.ask(_begin(line, machine))


def _begin(line: Line, machine: str) -> bytes:
    """A start by name: moto makes up none."""
    name = str(uuid.uuid4())
    return line.request("StartExecution", stateMachineArn=machine, name=name, input='{"a": 1}')


def _latency(url: str, machine: str) -> float:
    """Median milliseconds from a start to the description that shows its end."""
    line = Line(url)
    taken = []
    for _ in range(100):
        request = _begin(line, machine)
        began = time.perf_counter()
        execution = line.ask(request)["executionArn"]
        describe = line.request("DescribeExecution", executionArn=execution)
        while line.ask(describe)["status"] == "RUNNING":
            pass
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


def _distributed(url: str) -> float:
    """Seconds for a Distributed Map."""
    s3, machines = boto("s3", url), boto("stepfunctions", url)
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket="bench-items")
    s3.put_object(Bucket="bench-items", Key="items.json", Body=json.dumps(list(range(ITEMS))))
    fan = {
        "Type": "Map",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSON"},
            "Parameters": {"Bucket": "bench-items", "Key": "items.json"},
        },
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "P",
            "States": {"P": {"Type": "Pass", "End": True}},
        },
        "End": True,
    }
    definition = json.dumps({"StartAt": "M", "States": {"M": fan}})
    machine = machines.create_state_machine(name="fan", definition=definition, roleArn=ROLE)
    began = time.perf_counter()
    begun = machines.start_execution(stateMachineArn=machine["stateMachineArn"])
    while (
        described := machines.describe_execution(executionArn=begun["executionArn"])
    )["status"] == "RUNNING":  # fmt: skip
        time.sleep(0.02)
    assert described["status"] == "SUCCEEDED", described["cause"]
    return time.perf_counter() - began


def _resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
