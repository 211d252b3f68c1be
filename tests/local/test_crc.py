"""The checks against published values, zlib and their own definition."""

import random
import zlib
from itertools import pairwise

import pytest

from scones.local.crc import CRC32C, CRC64NVME, Crc, Polynomial

CRC32 = Polynomial(32, 0xEDB88320)


def _digest(polynomial: Polynomial, *pieces: bytes) -> bytes:
    crc = Crc(polynomial)
    for piece in pieces:
        crc.update(piece)
    return crc.digest()


@pytest.mark.parametrize(
    ("polynomial", "check"), [(CRC32C, "e3069283"), (CRC64NVME, "ae8b14860a799888")]
)
def test_the_check_value_is_the_catalogues(polynomial: Polynomial, check: str) -> None:
    """https://reveng.sourceforge.io/crc-catalogue/all.htm: the CRC of the nine digits."""
    assert _digest(polynomial, b"123456789").hex() == check


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 129, 1000, 65_535, 65_536, 65_537, 200_001])
def test_folding_agrees_with_zlib_at_every_length(size: int) -> None:
    data = random.Random(size).randbytes(size)
    assert _digest(CRC32, data) == zlib.crc32(data).to_bytes(4, "big")


@pytest.mark.parametrize("polynomial", [CRC32C, CRC64NVME])
def test_pieces_give_what_the_whole_gives(polynomial: Polynomial) -> None:
    data = random.Random(1).randbytes(200_001)
    cuts = [0, 1, 70, 70_000, 140_003, len(data)]
    pieces = [data[start:end] for start, end in pairwise(cuts)]
    bytewise = [data[i : i + 50] for i in range(0, len(data), 50)]
    assert _digest(polynomial, *pieces) == _digest(polynomial, data)
    assert _digest(polynomial, *bytewise) == _digest(polynomial, data)
