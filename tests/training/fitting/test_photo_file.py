import os
from pathlib import Path

import pytest

from models.images.decode import Fit
from training.data import image_facts
from training.data.dataset import _sha256
from training.fitting.features import UnreadablePhoto, decode_photos
from training.fitting.photo_file import open_photo


def test_a_photo_is_opened_and_read(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"abc")
    with open_photo(str(tmp_path / "a.jpg")) as file:
        assert file.read() == b"abc"


@pytest.mark.timeout(20)
def test_a_fifo_in_the_place_of_a_photo_is_not_waited_for(tmp_path: Path) -> None:
    path = str(tmp_path / "fifo.jpg")
    os.mkfifo(path)
    with pytest.raises(OSError, match="is no regular file"):
        open_photo(path)
    assert image_facts.read_facts(path).message == "is no regular file"
    assert list(decode_photos([path], Fit())) == [UnreadablePhoto(path, "unreadable", "is no regular file")]
    assert _sha256(path) == "unreadable"
