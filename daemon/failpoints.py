"""Named points on a photo's path at which a test can have the process killed, to see what the next start makes of it; or hang."""

import itertools
import os
import signal
import threading

VARIABLE = "FOODSORT_FAULT"
"""Set by tests alone: `POINT` or `POINT:N`, to die when the point is passed for the first or the N-th time; `POINT:N:hang`."""

POINTS = (
    "claimed",  # moved into the claim folder, not opened yet
    "given_back",  # moved back into the inbox
    "batched",  # decoded and in a batch, not seen by the network
    "classified",  # no row yet
    "recorded",  # the rows of the batch are written, no photo has moved
    "explained",  # the reason of a failure lies at its place, the photo does not
    "copied",  # a whole copy lies on another filesystem under a hidden name
    "named",  # the copy has its name, the original is still claimed
    "moved",  # one photo of the batch lies at its place
    "synced",  # all do, and their folders are on the disk; the rows do not say so
    "finished",  # the rows say so
    "taking_back",  # `undo` or `retry` has written where photos go, none has moved
    "taken_back",  # one of them lies in the inbox, its row does not say so
    "correcting",  # `correct` has written where photos go, none has moved
    "corrected",  # one of them lies in the folder of its new label, its row does not say so
    "deleting",  # `delete` has written which failed photos go, none has gone
    "unexplained",  # the reason of a failure is removed, its photo is not
    "deleted",  # a photo is removed, its row does not say so
    "mended",  # a start has ended what an earlier life had recorded
)
"""Every point, in the order in which a photo comes by."""

_NAME, _NUMBER, _HOW = ([*os.environ.get(VARIABLE, "").split(":"), "", ""])[:3]
_passed = itertools.count(1)


def failpoint(name: str) -> None:
    """Kills this process, as `kill -9` does, or hangs, when the variable names this point and this passing of it."""
    if name == _NAME and next(_passed) == int(_NUMBER or 1):
        if _HOW == "hang":
            threading.Event().wait()
        os.kill(os.getpid(), signal.SIGKILL)
