"""The lists of staged pictures, written and read."""

import pytest

from scones.images.manifest import Entry, Row, read_jsonl, read_lst, write_jsonl, write_lst

ENTRIES = [
    Entry("train/bike_s_1.png", 0, "train", "ab" * 32),
    Entry("train/moped_s_2.png", 1, "train", "cd" * 32),
]


def test_a_list_has_index_label_and_file_name_between_tabs() -> None:
    assert write_lst(ENTRIES) == "0\t0\tbike_s_1.png\n1\t1\tmoped_s_2.png\n"


def test_a_list_is_read_as_it_was_written() -> None:
    assert read_lst(write_lst(ENTRIES)) == [Row(0, 0, "bike_s_1.png"), Row(1, 1, "moped_s_2.png")]


def test_a_list_by_mxnets_own_tool_is_read() -> None:
    assert read_lst("7\t1.000000\tfolder/a b.png\r\n\n") == [Row(7, 1, "folder/a b.png")]


@pytest.mark.parametrize("line", ["0 0 a.png", "0\t0", "x\t0\ta.png", "0\t-1\ta.png", "0\t.5\ta"])
def test_a_line_that_is_none_is_named(line: str) -> None:
    with pytest.raises(ValueError, match=r"train\.lst line 2"):
        read_lst(f"0\t1\tb.png\n{line}\n", "train.lst")


def test_json_lines_keep_every_field() -> None:
    assert read_jsonl(write_jsonl(ENTRIES)) == ENTRIES


@pytest.mark.parametrize("line", ["{", "[]", '{"key": "a"}', "3"])
def test_a_manifest_line_that_is_no_entry_is_named(line: str) -> None:
    with pytest.raises(ValueError, match="manifest line 3"):
        read_jsonl(write_jsonl(ENTRIES) + line)
