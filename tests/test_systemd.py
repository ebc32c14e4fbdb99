"""The unit that `make install-service` installs."""

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parents[1] / "systemd"
UNIT = SYSTEMD / "foodsort.service"


def test_unit_keeps_the_contract() -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(UNIT.read_text())
    promised = {
        "Type": "notify",
        "User": "foodsort",
        "Group": "foodsort",
        "StateDirectory": "foodsort",
        "ExecStart": "@PREFIX@/lib/foodsort/bin/foodsort run --root /var/lib/foodsort",
        "Restart": "on-failure",
        "RestartPreventExitStatus": "2",
    }
    assert promised.items() <= dict(unit["Service"]).items()
    assert unit["Install"]["WantedBy"] == "multi-user.target"


def test_sysusers_makes_the_user_of_the_unit() -> None:
    lines = [line for line in (SYSTEMD / "foodsort.sysusers").read_text().splitlines() if not line.startswith("#")]
    assert lines == ['u foodsort - "foodsort daemon" /var/lib/foodsort']


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    program = tmp_path / "lib/foodsort/bin/foodsort"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("@PREFIX@", str(tmp_path)))
    verified = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True)
    assert (verified.returncode, verified.stderr) == (0, "")
