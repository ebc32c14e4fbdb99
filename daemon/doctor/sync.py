"""Check of sync tools: whether photos that leave the inbox are deleted on other devices."""

from daemon.doctor.finding import CheckedRoot, Finding
from daemon.inbox import sync_marks
from daemon.inbox.claims import PRIVATE


def check(root: CheckedRoot) -> Finding:
    """Looks for marks of sync tools in the inbox, above it and in its subfolders."""
    marks = list(sync_marks.marks(root.inbox))
    if not marks:
        return Finding("sync", "ok", "no sync tool keeps the inbox in step with other devices")
    if root.settings.watch.take == "move":
        return Finding("sync", "warning", sync_marks.warning(marks[0]))
    private = PRIVATE.decode()
    for folder in {mark.path.parent for mark in marks if mark.tool == "Syncthing"}:
        try:
            lacks = sync_marks.lacks_ignore(folder, private)
        except OSError as error:
            return Finding("sync", "warning", f"{folder / sync_marks.STIGNORE} cannot be read: {error.strerror}")
        if lacks:
            message = (
                f"Syncthing sends {private} of the inbox to other devices; `foodsort init --from-sync` excludes it"
            )
            return Finding("sync", "warning", message)
    return Finding("sync", "ok", f"{marks[0].tool} keeps the inbox in step; copies are sorted and the originals stay")
