"""What can happen between the steps of an action."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daemon.actions import journal
from daemon.fs import dirfd
from daemon.fs.rename import rename
from tests.daemon.conftest import Foodsort, Photo, tree
from tests.daemon.photos import drop, run_once
from tests.daemon.rows import states

pytestmark = pytest.mark.slow

ACTIONS = {
    "undo": (("undo", "food/soup.jpg"), "inbox/soup.jpg", "undone"),
    "correct": (("correct", "food/soup.jpg", "--label", "non_food"), "non_food/soup.jpg", "filed"),
    "retry": (("retry", "failed/cut.jpg"), "inbox/cut.jpg", "retry"),
    "delete": (("delete", "--yes", "failed/cut.jpg"), "", "deleted"),
}

Words = tuple[str, ...]
Action = tuple[Words, str, str]


@pytest.fixture
def root(root: Path, photo: Photo, foodsort: Foodsort) -> Path:
    """A root with a sorted and a failed photo."""
    drop(root, "soup.jpg", photo())
    drop(root, "cut.jpg", photo(size=256)[:1000])
    run_once(root, foodsort)
    return root


@pytest.fixture(params=ACTIONS)
def action(request: pytest.FixtureRequest) -> Action:
    return ACTIONS[request.param]


def act(foodsort: Foodsort, root: Path, words: Words) -> tuple[int, str, str]:
    return foodsort(words[0], "--root", root, *words[1:])


def failing_once(function: Callable[..., Any], code: int) -> Callable[..., Any]:
    """A function that fails with an error of the disk at its first call."""
    calls = []

    def call(*arguments: Any, **options: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 1:
            raise OSError(code, os.strerror(code))
        return function(*arguments, **options)

    return call


def test_a_file_that_takes_the_photos_place_at_the_last_moment_stays(
    root: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch, action: Action
) -> None:
    words, _, _ = action
    place = root / next(word for word in words if "/" in word)
    before = states(root)

    def replaced(*arguments: Any) -> None:
        place.unlink()
        place.write_bytes(b"a foreign file")
        rename(*arguments)

    monkeypatch.setattr(journal, "_rename_to_private", replaced)
    code, _, err = act(foodsort, root, words)
    assert (code, "is no longer the photo that was put there" in err) == (1, True)
    assert place.read_bytes() == b"a foreign file"
    assert states(root) == before
    assert not list(root.rglob(".foodsort-*"))


def test_only_the_sync_is_tried_again_when_it_fails_after_the_move(
    root: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch, action: Action
) -> None:
    words, target, state = action
    monkeypatch.setattr(dirfd, "sync", failing_once(dirfd.sync, errno.EIO))
    assert act(foodsort, root, words)[0] == 0
    if target:
        assert target in set(tree(root))
    assert state in states(root).values()
    if words[-1].startswith("failed"):
        assert not {name for name in set(tree(root)) if name.startswith("failed/")}


def test_a_photo_whose_folder_cannot_be_synced_is_finished_by_the_next_action(
    root: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch, action: Action
) -> None:
    words, target, state = action

    def broken(*_: Any, **__: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(dirfd, "sync", broken)
        code, _, err = act(foodsort, root, words)
    assert (code, "foodsort completes this at its next action" in err) == (1, True)
    assert foodsort("undo", "--root", root, "--since", "2100-01-01")[0] == 0
    assert state in states(root).values()
    assert not target or target in set(tree(root))


def test_a_photo_that_cannot_be_moved_keeps_its_name_and_its_sidecar(
    root: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch, action: Action
) -> None:
    words, _, _ = action
    before = set(tree(root)), states(root)

    def refused(*_: Any, **__: Any) -> None:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(journal.Journal, "_place", refused)
    code, _, err = act(foodsort, root, words)
    assert (code, "Permission denied" in err) == (1, True)
    assert (set(tree(root)), states(root)) == before
