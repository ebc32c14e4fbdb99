import re
import sys
from pathlib import Path

import pytest

from benchmarks import reclassify
from tests.daemon.conftest import Photo
from tests.daemon.conftest import photo as photo  # the fixture

pytestmark = pytest.mark.slow


def test_it_judges_what_it_sorted_and_prints_the_ratio(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, photo: Photo
) -> None:
    for number in range(4):
        (tmp_path / f"{number}.jpg").write_bytes(photo("food", number, size=512))
    words = ["reclassify", str(tmp_path), "--count", "300", "--rounds", "1", "--engine", "scripted"]
    monkeypatch.setattr(sys, "argv", words)
    reclassify.main()
    out = capsys.readouterr().out
    assert re.search(r"^│ reclassify │ +\d", out, re.MULTILINE)
    assert re.search(r"^ratio \d+\.\d\d, goal at least 0\.9$", out, re.MULTILINE)


def test_too_few_photos_are_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["reclassify", "nowhere", "--count", "8"])
    with pytest.raises(SystemExit) as end:
        reclassify.main()
    assert end.value.code == 2
    assert "--count must be above 8" in capsys.readouterr().err
