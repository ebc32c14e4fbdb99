"""The user of the daemon, as the owner of its private folder in the inbox."""

import os
import pwd
from pathlib import Path

from daemon.inbox.claims import PRIVATE
from models.errors import FoodsortError


def require_daemon_user(inbox: Path) -> None:
    """Refuses every user but the daemon's: the daemon could not move files that another user creates.

    Raises:
        FoodsortError: The inbox is sorted by another user.
        OSError: No daemon has used the inbox yet, or it cannot be looked at.
    """
    private = inbox / os.fsdecode(PRIVATE)
    owner = private.stat().st_uid
    if os.geteuid() != owner and (os.geteuid() == 0 or not os.access(private, os.W_OK)):
        try:
            name = pwd.getpwuid(owner).pw_name
        except KeyError:
            name = f"#{owner}"
        raise FoodsortError(f"the user {name} sorts photos here; run this as that user: sudo -u '{name}' foodsort …")
