"""What changes photos that are sorted already, as a command, the review page and the daemon's start have it together."""

import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from daemon.actions.correct import Corrections
from daemon.actions.delete import Deletions
from daemon.actions.undo import Back, Takeback
from daemon.inbox.claims import Claims
from daemon.settings import Folders
from models.errors import FoodsortError


class Movers(NamedTuple):
    """Those of one root. One call at a time an inbox may use them: see `lock.turn`."""

    takeback: Takeback
    corrections: Corrections
    deletions: Deletions

    @classmethod
    def of(cls, root: Path, folders: Folders, claims: Claims, engine: sa.Engine) -> "Movers":
        """engine: of a database that may be written to."""
        disks = (root, folders, claims, engine)
        return cls(Takeback(*disks), Corrections(*disks), Deletions(*disks))

    def mend(self) -> Iterator[tuple[str, Back]]:
        """Ends what a call that died had begun; with each photo what was being done: back, correct or delete."""
        for action, mover in (("back", self.takeback), ("correct", self.corrections), ("delete", self.deletions)):
            yield from ((action, back) for back in mover.mend())


def as_the_daemon(private: Path) -> None:
    """Refuses another user than the daemon's: of what that one made, the daemon could move nothing. Raises FoodsortError."""
    owner = private.stat().st_uid
    if os.geteuid() != owner and (os.geteuid() == 0 or not os.access(private, os.W_OK)):
        try:
            name = pwd.getpwuid(owner).pw_name
        except KeyError:
            name = f"#{owner}"
        raise FoodsortError(f"the user {name} sorts photos here; run this as that user: sudo -u '{name}' foodsort …")
