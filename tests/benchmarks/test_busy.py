import re
import sys

import pytest

from benchmarks import busy

pytestmark = pytest.mark.slow


def test_it_sorts_all_photos_and_prints_the_utilisation(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["busy", "--count", "100"])
    busy.main()
    assert re.search(
        r"^utilisation \d+%: \d+ photos/s, \d+\.\d\d core-ms a photo$", capsys.readouterr().out, re.MULTILINE
    )
