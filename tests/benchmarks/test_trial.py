import sys
from pathlib import Path

import pytest

from benchmarks import trial
from benchmarks.competitors import Competitor
from benchmarks.throughput import RunTime
from benchmarks.workloads import WORKLOADS, Workload, write_photos


class InlineCompetitor(Competitor):
    """Runs the code in `option` instead of a script file."""

    def command(self, root: Path, exported: Path) -> list[str]:
        return [sys.executable, "-c", self.option, str(root)]


CODE = """
import pathlib, sqlite3, sys
root = pathlib.Path(sys.argv[1])
for label in ("food", "non_food"):
    (root / label).mkdir()
database = sqlite3.connect(root / "results.db")
database.execute("CREATE TABLE results (name TEXT, label TEXT)")
for path in sorted((root / "inbox").iterdir()):
    label = "food" if path.name < "0002" else "non_food"
    path.rename(root / label / path.name)
    database.execute("INSERT INTO results VALUES (?, ?)", (path.name, label))
database.commit()
"""


def photos(tmp_path: Path, number: int = 4) -> list[Path]:
    (tmp_path / "source/web").mkdir(parents=True)
    for name in "ab":
        (tmp_path / f"source/web/{name}.jpg").write_text(name)
    return write_photos(Workload(4, 4, ("web",)), number, tmp_path / "source", tmp_path / "photos")


def run(tmp_path: Path, code: str) -> tuple[RunTime, trial.Labels]:
    return trial.run(
        InlineCompetitor("one", "none", "one", "model.keras", code), photos(tmp_path), tmp_path / "exported"
    )


def test_a_workload_repeats_its_photos_but_each_is_distinct(tmp_path: Path) -> None:
    written = photos(tmp_path, 5)
    assert [path.read_text()[0] for path in written] == list("ababa")
    assert len({path.read_bytes() for path in written}) == 5


def test_a_workload_whose_photos_are_missing_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="phone holds no photos"):
        write_photos(WORKLOADS["mixed"], 8, tmp_path, tmp_path / "photos")


def test_a_run_returns_labels_and_leaves_the_photos_for_the_next(tmp_path: Path) -> None:
    run_time, labels = run(tmp_path, CODE)
    assert labels == {"0000.jpg": "food", "0001.jpg": "food", "0002.jpg": "non_food", "0003.jpg": "non_food"}
    assert run_time.seconds > 0
    assert run_time.core_seconds > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "source"]
    assert len(list((tmp_path / "photos").iterdir())) == 4


def test_a_run_that_ends_with_an_error_has_failed(tmp_path: Path) -> None:
    with pytest.raises(trial.TrialFailed, match="exit code 1: ValueError: no"):
        run(tmp_path, CODE + "raise ValueError('no')")


def test_a_run_that_leaves_a_photo_has_failed(tmp_path: Path) -> None:
    with pytest.raises(trial.TrialFailed, match="1 of 4 photos were not moved"):
        run(tmp_path, CODE.replace("iterdir())", "iterdir())[:3]"))


def test_a_run_without_a_row_for_each_photo_has_failed(tmp_path: Path) -> None:
    with pytest.raises(trial.TrialFailed, match="3 rows for 4 photos"):
        run(
            tmp_path,
            CODE.replace(
                "database.commit()", "database.execute('DELETE FROM results WHERE rowid=1').connection.commit()"
            ),
        )


def test_a_run_without_a_database_has_failed(tmp_path: Path) -> None:
    with pytest.raises(trial.TrialFailed, match="0 rows for 4 photos"):
        run(tmp_path, CODE + "(root / 'results.db').unlink()")


def test_a_run_whose_rows_have_another_label_has_failed(tmp_path: Path) -> None:
    with pytest.raises(trial.TrialFailed, match="do not match the folders"):
        run(tmp_path, CODE.replace("(path.name, label)", "(path.name, 'food')"))


def test_settings_of_the_shell_do_not_reach_a_competitor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOODSORT_MODEL__ENGINE", "scripted")
    code = "import os; print(os.environ.get('FOODSORT_MODEL__ENGINE'))"
    assert trial.execute([sys.executable, "-c", code]) == "None\n"
    assert trial.execute([sys.executable, "-c", code], {"FOODSORT_MODEL__ENGINE": "auto"}) == "auto\n"
