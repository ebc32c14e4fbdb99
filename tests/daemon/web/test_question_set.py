from itertools import count

from daemon.queries.audit import AuditQuestion, is_reserved
from daemon.queries.teaching import Disagreement, DoubtfulLabel, UncertainPhoto
from daemon.web.question_set import AUDIT, DISAGREEMENTS, SIZE, Question, compose, one_per_burst

_ids = count(1)


def digest(digit: str, number: int) -> str:
    return f"{digit}{number:063x}"


def uncertain(amount: int, taken_at: str | None = None, classified_at: str = "") -> list[UncertainPhoto]:
    return [
        UncertainPhoto(number := next(_ids), digest("5", number), 0.5, taken_at, "A", classified_at)
        for _ in range(amount)
    ]


def audit(amount: int) -> list[AuditQuestion]:
    return [AuditQuestion(number := next(_ids), digest("1", number)) for _ in range(amount)]


def disputed(amount: int) -> list[Disagreement]:
    return [Disagreement(number := next(_ids), digest("7", number)) for _ in range(amount)]


def doubtful(amount: int) -> list[DoubtfulLabel]:
    return [DoubtfulLabel(number := next(_ids), digest("8", number), "food", 100 + number) for _ in range(amount)]


def kinds(questions: list[Question]) -> dict[str, int]:
    digits = [question.sha256[0] for question in questions]
    return {digit: digits.count(digit) for digit in sorted(set(digits))}


def test_a_set_has_ten_uncertain_five_disputed_and_five_audited_photos() -> None:
    assert kinds(compose([], disputed(30), audit(30), uncertain(30))) == {"1": 5, "5": 10, "7": 5}
    assert (AUDIT, DISAGREEMENTS, SIZE) == (5, 5, 20)


def test_uncertain_photos_fill_a_set_and_without_them_it_is_shorter() -> None:
    assert kinds(compose([], [], audit(30), uncertain(30))) == {"1": 5, "5": 15}
    assert kinds(compose([], disputed(2), audit(1), uncertain(3))) == {"1": 1, "5": 3, "7": 2}
    assert compose([], [], [], []) == []


def test_labels_in_doubt_come_first_and_with_the_earlier_label() -> None:
    labels = doubtful(30)
    questions = compose(labels, disputed(30), audit(30), uncertain(30))
    assert kinds(questions) == {"1": 5, "7": 5, "8": 10}
    assert questions[:10] == [Question(label.id, label.sha256, "food", label.review_id) for label in labels[:10]]
    assert all(question.earlier is None for question in questions[10:])


def test_the_most_informative_photos_are_taken() -> None:
    photos = uncertain(30)
    assert {question.id for question in compose([], [], [], photos)} == {photo.id for photo in photos[:20]}


def test_no_photo_is_in_a_set_twice_and_a_skipped_one_not_at_all() -> None:
    photos = disputed(3)
    same = [UncertainPhoto(99, photos[0].sha256, 0.5, None, None, None)]
    asked = compose([], photos, [], same, skipped={photos[1].id})
    assert {question.id for question in asked} == {photos[0].id, photos[2].id}


def test_the_order_of_a_set_mixes_its_kinds_and_is_always_the_same() -> None:
    photos = disputed(5), audit(5), uncertain(10)
    questions = compose([], *photos)
    assert compose([], *photos) == questions
    reserved = [is_reserved(question.sha256) for question in questions]
    assert reserved not in (sorted(reserved), sorted(reserved, reverse=True))


def test_the_order_tells_nothing_of_where_a_photo_stood() -> None:
    photos = audit(5)
    assert compose([], [], photos, []) == compose([], [], photos[::-1], [])


def test_of_a_burst_the_most_uncertain_photo_is_kept() -> None:
    burst, other = uncertain(3, "2026-11-24T18:30:00"), uncertain(1, "2026-11-24T18:31:00")
    assert one_per_burst([*burst, *other], 4) == [burst[0], other[0]]


def test_photos_without_a_cameras_time_fill_a_short_list_up() -> None:
    first, second = uncertain(3, classified_at="2026-11-24T18:30"), uncertain(1, classified_at="2026-11-24T18:31")
    assert one_per_burst([*first, *second], 2) == [first[0], second[0]]
    assert one_per_burst([*first, *second], 3) == [first[0], second[0], first[1]]


def test_of_exact_copies_one_is_kept() -> None:
    (photo,) = uncertain(1, classified_at="2026-11-24T18:30")
    copy = photo._replace(id=99, classified_at="2026-11-24T18:40")
    assert one_per_burst([photo, copy], 5) == [photo]
