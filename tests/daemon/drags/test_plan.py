"""Which rows follow which files, as tables: facts in, moves out."""

import pytest

from daemon.actions.facts import FileFacts, Folder, RowFacts
from daemon.drags.plan import Facts, label_of, match_copies, match_files
from daemon.photo import UNREAD_SHA256, State
from models import Label


def row(number: int, place: str, inode: int = 0, data: str = "x", state: State = "filed") -> RowFacts:
    return RowFacts(number, state, place.encode(), f"1:{inode or number}", data, len(data), data)


def file(place: str, inode: int, data: str = "x", digest: str | None = None) -> FileFacts:
    folder = place.partition("/")[0]
    return FileFacts(place.encode(), folder, f"1:{inode}", len(data), data, digest)  # type: ignore[arg-type]


def matched(rows: list[RowFacts], files: list[FileFacts], looked_at: str = "") -> list[str]:
    """Looks at the places of all files and at those in `looked_at`; tells the moves, the strangers and the lost rows."""
    at = {found.place: found for found in files}
    places = at.keys() | {place.encode() for place in looked_at.split()}
    identities = {found.identity for found in files}
    found = match_files(
        Facts(
            files,
            [row for row in rows if row.identity in identities and row.state != "filing"],
            [row for row in rows if row.place in places],
            {row.place: at.get(row.place) for row in rows},
        )
    )
    return [
        *(f"{move.row.id} to {move.file.place.decode()}" for move in found.moves),
        *(f"stranger {file.place.decode()}" for file in found.strangers),
        *(f"lost {row.id}" for row in found.lost),
    ]


@pytest.mark.parametrize(
    ("rows", "files", "looked_at", "expected"),
    [
        pytest.param([], [], "food/a", [], id="nothing"),
        pytest.param([row(1, "food/a")], [file("food/a", 1)], "", [], id="at its place"),
        pytest.param(
            [row(1, "food/a", state="filing")], [file("food/a", 9)], "", [], id="just put there by the daemon"
        ),
        pytest.param(
            [row(1, "food/a", state="correcting")], [file("food/a", 1)], "", [], id="just put there by a command"
        ),
        pytest.param([row(1, "food/a")], [file("food/a", 9)], "", [], id="restored there: another inode"),
        pytest.param([row(1, "food/a")], [file("food/a", 1, "edited")], "", [], id="edited in its place"),
        pytest.param([row(1, "food/a")], [file("food/a", 9, "edited")], "", [], id="replaced in its place"),
        pytest.param([], [file("food/a", 1)], "", ["stranger food/a"], id="no row"),
        pytest.param([row(1, "non_food/a")], [file("food/a", 1)], "", ["1 to food/a"], id="moved"),
        pytest.param([row(1, "food/a")], [file("food/b", 1)], "food/a", ["1 to food/b"], id="renamed"),
        pytest.param(
            [row(1, "inbox/a", state="undone")], [file("food/a", 1)], "", ["1 to food/a"], id="undone, then moved"
        ),
        pytest.param(
            [row(1, "food/a")], [file("food/a", 1), file("non_food/a", 1)], "", ["stranger non_food/a"], id="a link"
        ),
        pytest.param([row(1, "food/a")], [file("food/a", 1), file("food/b", 2)], "", ["stranger food/b"], id="a copy"),
        pytest.param(
            [row(1, "food/a")],
            [file("food/a", 2), file("non_food/a", 1)],
            "",
            ["stranger non_food/a"],
            id="moved, and a copy left",
        ),
        pytest.param(
            [row(1, "food/a", 7), row(2, "food/b", 7)],
            [file("food/b", 7), file("non_food/a", 7)],
            "",
            ["1 to non_food/a"],
            id="one of two links",
        ),
        pytest.param(
            [row(1, "food/a", 7), row(2, "food/b", 7)],
            [file("non_food/b", 7), file("non_food/a", 7)],
            "",
            ["2 to non_food/b", "1 to non_food/a"],
            id="two links",
        ),
        pytest.param(
            [row(1, "food/a", data="x"), row(2, "non_food/b", data="yy")],
            [file("food/a", 2, "yy"), file("non_food/b", 1)],
            "",
            ["2 to food/a", "1 to non_food/b"],
            id="two change places",
        ),
        pytest.param(
            [row(1, "food/a", data="x"), row(2, "non_food/b", data="yy")],
            [file("food/a", 2, "yy")],
            "non_food/b",
            ["2 to food/a", "lost 1"],
            id="one takes the place of another",
        ),
        pytest.param(
            [row(1, "food/a")], [file("food/b", 1, "other")], "food/a", ["stranger food/b", "lost 1"], id="inode reused"
        ),
        pytest.param(
            [row(1, "food/a")], [file("non_food/a", 1, "edited")], "", ["1 to non_food/a"], id="edited, then moved"
        ),
        pytest.param(
            [row(1, "food/a", state="missing")],
            [file("non_food/a", 1, "new")],
            "",
            ["stranger non_food/a"],
            id="inode and name of a missing one",
        ),
        pytest.param([row(1, "food/a")], [], "food/a", ["lost 1"], id="removed"),
        pytest.param([row(1, "food/a", state="missing")], [], "food/a", [], id="known to be missing"),
        pytest.param(
            [row(1, "food/a", state="missing")], [file("food/a", 9)], "", ["1 to food/a"], id="back at its place"
        ),
        pytest.param(
            [row(1, "food/a", state="missing")], [file("food/b", 1)], "", ["1 to food/b"], id="back elsewhere"
        ),
        pytest.param([row(1, "inbox/a", state="undone")], [], "inbox/a", [], id="the inbox is up to the daemon"),
        pytest.param(
            [row(1, "food/a")],
            [file("food/b", 1, digest="y")],
            "",
            ["stranger food/b"],
            id="inodes do not last: other bytes",
        ),
        pytest.param(
            [row(1, "food/a")], [file("food/b", 1, digest="x")], "", ["1 to food/b"], id="inodes do not last: its bytes"
        ),
        pytest.param(
            [row(1, "food/a", 7), row(2, "food/b", 7, state="missing")],
            [file("food/c", 7)],
            "",
            ["1 to food/c"],
            id="rather one that was there",
        ),
    ],
)
def test_files_and_rows(rows: list[RowFacts], files: list[FileFacts], looked_at: str, expected: list[str]) -> None:
    assert matched(rows, files, looked_at) == expected


