import numpy as np

from models import heat

GREY = np.full((8, 8, 3), 128, np.uint8)


def test_evidence_for_food_is_warm_and_evidence_against_it_cool() -> None:
    seen = heat.overlay(GREY, np.array([[1.0, -1.0]], np.float32), 1.0).astype(int)
    assert seen.shape == GREY.shape
    left, right = seen[4, 0], seen[4, 7]
    assert left[0] > 128 + 40 > left[2] + 60  # red up, blue down
    assert right[2] > 128 + 40 > right[0] + 60


def test_places_without_evidence_are_grey() -> None:
    assert np.array_equal(heat.overlay(GREY, np.zeros((2, 2), np.float32), 1.0), GREY)
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 200
    assert (heat.overlay(red, np.zeros((2, 2), np.float32), 1.0) == round(0.299 * 200)).all()


def test_the_tint_grows_up_to_the_scale() -> None:
    def red(value: float, strongest: float) -> int:
        return int(heat.overlay(GREY, np.full((2, 2), value, np.float32), strongest)[0, 0, 0])

    assert 128 < red(0.5, 2.0) < red(1.0, 2.0) < red(2.0, 2.0) == red(9.0, 2.0)


def test_a_photo_of_any_shape_is_covered() -> None:
    seen = heat.overlay(np.full((4, 12, 3), 128, np.uint8), np.array([[1.0], [-1.0]], np.float32), 1.0)
    assert seen.shape == (4, 12, 3)
    assert (seen[0, :, 0] > 128 + 40).all()
    assert (seen[3, :, 2] > 128 + 40).all()


def test_the_tint_is_interpolated_between_places() -> None:
    red = heat.overlay(GREY, np.array([[1.0, 0.0]], np.float32), 1.0)[0, :, 0].astype(int)
    assert (np.diff(red) <= 0).all()
    assert len(set(red)) > 3


def test_the_scale_ignores_a_single_strong_place() -> None:
    places = np.full((2, 10, 10), 0.1, np.float32)
    places[0, :5] = -2.0
    places[1, 0, 0] = 50.0
    assert heat.scale(places) == 2.0


def test_an_empty_map_has_a_scale() -> None:
    assert heat.scale(np.zeros((1, 2, 2), np.float32)) > 0
