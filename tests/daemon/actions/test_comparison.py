"""The plan of `foodsort repair`, as a table: rows and files in, steps out."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from daemon.actions.comparison import Comparison
from daemon.actions.facts import FileFacts, RowFacts, Step
from daemon.photo import State


def row(
    number: int, place: str, digest: str = "", state: State = "filed", inode: int = 0, *, failed: bool = False
) -> RowFacts:
    digest = digest or place
    return RowFacts(number, state, place.encode(), f"1:{inode or number}", digest, len(digest), digest, failed)


def file(place: str, digest: str = "", inode: int = 0) -> FileFacts:
    digest = digest or place
    folder = place.partition("/")[0]
    return FileFacts(place.encode(), folder, f"1:{inode}", len(digest), digest, digest)  # type: ignore[arg-type]


def touched(file: FileFacts, time: str = "later") -> FileFacts:
    return file._replace(modified_at=time)


def planned(rows: list[RowFacts], files: list[FileFacts]) -> tuple[list[Step], int]:
    """The steps, and how many rows need none. A file is read only when its digest is asked for."""
    digests = {file.place: file.sha256 or "" for file in files}
    with closing(Comparison()) as comparison:
        for file in files:
            comparison.add_file(file._replace(sha256=None))
        for row in rows:
            comparison.add_row(row, comparison.file_at(row.place))
        for file in comparison.without_digest():
            comparison.set_digest(file, digests[file.place])
        steps = list(comparison.steps())
        return steps, comparison.unchanged


def described(steps: list[Step]) -> Iterator[str]:
    for step in steps:
        parts = (step.action, step.row and step.row.id, step.file and step.file.place.decode(), step.into)
        yield " ".join(str(part) for part in parts if part is not None)


@pytest.mark.parametrize(
    ("rows", "files", "expected", "unchanged"),
    [
        pytest.param([], [], [], 0, id="nothing"),
        pytest.param([row(1, "food/a")], [file("food/a", inode=1)], [], 1, id="as it should be"),
        pytest.param(
            [row(1, "food/a")], [file("food/a", inode=9)], ["refresh 1 food/a"], 1, id="restored: another inode"
        ),
        pytest.param(
            [row(1, "food/a")], [touched(file("food/a", inode=1))], ["refresh 1 food/a"], 1, id="another time"
        ),
        pytest.param([], [file("food/a")], ["add food/a"], 0, id="no row"),
        pytest.param(
            [], [file("duplicates/a"), file("food/b")], ["add food/b", "add duplicates/a"], 0, id="originals first"
        ),
        pytest.param([row(1, "food/a")], [], ["lose 1"], 0, id="no photo"),
        pytest.param([row(1, "food/a", state="missing")], [], [], 1, id="known to be missing"),
        pytest.param([row(1, "food/a", state="missing")], [file("food/a")], ["move 1 food/a"], 0, id="mounted again"),
        pytest.param([row(1, "food/a", "x")], [file("food/b", "x", 1)], ["move 1 food/b"], 0, id="renamed"),
        pytest.param(
            [row(1, "food/a", "x"), row(2, "food/b", "x")],
            [file("non_food/b", "x"), file("non_food/c", "x")],
            ["move 2 non_food/b", "move 1 non_food/c"],
            0,
            id="two exact copies: the one of this name first",
        ),
        pytest.param(
            [row(1, "food/a", "x"), row(2, "food/b", "x")],
            [file("non_food/c", "x")],
            ["move 2 non_food/c", "lose 1"],
            0,
            id="one of two exact copies: the newest row",
        ),
        pytest.param(
            [row(1, "food/a", "x"), row(2, "food/b", "x", "missing")],
            [file("non_food/c", "x")],
            ["move 1 non_food/c"],
            1,
            id="a row that went missing earlier comes last",
        ),
        pytest.param([row(1, "food/a", "x")], [file("food/a", "y")], ["change 1 food/a"], 0, id="edited"),
        pytest.param(
            [row(1, "food/a", "x")],
            [file("food/a", "y"), file("food/b", "x")],
            ["move 1 food/b", "add food/a"],
            0,
            id="another photo is in its place",
        ),
        pytest.param(
            [row(1, "food/a", "x"), row(2, "food/b", "y")],
            [file("food/a", "y")],
            ["move 2 food/a", "lose 1"],
            0,
            id="moved over another photo",
        ),
        pytest.param(
            [row(1, "failed/a", "x", "failed", failed=True)], [file("failed/a", "y")], [], 1, id="repaired by a person"
        ),
        pytest.param(
            [row(1, "food/a", inode=7), row(2, "food/a", inode=7)],
            [file("food/a", inode=7)],
            ["merge 1 2"],
            1,
            id="two rows for one place",
        ),
        pytest.param(
            [row(1, "food/a", "x"), row(2, "food/a", "y")],
            [file("food/a", "x", 1)],
            ["lose 2"],
            1,
            id="two rows for one place, of other bytes",
        ),
        pytest.param(
            [row(1, "food/a", "x")], [file("inbox/a", "x", 1)], ["move 1 inbox/a"], 0, id="dragged to the inbox"
        ),
        pytest.param([row(1, "inbox/a", "x", "undone")], [file("inbox/a", "y")], [], 1, id="for the daemon to decide"),
        pytest.param([row(1, "inbox/a", "x", "undone")], [], ["lose 1"], 0, id="undone, and gone"),
        pytest.param([], [file("inbox/a")], [], 0, id="new in the inbox"),
        pytest.param(
            [row(1, "food/a", state="filing")], [file("food/a", inode=1)], ["refresh 1 food/a"], 1, id="arrived"
        ),
    ],
)
def test_what_is_done_about_each_difference(
    rows: list[RowFacts], files: list[FileFacts], expected: list[str], unchanged: int
) -> None:
    steps, untouched = planned(rows, files)
    described_steps = [text.replace("merge 1 2", "merge 1 2") for text in described(steps)]
    assert (described_steps, untouched) == (expected, unchanged)


def test_only_files_without_a_row_are_read() -> None:
    with closing(Comparison()) as comparison:
        for number in range(1200):
            comparison.add_file(file(f"food/{number}", inode=number)._replace(sha256=None))
        for number in range(1, 1200):
            comparison.add_row(row(number, f"food/{number}"), comparison.file_at(b"food/%d" % number))
        assert [found.place for found in comparison.without_digest()] == [b"food/0"]


def test_a_photo_in_flight_is_left_alone() -> None:
    with closing(Comparison()) as comparison:
        comparison.add_file(file("food/a"))
        comparison.add_in_flight(b"food/a")
        assert list(comparison.steps()) == []


def test_half_of_the_steps_and_then_all_give_the_same_end() -> None:
    """Whatever steps were applied before a crash, the plan made after it is the rest."""
    rows = [row(number, f"food/{number}", "x") for number in range(1, 6)]
    files = [file(f"non_food/{number}", "x", inode=number) for number in (2, 7, 8)]
    steps, _ = planned(rows, files)
    for count in range(len(steps) + 1):
        for done in (steps[:count], steps[len(steps) - count :]):
            table = {row.id: row for row in rows}
            for step in done:
                assert step.row is not None
                table[step.row.id] = (
                    step.row._replace(state="missing")
                    if step.file is None
                    else step.row._replace(place=step.file.place, identity=step.file.identity)
                )
            assert planned(list(table.values()), files)[0] == [step for step in steps if step not in done]
