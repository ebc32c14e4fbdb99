"""A rename that never overwrites a file, on every filesystem.

An error does not mean that a call did nothing: NFS, SMB and FUSE repeat calls whose answer was lost, and then report that
the file does not exist or exists already. So each error is followed by a look at both names. The same call again
completes a rename that was interrupted at any point.
"""

import ctypes
import errno
import hashlib
import os

from daemon import failpoints
from daemon.fs import dirfd, filesystem
from daemon.fs.entry import Entry, removed_folder
from daemon.fs.part import new_part

_RENAME_NOREPLACE = 1  # linux/fs.h
_UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})
_NO_LINKS = _UNSUPPORTED | {errno.EPERM, errno.EACCES, errno.EMLINK}
"""Errors of link(2) on filesystems without hard links, and for files of other users (protected_hardlinks, proc(5))."""
_REFUSED = frozenset({errno.EPERM, errno.EACCES})
_PLACEHOLDER = b"foodsort moves a photo to this name: "
_MAX_PLACEHOLDER_BYTES = 200

_libc = ctypes.CDLL(None, use_errno=True)


class _Unsupported(Exception):
    """Raised when the filesystem does not support a way to rename; nothing has changed."""


def rename(source: Entry, target: Entry) -> None:
    """Renames a file without overwriting one.

    Raises:
        FileNotFoundError: The source does not exist.
        FileExistsError: The target's name is taken by another file.
        OSError: EXDEV when the folders are on two filesystems, ESTALE when the target's folder was removed. The source
            still exists; only if a filesystem without RENAME_NOREPLACE cannot unlink it, the file has both names.
    """
    stat = source.stat()
    for way in (_rename_noreplace, _link_and_unlink, _rename_over_placeholder):
        try:
            way(source, target, stat)
        except _Unsupported:
            continue
        except OSError as error:
            if not _is_renamed(source, target, stat):
                raise _explain(error, source, target) from error
        return
    raise OSError(errno.EOPNOTSUPP, "the filesystem cannot rename without overwriting", source.name)


def _rename_noreplace(source: Entry, target: Entry, stat: os.stat_result) -> None:
    while _libc.renameat2(source.folder, source.name, target.folder, target.name, _RENAME_NOREPLACE) != 0:
        code = ctypes.get_errno()
        if code == errno.EINTR:
            continue
        # Where the flag is not supported, Linux still refuses a name that exists, and a rename that was interrupted
        # between its two calls has made it.
        if code in _UNSUPPORTED:
            raise _Unsupported
        if code == errno.EEXIST and (filesystem.is_network(target.folder) or is_placeholder(target)):
            raise _Unsupported
        raise OSError(code, os.strerror(code), source.name)


def _link_and_unlink(source: Entry, target: Entry, stat: os.stat_result) -> None:
    """A link cannot replace a file either. Between the two calls the file has both names."""
    try:
        os.link(source.name, target.name, src_dir_fd=source.folder, dst_dir_fd=target.folder, follow_symlinks=False)
    except OSError as error:
        if not _is_linked(source, target, stat):
            # Linux refuses a name that exists before the filesystem says that it has no links.
            if error.errno in _NO_LINKS or (error.errno == errno.EEXIST and is_placeholder(target)):
                raise _Unsupported from error
            raise
    failpoints.failpoint("linked")
    _sync_link(source, target, stat)
    try:
        os.unlink(source.name, dir_fd=source.folder)
    except OSError as error:
        # The server refuses to remove the old name. After any other error the unlink may still be carried out.
        if error.errno in _REFUSED and source.is_same_file(stat) and source.stat().st_nlink > 1:
            target.remove()
        raise
    dirfd.sync(source.folder)


def _sync_link(source: Entry, target: Entry, stat: os.stat_result) -> None:
    """Syncs the new name before the old one is removed; removes the new one if that fails twice. Raises OSError."""
    for is_last in (False, True):
        try:
            dirfd.sync(target.folder)
        except OSError:
            if is_last:
                if source.is_same_file(stat):
                    target.remove()
                raise
        else:
            return


def _rename_over_placeholder(source: Entry, target: Entry, stat: os.stat_result) -> None:
    """Takes the name with a new file, which a rename then replaces."""
    content = _PLACEHOLDER + _token(source, stat).encode() + b"\n"
    try:
        fd = os.open(target.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=target.folder)
    except FileExistsError:
        if _read(target) != content:
            raise
    else:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
    failpoints.failpoint("placeholder")
    try:
        os.rename(source.name, target.name, src_dir_fd=source.folder, dst_dir_fd=target.folder)
    except OSError:
        if _read(target) == content:
            target.remove()
        raise
    dirfd.sync(target.folder)
    dirfd.sync(source.folder)


def _token(source: Entry, stat: os.stat_result) -> str:
    """Identifies a rename when it is tried again, even by another process and where inodes do not last."""
    path = os.readlink(f"/proc/self/fd/{source.folder}").encode("utf-8", "surrogateescape")
    facts = b"%b/%b %d" % (path, source.name, stat.st_size)
    return hashlib.sha256(facts).hexdigest()


def is_placeholder(entry: Entry) -> bool:
    """Whether a file only holds a name for a rename that was interrupted."""
    return _read(entry).startswith(_PLACEHOLDER)


def _read(entry: Entry) -> bytes:
    try:
        with os.fdopen(entry.open(), "rb") as file:
            return file.read(_MAX_PLACEHOLDER_BYTES)
    except OSError:
        return b""


def _is_linked(source: Entry, target: Entry, stat: os.stat_result) -> bool:
    """Whether the target is another name of the source."""
    try:
        other = target.find()
        if other is None or os.path.samestat(other, stat):
            return other is not None
        # The copy of another photo may have the same size and time.
        return target.is_same_file(stat) and source.sha256() == target.sha256()
    except OSError:
        return False


def _is_renamed(source: Entry, target: Entry, stat: os.stat_result) -> bool:
    """Whether a rename was carried out that reported an error."""
    try:
        return source.find() is None and target.is_same_file(stat)
    except OSError:
        return False


def _explain(error: OSError, source: Entry, target: Entry) -> OSError:
    """Tells a missing folder of the target from a missing source."""
    try:
        if error.errno == errno.ENOENT and source.find() is not None:
            return _explain_missing(target)
    except OSError:
        pass
    return error


def _explain_missing(target: Entry) -> OSError:
    """Tells a folder that was removed from a name that the filesystem refuses: exFAT over FUSE reports ENOENT for both."""
    try:
        with new_part(target.folder) as (part, _):
            part.remove()
    except FileNotFoundError:
        return removed_folder(target.name)
    return OSError(errno.EINVAL, "the filesystem refuses the name", target.name)
