"""Reading channels: every picture listed, or its name and what is wrong with it."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scones.container import channels

LayOut = Callable[..., Path]
NAMES = ("bicycle", "motorcycle")


def test_pictures_come_in_the_order_of_the_list(lay_out: LayOut) -> None:
    data = lay_out() / "input" / "data"
    found = channels.read(data, "train", NAMES, 32, 32)
    assert (found.rows, len(found.images), found.damaged) == (40, 40, ())
    assert found.images.filenames[:2] == ("train_0.png", "train_1.png")
    assert found.images.labels_N[:3].tolist() == [0, 1, 0]


def test_rgba_pictures_and_other_sizes_are_read(lay_out: LayOut) -> None:
    data = lay_out() / "input" / "data"
    Image.new("RGBA", (100, 70), (1, 2, 3, 255)).save(data / "train" / "train_0.png")
    found = channels.read(data, "train", NAMES, 16, 24)
    assert found.images.pixels_NHWC.shape == (40, 16, 24, 3)
    assert (found.images.pixels_NHWC[0] == (1, 2, 3)).all()


def test_one_damaged_picture_in_a_hundred_is_named_and_left_out(lay_out: LayOut) -> None:
    data = lay_out(100) / "input" / "data"
    (data / "train" / "train_7.png").write_bytes(b"oops")
    found = channels.read(data, "train", NAMES, 32, 32)
    assert len(found.images) == 99
    assert found.damaged[0].startswith("train_7.png (not a PNG or JPEG picture")
    assert not np.any(np.array(found.images.filenames) == "train_7.png")


def test_more_damaged_pictures_fail_with_their_list(lay_out: LayOut) -> None:
    data = lay_out(100) / "input" / "data"
    (data / "train" / "train_7.png").write_bytes(b"oops")
    (data / "train" / "train_9.png").unlink()
    with pytest.raises(ValueError, match=r"2 of 100 .* train_7\.png .* train_9\.png \(No such"):
        channels.read(data, "train", NAMES, 32, 32)


def test_a_list_cannot_reach_outside_its_channel(lay_out: LayOut) -> None:
    data = lay_out() / "input" / "data"
    (data / "train_lst" / "train.lst").write_text("0\t0\t../validation/validation_0.png\n")
    with pytest.raises(ValueError, match="outside its channel"):
        channels.read(data, "train", NAMES, 32, 32)


def test_a_label_beyond_the_classes_is_refused(lay_out: LayOut) -> None:
    data = lay_out() / "input" / "data"
    (data / "train_lst" / "train.lst").write_text("0\t2\ttrain_0.png\n")
    with pytest.raises(ValueError, match=r"train_0\.png has label 2, and num_classes is 2"):
        channels.read(data, "train", NAMES, 32, 32)


@pytest.mark.parametrize("name", ["train", "train_lst"])
def test_a_missing_channel_is_named(lay_out: LayOut, name: str) -> None:
    data = lay_out() / "input" / "data"
    (data / name).rename(data / "elsewhere")
    with pytest.raises(ValueError, match=f"channel '{name}' is missing"):
        channels.read(data, "train", NAMES, 32, 32)


def test_a_list_channel_holds_one_list_that_is_not_empty(lay_out: LayOut) -> None:
    data = lay_out() / "input" / "data"
    (data / "train_lst" / "other.lst").write_text("")
    with pytest.raises(ValueError, match=r"one \.lst file belongs there, found other\.lst, train"):
        channels.read(data, "train", NAMES, 32, 32)
    (data / "train_lst" / "train.lst").unlink()
    with pytest.raises(ValueError, match=r"other\.lst lists no pictures"):
        channels.read(data, "train", NAMES, 32, 32)


def archive(path: Path, name: str) -> None:
    path.parent.mkdir(parents=True)
    with tarfile.open(path, "w:gz") as packed:
        member = tarfile.TarInfo(name)
        member.size = 2
        packed.addfile(member, io.BytesIO(b"hi"))


def test_an_earlier_models_weights_are_found_in_its_archive(tmp_path: Path) -> None:
    archive(tmp_path / "model" / "model.tar.gz", "weights.pt")
    assert channels.earlier_weights(tmp_path) == b"hi"


def test_an_earlier_model_that_is_missing_or_not_ours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="channel 'model' holds no"):
        channels.earlier_weights(tmp_path)
    archive(tmp_path / "model" / "model.tar.gz", "image-classification-0007.params")
    with pytest.raises(ValueError, match="no model of this container"):
        channels.earlier_weights(tmp_path)
