"""What changes photos that are sorted already, as a command, the review page and the daemon's start have it together."""

import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from daemon.actions.correct import CorrectAction
from daemon.actions.delete import DeleteAction
from daemon.actions.undo import ActionResult, UndoAction
from daemon.inbox.claims import Claims
from daemon.settings import FolderSettings
from models.errors import FoodsortError


class Actions(NamedTuple):
    """Those of one root. One call at a time an inbox may use them: see `lock.turn`."""

    takeback: UndoAction
    corrections: CorrectAction
    deletions: DeleteAction

    @classmethod
    def of(cls, root: Path, folders: FolderSettings, claims: Claims, engine: sa.Engine) -> "Actions":
        """engine: of a database that may be written to."""
        disks = (root, folders, claims, engine)
        return cls(UndoAction(*disks), CorrectAction(*disks), DeleteAction(*disks))

    def mend(self) -> Iterator[tuple[str, ActionResult]]:
        """Ends what a call that died had begun; with each photo what was being done: back, correct or delete."""
        for action, mover in (("back", self.takeback), ("correct", self.corrections), ("delete", self.deletions)):
            yield from ((action, back) for back in mover.mend())


def require_daemon_user(private: Path) -> None:
    """Refuses another user than the daemon's: of what that one made, the daemon could move nothing. Raises FoodsortError."""
    owner = private.stat().st_uid
    if os.geteuid() != owner and (os.geteuid() == 0 or not os.access(private, os.W_OK)):
        try:
            name = pwd.getpwuid(owner).pw_name
        except KeyError:
            name = f"#{owner}"
        raise FoodsortError(f"the user {name} sorts photos here; run this as that user: sudo -u '{name}' foodsort …")
