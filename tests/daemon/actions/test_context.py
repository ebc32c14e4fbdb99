"""The opener of all actions: one call at a time, after recovery, only for the daemon's user."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from daemon.actions.context import ActionBusy, open_actions, preview_actions
from daemon.database import addresses, connections
from daemon.inbox.handle import InboxHandle
from daemon.settings import FolderSettings
from models.errors import FoodsortError

FOLDERS = FolderSettings()


@pytest.fixture
def engine(root: Path) -> Iterator[sa.Engine]:
    """The database of a root with an earlier run of the daemon."""
    InboxHandle(root / "inbox", lock=True).close()
    engine = connections.connect(addresses.database_url(root, ""))
    yield engine
    engine.dispose()


def test_only_one_call_at_a_time_opens_the_actions(root: Path, engine: sa.Engine) -> None:
    waits: list[str] = []
    with open_actions(root, FOLDERS, engine):
        with (
            pytest.raises(ActionBusy, match="another call of foodsort is moving photos"),
            open_actions(root, FOLDERS, engine, timeout_s=0.1, on_wait=lambda: waits.append("waits")),
        ):
            pass
        with preview_actions(root, FOLDERS, engine):  # needs no lock
            pass
    assert waits == ["waits"]
    with open_actions(root, FOLDERS, engine, timeout_s=0):
        pass


def test_a_missing_inbox_is_named(root: Path, engine: sa.Engine) -> None:
    (root / "inbox").rename(root / "away")
    for opened in (open_actions(root, FOLDERS, engine), preview_actions(root, FOLDERS, engine)):
        with pytest.raises(FoodsortError, match=r"the inbox .* cannot be used: No such file or directory"), opened:
            pass
