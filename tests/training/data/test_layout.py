import pytest

from training.data.layout import LeftOut, Reason, assign, lines, summary


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        # By name.
        ("1_12.jpg", 1),
        ("0_x.JPG", 0),
        ("1_two words.jpeg", 1),
        ("batch 3/0_12.png", 0),
        ("0-12.jpg", 0),
        ("1-soup.jpg", 1),
        ("0 12.jpg", 0),
        ("1_.jpg", Reason.NO_LABEL),
        ("1.jpg", Reason.NO_LABEL),
        ("01_1.jpg", Reason.NO_LABEL),
        ("2_1.jpg", Reason.NO_LABEL),
        ("1.12.jpg", Reason.NO_LABEL),
        ("112.jpg", Reason.NO_LABEL),
        ("1 (2).jpg", Reason.NO_LABEL),
        ("1-2-2024.jpg", Reason.NO_LABEL),
        ("1 12 2024.jpg", Reason.NO_LABEL),
        ("soup.jpg", Reason.NO_LABEL),
        ("drinks/1.jpg", Reason.NO_CLASS),
        # By folder.
        ("food/7.jpg", 1),
        ("non_food/7.jpg", 0),
        ("Non-Food/7.jpg", 0),
        ("nonfood/7.jpg", 0),
        ("not food/7.jpg", 0),
        ("no_food/7.jpg", 0),
        ("food/cakes/2024/7.jpg", 1),
        ("kitchen/food/7.jpg", 1),
        ("food/0_7.jpg", 1),
        ("seafood/7.jpg", Reason.NO_CLASS),
        ("food/non_food/7.jpg", Reason.TWO_CLASSES),
        # By ending.
        ("1_1.mpo", 1),
        ("1_1.HEIC", 1),
        ("1_1.jfif", 1),
        ("1_1.txt", Reason.NO_PICTURE),
        ("1_1.jpg.part", Reason.NO_PICTURE),
        ("food/7", Reason.NO_PICTURE),
        ("food/7.psd", Reason.NO_PICTURE),
        ("food/7.mp4", Reason.NO_PICTURE),
    ],
)
def test_a_path_gives_the_label_or_the_reason(path: str, expected: int | Reason) -> None:
    assert assign([tuple(path.split("/"))]) == [expected]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["0-1.jpg", "1-1.jpg"], [0, 1]),
        (["0-1.jpg", "1-1.jpg", "2-1.txt"], [0, 1, Reason.NO_PICTURE]),
        (["0-1.jpg", "1-1.jpg", "2-1.jpg"], [Reason.NO_LABEL] * 3),
        (["1 beach.jpg", "2 beach.jpg"], [Reason.NO_LABEL] * 2),
        (["1_1.jpg", "2-1.jpg", "1-1.jpg"], [1, Reason.NO_LABEL, Reason.NO_LABEL]),
    ],
)
def test_numbers_that_count_are_no_labels(names: list[str], expected: list[int | Reason]) -> None:
    assert assign([(name,) for name in names]) == expected


@pytest.mark.parametrize("name", ["1_1.jpg", "1-1.jpg", "0 1.jpg"])
def test_names_give_no_label_beside_folders_that_do(name: str) -> None:
    assert assign([("food", "a.jpg"), (name,)]) == [1, Reason.NAME_BESIDE_FOLDERS]


def test_what_is_left_out_is_counted_by_reason_with_examples() -> None:
    left_out = [LeftOut("a", Reason.HIDDEN), *(LeftOut(f"{number}\n", Reason.NO_LABEL) for number in range(5))]
    assert [(reason, len(paths)) for reason, paths in summary(left_out)] == [(Reason.NO_LABEL, 5), (Reason.HIDDEN, 1)]
    assert lines(left_out) == [
        r"left out, no label in the name: 5 files, such as 0\x0a, 1\x0a, 2\x0a",
        "left out, hidden: 1 file, such as a",
    ]
