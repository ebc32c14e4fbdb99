"""Named points on a photo's path at which a test kills the process, to check the recovery, or makes it hang."""

import itertools
import os
import signal
import threading

VARIABLE = "FOODSORT_FAULT"
"""Set only by tests.

`POINT` or `POINT:N` kills the process at its first or N-th pass of a point; `POINT:N:hang` hangs it.
"""

POINTS = (
    "claimed",  # the photo is in the claim folder and not opened yet
    "given_back",  # the photo is back in the inbox
    "batched",  # the photo is decoded and in a batch that is not classified
    "classified",  # the batch is classified and has no rows
    "recorded",  # the rows of the batch are written; no photo has moved
    "explained",  # an error sidecar is written; its photo has not moved
    "linked",  # a filesystem without RENAME_NOREPLACE: the photo has its old and its new name
    "placeholder",  # a filesystem without links, too: a placeholder has the new name
    "copied",  # another filesystem has a complete copy under a hidden name
    "named",  # the copy has its final name; the original is still claimed
    "moved",  # one photo of the batch has moved
    "synced",  # all have moved and their folders are synced; the rows are not updated
    "finished",  # the rows are updated
    "judged",  # `reclassify` has recorded some judgements; no row of a photo is changed
    "begun",  # an action has recorded its moves; no photo has moved
    "taken",  # a photo has its private name
    "unexplained",  # an error sidecar is deleted; its photo is not at its target
    "arrived",  # a photo is at its target, or deleted; its row is not updated
    "reclassified",  # `reclassify` has changed all rows and moved all photos; its batch is not complete
    "dragging",  # the rows follow photos that a person moved, in a transaction that is not committed
    "dragged",  # it is committed; no companion has followed
    "salvaged",  # `repair` has made a file of what a damaged database holds; the database is as it was
    "log_aside",  # the log of the damaged database is beside it under another name
    "repairing",  # `repair` has recorded some of its changes
    "learning",  # the labels are written for the process that fits; there is no candidate
    "learned",  # the candidate is complete under a hidden name
    "listed",  # the candidate has its name; its judgements of the audit sample are not recorded
    "promoting",  # a model is about to be put live
    "promoted",  # it is live; there is no event
    "taking_back",  # a model is about to be taken back
    "taken_back",  # it is; there is no event
    "mended",  # recovery has finished the moves that an earlier run had recorded
)
"""All points, in the order of a photo's path."""

_NAME, _NUMBER, _ACTION = ([*os.environ.get(VARIABLE, "").split(":"), "", ""])[:3]
_passes = itertools.count(1)


def failpoint(name: str) -> None:
    """Kills this process, as `kill -9` does, or hangs it, if the variable names this point and this pass of it."""
    if name == _NAME and next(_passes) == int(_NUMBER or 1):
        if _ACTION == "hang":
            threading.Event().wait()
        os.kill(os.getpid(), signal.SIGKILL)
