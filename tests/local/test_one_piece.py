"""How answers leave the server: seen from a bare socket."""

import asyncio
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from scones.local.one_piece import _Joining

GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


class Transport:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ([b"head", b"body"], [b"headbody"]),
        ([b"head", b""], [b"head"]),
        ([b"head"], [b"head"]),
        ([b"head", b"1", b"2", b"3", b"4"], [b"head1", b"23", b"4"]),
        ([b"", b""], []),
        ([GO_ON, b"head", b"body"], [GO_ON, b"headbody"]),
        ([b"head", GO_ON], [b"head" + GO_ON]),
    ],
)
@pytest.mark.parametrize("closes", [True, False])
def test_pieces_leave_in_twos_and_none_stays(
    written: list[bytes], sent: list[bytes], closes: bool
) -> None:
    transport: Any = Transport()

    async def write() -> None:
        joining = _Joining(transport, asyncio.get_running_loop())
        for each in written:
            joining.write(each)
        if closes:
            joining.close()
        await asyncio.sleep(0)
        assert joining.is_closing() == closes

    asyncio.run(write())
    assert transport.sent == sent


def test_an_answer_arrives_in_one_piece(cloud: Any) -> None:
    address = urlsplit(cloud.url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        for _ in range(5):
            connection.sendall(b"GET /_scones/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
            assert answer.endswith(b"}")
