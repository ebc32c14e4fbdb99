import re
from pathlib import Path

import pytest

from tests.daemon.conftest import Photo
from tests.programs.terminal import on_terminal


def test_work_of_known_size_has_a_bar_with_the_time_that_remains(root: Path, photo: Photo) -> None:
    (root / "inbox/a.jpg").write_bytes(photo())
    assert on_terminal(80, "run", "--once", "--root", root)[0] == 0
    code, written = on_terminal(80, "reclassify", "--root", root, "--all")
    assert code == 0
    assert "judging" in written
    assert "left:" in written
    assert "1/1" in written
    assert "1 photo judged by foodsort-resnet50@" in written


@pytest.mark.parametrize(
    ("environment", "moves", "coloured"),
    [({}, True, True), ({"NO_COLOR": "1"}, True, False), ({"TERM": "dumb"}, False, False)],
)
def test_the_bar_depends_on_the_terminal(
    root: Path, photo: Photo, environment: dict[str, str], moves: bool, coloured: bool
) -> None:
    (root / "inbox/a.jpg").write_bytes(photo())
    code, written = on_terminal(80, "run", "--once", "--root", root, **environment)
    assert code == 0
    assert "1 photo sorted: 1 food" in written
    assert ("\x1b[2K" in written) is moves
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]", written)) is coloured
