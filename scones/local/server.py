"""The local cloud's process: `python -m scones.local.server --home .scones`."""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
import time
from contextlib import AsyncExitStack
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import uvicorn

from scones.local.build import Ground, brief, build
from scones.local.functions.workers import Options
from scones.local.gateway import Gateway, Page
from scones.local.identity import Identity
from scones.local.lock import locked
from scones.local.one_piece import OnePieceProtocol
from scones.local.processes import Processes
from scones.local.sagemaker.capture import WINDOW_S
from scones.local.sagemaker.training import STOP_GRACE_S

if sys.platform == "win32":
    _new_event_loop = asyncio.new_event_loop
else:
    import uvloop

    _new_event_loop = uvloop.new_event_loop

_PARENT_POLL_S = 0.5
_GRACE_S = 2
"""For requests still running when the server is told to stop; ours."""
_KEEP_ALIVE_S = 65
"""For idle connections: longer than clients keep theirs (botocore's pool: as long as they last)."""

_log = logging.getLogger(__name__)


class _Server(uvicorn.Server):
    """Says when it is ready, and leaves signals to us: uvicorn's own would end us uncleaned."""

    def __init__(self, config: uvicorn.Config, note: Path, facts: dict[str, Any]) -> None:
        super().__init__(config)
        self._note = note
        self._facts = facts

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        return contextlib.nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        draft = self._note.with_suffix(".new")
        draft.write_text(json.dumps({**self._facts, "started": time.time()}))
        draft.replace(self._note)
        where = f"{self._facts['url']} (home: {self._note.parent})"
        sys.stdout.write(f"The local cloud listens on {where}\n")
        sys.stdout.flush()


def main() -> None:
    """Run until told to stop; what is the user's to put right is one line and exit status 2."""
    options = _parser().parse_args()
    try:
        _run(options)
    except ValueError as error:
        sys.stderr.write(f"scones: {error}\n")
        sys.exit(2)


def _run(options: argparse.Namespace) -> None:
    listener = _listen(options.host, options.port, options.expose)
    home: Path = options.home.resolve()
    with contextlib.closing(listener), locked(home):
        _log_to(home / "server.log")
        identity = Identity(_url(listener), options.account, options.region)
        with asyncio.Runner(loop_factory=_new_event_loop) as runner:
            runner.run(_serve(options, home, identity, listener))


async def _serve(
    options: argparse.Namespace, home: Path, identity: Identity, listener: socket.socket
) -> None:
    processes = Processes(home / "processes")
    processes.sweep()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(processes.stop_all)
        exposed_as = options.host if options.expose else None
        pages: dict[str, Page] = {}
        gateway = Gateway(home / "incoming", pages=pages, exposed_as=exposed_as)
        containers = json.loads(options.containers)
        ground = Ground(
            home, identity, processes, containers, gateway.call, pages=pages,
            capture_window_s=options.capture_window_s, stop_grace_s=options.stop_grace_s,
            functions=Options(
                max_concurrent=options.max_concurrent, whole_environment=options.whole_environment
            ),
        )  # fmt: skip
        services = build(ground)
        for service in services.values():
            if hasattr(service, "__aenter__"):
                await stack.enter_async_context(service)
        gateway.carry(services, brief(services))
        config = uvicorn.Config(
            gateway, http=OnePieceProtocol, ws="none", lifespan="off",
            log_config=None, access_log=False, server_header=False, proxy_headers=False,
            backlog=1024,
            timeout_graceful_shutdown=_GRACE_S, timeout_keep_alive=_KEEP_ALIVE_S,
        )  # fmt: skip
        facts = {
            "pid": os.getpid(),
            "url": identity.endpoint_url,
            "region": identity.region,
            "account": identity.account,
            "parent": options.with_parent,
        }
        server = _Server(config, home / "server.json", facts)
        stack.callback((home / "server.json").unlink, missing_ok=True)
        _stop_on_signals(server)
        if options.with_parent:
            watch = asyncio.create_task(_stop_without(options.with_parent, server))
            stack.callback(watch.cancel)
        await server.serve(sockets=[listener])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scones.local.server", description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(".scones"))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=4566, help="0 takes a free one")
    parser.add_argument("--expose", action="store_true", help="listen beyond this computer")
    parser.add_argument("--account", default=Identity.account)
    parser.add_argument("--region", default=Identity.region)
    parser.add_argument(
        "--containers", default="{}", help='JSON: {"image": {"train": [argv], "serve": [argv]}}'
    )
    parser.add_argument(
        "--capture-window-s", type=float, default=WINDOW_S,
        help="seconds from a capture file's first record to its delivery",
    )  # fmt: skip
    parser.add_argument(
        "--stop-grace-s", type=float, default=STOP_GRACE_S,
        help="seconds that a training job may take to stop",
    )  # fmt: skip
    parser.add_argument(
        "--max-concurrent", type=int, default=Options.max_concurrent,
        help="Lambda requests at once; more are throttled",
    )  # fmt: skip
    parser.add_argument(
        "--whole-environment", action="store_true",
        help="offer Lambda functions every package installed here, not only what AWS's runtime has",
    )  # fmt: skip
    parser.add_argument("--with-parent", type=int, metavar="PID", help="stop when it is gone")
    return parser


def _listen(host: str, port: int, expose: bool) -> socket.socket:
    """A bound socket; ValueError if the port is taken or the host is not loopback."""
    if not 0 <= port <= 65535:
        raise ValueError(f"port {port} is none; choose 1 to 65535, or 0 for any free one")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise ValueError(f"cannot listen on host {host!r}, port {port}: {error}") from error
    if not (str(address[0]).startswith("127.") or address[0] == "::1"):
        if not expose:
            raise ValueError(
                f"host {host!r} is reachable from other computers, which could then run code here; "
                "give --expose as well if that is what you want"
            )
        sys.stderr.write(f"scones: WARNING: whoever reaches {host} can run code here\n")
    listener = socket.socket(family, socket.SOCK_STREAM)
    if sys.platform != "win32":  # there it would let two servers share the port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise ValueError(
            f"port {port} of {host} cannot be had ({error.strerror}); "
            "choose another with --port, or 0 for any free one"
        ) from error
    return listener


def _url(listener: socket.socket) -> str:
    """How this computer reaches the socket."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _log_to(file: Path) -> None:
    handler = RotatingFileHandler(file, maxBytes=2**23, backupCount=1)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for chatty in ("uvicorn.error", "asyncio", "botocore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _stop_on_signals(server: _Server) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, server.handle_exit, number, None)
        except NotImplementedError:  # Windows
            signal.signal(number, server.handle_exit)


async def _stop_without(parent_pid: int, server: _Server) -> None:
    while os.getppid() == parent_pid:
        await asyncio.sleep(_PARENT_POLL_S)
    _log.info("process %d, which this cloud belonged to, is gone", parent_pid)
    server.should_exit = True


if __name__ == "__main__":
    main()
