"""The units that `make install-service` installs, as systemd-analyze sees them. tests/systemd runs them."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
EXAMPLES = PROJECT / "systemd/examples"
ANALYZE = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `lib/systemd` of an installation that has no program yet, but an executable of its name."""
    prefix = tmp_path_factory.mktemp("prefix")
    program = prefix / "lib/foodsort/bin/foodsort"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    # DESTDIR: this machine's systemd is not notified.
    command = ["make", "--silent", "-C", str(PROJECT), "service-user", "service-units", f"PREFIX={prefix}", "DESTDIR=/"]
    subprocess.run(command, check=True, capture_output=True)
    return prefix / "lib/systemd"


@pytest.fixture
def extended(units: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The unit with the drop-in of the test's parameter."""
    unit = tmp_path / "foodsort.service"
    shutil.copy(units / "system/foodsort.service", unit)
    unit.with_name("foodsort.service.d").mkdir()
    shutil.copy(EXAMPLES / f"{request.param}.conf", unit.with_name("foodsort.service.d"))
    return unit


def _verified(*words: str | Path) -> tuple[int, str]:
    """Exit code and complaints."""
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *words], capture_output=True, text=True, check=False
    )
    return verified.returncode, verified.stderr


def _exposure(unit: Path) -> float:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.search(r"Overall exposure level for .*: ([0-9.]+)", output)
    assert found, output
    return float(found[1])


def _lines(path: Path) -> set[str]:
    return {line for line in path.read_text().splitlines() if line and not line.startswith("#")}


def test_the_unit_has_the_promised_settings() -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(PROJECT / "systemd/foodsort.service")
    promised = {
        "Type": "notify",
        "User": "foodsort",
        "Group": "foodsort",
        "StateDirectory": "foodsort",
        "ExecStart": "@PREFIX@/lib/foodsort/bin/foodsort run --root /var/lib/foodsort",
        "Restart": "on-failure",
        "RestartSec": "5",
        "RestartPreventExitStatus": "2",
        "TimeoutStopSec": "30",
        "UMask": "0007",
    }
    assert promised.items() <= dict(unit["Service"]).items()
    assert dict(unit["Unit"]).items() >= {"StartLimitIntervalSec": "15min", "StartLimitBurst": "20"}.items()
    assert unit["Install"]["WantedBy"] == "multi-user.target"
    # The engines make machine code at run time.
    assert "MemoryDenyWriteExecute" not in unit["Service"]


def test_the_unit_of_a_further_root_differs_only_in_its_folders(units: Path) -> None:
    one, many = _lines(units / "system/foodsort.service"), _lines(units / "system/foodsort@.service")
    program = f"{units.parent}/foodsort/bin/foodsort"
    assert many - one == {
        "Description=foodsort sorts photos into food and non_food (%i)",
        f"ExecStartPre=-{program} doctor --quick --root /var/lib/foodsort-%i",
        f"ExecStart={program} run --root /var/lib/foodsort-%i",
        f"ExecReload={program} status --root /var/lib/foodsort-%i",
        "StateDirectory=foodsort-%i",
        "CacheDirectory=foodsort-%i",
        "Environment=HOME=/var/cache/foodsort-%i",
    }
    assert len(one - many) == len(many - one)


def test_sysusers_makes_the_user_of_the_unit() -> None:
    assert _lines(PROJECT / "systemd/foodsort.sysusers") == {'u foodsort - "foodsort daemon" /var/lib/foodsort'}


@ANALYZE
def test_systemd_accepts_the_units(units: Path) -> None:
    names = ("foodsort.service", "foodsort@.service", "foodsort-review.service", "foodsort-hook@.service")
    assert _verified(*(units / "system" / name for name in names)) == (0, "")


@ANALYZE
def test_a_persons_systemd_accepts_its_unit(units: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert _verified("--user", units / "user/foodsort.service") == (0, "")


@ANALYZE
@pytest.mark.parametrize("extended", ["gpu", "loopback", "home"], indirect=True)
def test_systemd_accepts_the_drop_ins(extended: Path) -> None:
    assert _verified(extended) == (0, "")


@ANALYZE
@pytest.mark.parametrize("extended", ["growing-pauses"], indirect=True)
def test_an_older_systemd_ignores_growing_pauses(extended: Path) -> None:
    _, complaints = _verified(extended)
    output = subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True, check=True).stdout
    supported = int(output.split()[1]) >= 254
    assert re.findall(r"Unknown key.* '(\w+)'", complaints) == (
        [] if supported else ["RestartSteps", "RestartMaxDelaySec"]
    )
    assert complaints.count("\n") == (0 if supported else 2)


@ANALYZE
@pytest.mark.parametrize(
    ("unit", "most"),
    [
        ("foodsort.service", 0.5),
        ("foodsort@.service", 0.5),
        ("foodsort-review.service", 1.3),
        ("foodsort-hook@.service", 1.3),
    ],
)
def test_the_units_are_hardened(units: Path, unit: str, most: float) -> None:
    assert _exposure(units / "system" / unit) <= most


@ANALYZE
@pytest.mark.parametrize(("extended", "most"), [("gpu", 0.7), ("loopback", 1.2), ("home", 0.5)], indirect=["extended"])
def test_drop_ins_keep_the_exposure_low(extended: Path, most: float) -> None:
    assert _exposure(extended) <= most
