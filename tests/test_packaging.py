"""The import names are common words, so their owner and the content of the wheel are checked."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["daemon", "models", "training"])
def test_each_import_name_belongs_to_foodsort_alone(name: str) -> None:
    assert set(packages_distributions().get(name, ["foodsort"])) == {"foodsort"}
    module = __import__(name)
    assert Path(str(module.__file__)).parents[1] == PROJECT


def test_every_package_is_listed_and_no_other() -> None:
    listed = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    owners = {
        ".".join(path.parent.relative_to(PROJECT).parts)
        for room in ("daemon", "models", "training")
        for path in (PROJECT / room).rglob("__init__.py")
    }
    assert set(listed) == owners


def test_the_wheel_holds_the_rooms_and_the_model_and_no_tests(tmp_path: Path) -> None:
    # From a copy: setuptools builds beside its source and packs files of an earlier build.
    source = tmp_path / "source"
    for name in ("daemon", "models", "training"):
        shutil.copytree(PROJECT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, source)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(source)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"daemon", "models", "training"}
    assert {"models/food/card.json", "models/food/model.keras", "models/py.typed"} <= names
    assert {
        "training/report/templates/report.html.j2",
        "training/report/templates/report.md.j2",
        "training/report/templates/report.css",
    } <= names
    assert "daemon/database/migrations/versions/0001_first.py" in names


def test_no_lock_names_a_host() -> None:
    for lock in ("requirements.lock", "requirements-dev.lock", "requirements-bench.lock"):
        assert "://" not in (PROJECT / lock).read_text()


@pytest.mark.parametrize("name", ["daemon", "models", "training"])
def test_a_foreign_package_of_the_same_name_is_reported(tmp_path: Path, name: str) -> None:
    shutil.copytree(PROJECT / name, tmp_path / name)
    (tmp_path / name / "__init__.py").write_text('"""Another project\'s package, installed over ours."""\n')
    command = [sys.executable, "-c", "from daemon.cli import app; app()", "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"the package {name} at {tmp_path}" in done.stderr
    assert "virtual environment of its own" in done.stderr
    assert "Traceback" not in done.stderr
