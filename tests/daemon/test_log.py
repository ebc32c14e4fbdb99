import json
import logging

import pytest

from daemon import log


def test_what_models_has_to_say_is_a_line_like_any_other(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(terminal=False)
    log.configure(terminal=False)
    logging.getLogger("foodsort").warning("OpenVINO cannot run %s", "it")
    (line,) = capsys.readouterr().err.splitlines()
    assert "level=warning event=" + json.dumps("OpenVINO cannot run it") in line
