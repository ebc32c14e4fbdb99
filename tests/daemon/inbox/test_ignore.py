import pytest

from daemon.inbox.ignore import IgnoreRules


@pytest.mark.parametrize(
    "name",
    [
        b".DS_Store",
        b"._a.jpg",
        b".stfolder",
        b".foodsort",
        b"a.part",
        b"a.jpg.tmp",
        b"a.crdownload",
        b"a.FILEPART",
        b"a.jpg.partial",
        b"a.opdownload",
        b"a.jpg.!qB",
        b"a.jpg.error.json",
        b"#recycle",
        b"@Recycle",
        b"$RECYCLE.BIN",
        b"Thumbs.db",
        b"desktop.ini",
        b"@eaDir",
        b"__MACOSX",
        b"note.xmp",
    ],
)
def test_names_that_are_never_photos_are_ignored(name: bytes) -> None:
    ignore = IgnoreRules(("*.XMP",))
    assert ignore(name)
    assert ignore.path(b"trip/" + name)
    assert ignore.path(name + b"/a.jpg")


@pytest.mark.parametrize("name", [b"a.jpg", b"part", b"tmp.jpg", b"caf\xe9.jpg", b"-rf", b"Thumbs.db.jpg"])
def test_photos_are_not_ignored(name: bytes) -> None:
    assert not IgnoreRules().path(b"trip/" + name)