@pytest.mark.parametrize(
    ("rows", "files", "expected"),
    [
        pytest.param([row(1, "food/a")], [file("food/b", 9, digest="x")], ["1 food/b"], id="its bytes"),
        pytest.param([row(1, "food/a")], [file("food/b", 9, digest="y")], [], id="other bytes"),
        pytest.param([row(1, "food/a")], [file("food/b", 9, "xx", digest="x")], [], id="another size"),
        pytest.param(
            [row(1, "food/a", data=UNREAD_SHA256)],
            [file("food/a", 9, UNREAD_SHA256, digest=UNREAD_SHA256)],
            [],
            id="never read",
        ),
        pytest.param(
            [row(1, "food/a", state="missing"), row(2, "food/b")],
            [file("food/c", 9, digest="x")],
            ["2 food/c"],
            id="rather one that was there",
        ),
        pytest.param(
            [row(1, "food/a"), row(2, "food/b")],
            [file("non_food/a", 8, digest="x"), file("non_food/b", 9, digest="x")],
            ["2 non_food/b", "1 non_food/a"],
            id="each by its name",
        ),
    ],
)
def test_copies(rows: list[RowFacts], files: list[FileFacts], expected: list[str]) -> None:
    assert [f"{move.row.id} {move.file.place.decode()}" for move in match_copies(rows, files)] == expected


@pytest.mark.parametrize(
    ("source", "target", "label", "expected"),
    [
        ("non_food", "food", "non_food", "food"),
        ("food", "non_food", "food", "non_food"),
        ("unsure", "food", "unsure", "food"),
        ("unsure", "food", "food", "food"),  # a person confirms it
        ("food", "food", "food", None),
        ("food", "food", "non_food", None),
        ("food", "unsure", "food", None),
        ("food", "failed", "food", None),
        ("food", "other", "food", None),
        ("food", "elsewhere", "food", None),
        ("duplicates", "food", "food", None),
        ("duplicates", "food", "non_food", "food"),
        ("elsewhere", "food", "food", None),  # the settings named another folder
        ("elsewhere", "non_food", "food", "non_food"),
        ("inbox", "food", "non_food", "food"),
        ("failed", "food", None, None),  # its folder becomes its label
    ],
)
def test_which_moves_are_labels(source: Folder, target: Folder, label: Label | None, expected: str | None) -> None:
    assert label_of(source, target, label) == expected
