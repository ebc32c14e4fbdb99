from pathlib import Path

from tests.programs.soak import Soak


def test_a_daemon_killed_again_and_again_loses_doubles_and_changes_nothing(tmp_path: Path) -> None:
    tally = Soak(tmp_path / "root", seed=1).run(photos=100, kills=10)
    assert (tally.photos, tally.kills) == (100, 10)
    assert tally.while_claimed > 5  # else it was no test
    assert tally.sound, tally
