"""Places wait until they stand still; time is an argument."""

from daemon.drags.settling import Due, Settling
from daemon.drags.strangers import Strangers


def test_a_place_waits_until_nothing_has_changed_there_for_a_while() -> None:
    settling = Settling(settle_s=2, lost_s=8)
    settling.touch([b"a", b"b"], now=0)
    settling.touch([b"a"], now=1)
    assert settling.due(1.9, 10).places == []
    assert settling.due(2, 10).places == [b"b"]
    assert settling.next_at == 3
    assert settling.due(3, 10).places == [b"a"]
    assert settling.next_at is None


def test_a_photo_that_is_gone_is_looked_for_before_it_counts_as_removed() -> None:
    settling = Settling(settle_s=2, lost_s=8)
    settling.wait_for([b"a"], now=0)
    settling.wait_for([b"a"], now=5)
    settling.touch([b"b"], now=6)
    assert settling.due(7.9, 10) == Due([], frozenset())
    assert settling.due(8, 10) == Due([b"b", b"a"], frozenset([b"a"]))


def test_at_most_so_many_places_are_due_at_once() -> None:
    settling = Settling(settle_s=0, lost_s=0)
    settling.touch([b"%d" % number for number in range(5)], now=0)
    assert settling.due(1, 3).places == [b"0", b"1", b"2"]
    assert settling.due(1, 3).places == [b"3", b"4"]


def test_too_many_places_are_told() -> None:
    settling = Settling(settle_s=1, lost_s=1, most=2)
    settling.touch([b"a", b"b", b"a"], now=0)
    assert not settling.overflowed
    settling.touch([b"c"], now=0)
    assert settling.overflowed
    assert settling.due(1, 10).places == [b"b", b"a"]


def test_strangers_are_found_by_their_sizes() -> None:
    strangers = Strangers(most=2)
    strangers.add(b"a", 1)
    strangers.add(b"b", 1)
    strangers.add(b"a", 2)
    assert (strangers.of_size([1]), strangers.of_size({2, 3})) == ([b"b"], [b"a"])
    strangers.add(b"c", 1)
    assert (strangers.of_size([1]), len(strangers), b"b" in strangers) == ([b"c"], 2, False)
    strangers.discard(b"c")
    strangers.discard(b"c")
    assert strangers.of_size([1]) == []
