"""The findings of `foodsort doctor`."""

import json
from pathlib import Path

from tests.daemon.conftest import Foodsort

Findings = dict[str, tuple[str, str]]


def examine(root: Path, foodsort: Foodsort, *options: str) -> tuple[int, Findings]:
    """Runs `foodsort doctor`; returns the exit code, and for each check the worst level with its message."""
    code, out, err = foodsort("doctor", "--root", root, "--format", "json", *options)
    assert "Traceback" not in err
    return code, worst(out)


def worst(out: str) -> Findings:
    order = ("ok", "warning", "problem")
    findings = sorted(json.loads(out), key=lambda finding: order.index(finding["level"]))
    return {finding["check"]: (finding["level"], finding["message"]) for finding in findings}
