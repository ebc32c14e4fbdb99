import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.cli.delivery import Delivery
from daemon.queries.positions import Position


@pytest.fixture
def pipe() -> Iterator[tuple[int, Delivery]]:
    """The reader's end of a pipe, and the delivery into it."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb", buffering=0) as stdout:
        yield reader, Delivery(stdout)
    os.close(reader)


def at(change: int) -> Position:
    return Position(change=change)


def test_a_row_counts_when_the_reader_takes_the_next_one(pipe: tuple[int, Delivery]) -> None:
    reader, delivery = pipe
    assert delivery.reached() is None
    delivery.add(at(1), None)
    assert delivery.reached() == at(1)
    for change in (2, 3):
        delivery.add(at(change), {"name": "é"})
    delivery.add(at(4), None)
    delivery.add(at(5), {"name": "é"})
    line = '{"name": "é"}\n'.encode()
    reached = [delivery.reached()]
    for _ in range(3):
        assert os.read(reader, len(line)) == line
        reached.append(delivery.reached())
    assert reached == [at(1), at(1), at(2), at(4)]


def test_rows_that_a_reader_left_in_the_pipe_do_not_count() -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb", buffering=0) as stdout:
        delivery = Delivery(stdout)
        for change in (1, 2, 3):
            delivery.add(at(change), {})
        os.read(reader, 4)
        os.close(reader)
        with pytest.raises(BrokenPipeError):
            delivery.add(at(4), {})
        assert delivery.reached() == at(1)


def test_a_row_in_a_file_counts_when_it_is_written(tmp_path: Path) -> None:
    with (tmp_path / "rows").open("wb") as file:
        delivery = Delivery(file)
        delivery.add(at(1), {"name": "a"})
        assert delivery.reached() == at(1)
    assert (tmp_path / "rows").read_text() == '{"name": "a"}\n'
