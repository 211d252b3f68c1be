"""The unpickler admits arrays and plain values, and gives a stranger nothing to call."""

import builtins
import contextlib
import pickle
import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scones.images import unpickle

# Written by Python 2.7 and numpy 1.16: pickle.dumps({'data': numpy.arange(3, dtype='u1')}, 2)
PYTHON_2 = (
    b"\x80\x02}q\x01U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\n"
    b"q\x04K\x00\x85q\x05U\x01bq\x06\x87q\x07Rq\x08(K\x01K\x03\x85q\tcnumpy\ndtype\nq\nU\x02u1q"
    b"\x0bK\x00K\x01\x87q\x0cRq\r(K\x03U\x01|q\x0eNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq"
    b"\x0fb\x89U\x03\x00\x01\x02q\x10tq\x11bs."
)


def test_a_python_2_pickle_is_read() -> None:
    value = unpickle.loads(PYTHON_2)
    assert isinstance(value, dict)
    assert value["data"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("code", [*sorted(unpickle.NUMERIC), ">i4", ">f8"])
def test_arrays_come_back_from_every_protocol(protocol: int, code: str) -> None:
    array = np.arange(12).reshape(3, 4).astype(code)
    for each in (array, np.asfortranarray(array)):
        try:
            value = unpickle.loads(pickle.dumps({"a": each}, protocol))
        except ValueError as error:
            assert protocol == 5 and "_frombuffer" in str(
                error
            )  # numpy's protocol 5 is not carried
            continue
        assert isinstance(value, dict)
        assert np.array_equal(value["a"], array)


@pytest.mark.parametrize(
    "target",
    [builtins.eval, builtins.exec, subprocess.Popen, np.load, np.frompyfunc, pickle.loads],
)
def test_anything_else_is_refused_by_name(target: object) -> None:
    with pytest.raises(ValueError, match="asks for"):
        unpickle.loads(pickle.dumps(target, 2))


def test_a_dict_within_itself_is_refused() -> None:
    endless: dict[str, object] = {}
    endless["again"] = endless
    with pytest.raises(ValueError, match="not a pickle of plain values"):
        unpickle.loads(pickle.dumps(endless, 2))


@pytest.mark.parametrize("value", [np.array([object()]), np.array(["text"]), np.zeros(2, "m8[s]")])
def test_arrays_of_anything_but_numbers_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not a pickle"):
        unpickle.loads(pickle.dumps(value, 2).replace(b"cbuiltins", b"cbuiltinz"))


@given(st.binary(max_size=200))
def test_no_bytes_whatever_raise_anything_but_value_error(content: bytes) -> None:
    with contextlib.suppress(ValueError):
        unpickle.loads(content)


@given(st.data())
def test_no_damage_to_a_true_pickle_raises_anything_but_value_error(data: st.DataObject) -> None:
    content = bytearray(PYTHON_2)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ValueError):
        unpickle.loads(bytes(content))
