"""What is done to test pairs so that they look like photographs from outside a studio."""

import numpy as np
import pytest
from faces import draw_face

from train.elsewhere import ALTERATIONS, SMALL, busy, relit, small, tilted


def studio() -> np.ndarray:
    return draw_face(300)


@pytest.mark.parametrize("name", ALTERATIONS)
def test_every_alteration_makes_another_photo_and_the_same_one_twice(name):
    photo = studio()
    altered = ALTERATIONS[name](photo)
    assert altered.dtype == np.uint8
    assert altered.shape != photo.shape or (altered != photo).mean() > 0.05
    np.testing.assert_array_equal(altered, ALTERATIONS[name](photo))
    np.testing.assert_array_equal(photo, studio())


def test_light_from_one_side_is_twice_as_strong_there():
    grey = relit(np.full((4, 400, 3), 100, np.uint8))[0, :, 1].astype(float)
    assert grey[0] / grey[-1] == pytest.approx(2, abs=0.03)
    assert (np.diff(grey) <= 0).all()


def test_a_small_photo_keeps_its_proportions():
    assert small(np.zeros((2 * SMALL, SMALL, 3), np.uint8)).shape == (SMALL, SMALL // 2, 3)


def test_a_tilted_photo_turns_about_its_middle():
    photo = np.zeros((101, 101, 3), np.uint8)
    photo[48:53, 48:53] = 255
    photo[50, 10:91] = 255
    turned = tilted(photo)[..., 0]
    assert turned[50, 50] == 255
    angle = np.radians(20)  # counter-clockwise as one sees it
    assert turned[round(50 - 35 * np.sin(angle)), round(50 + 35 * np.cos(angle))] > 100
    assert turned[50, 85] < 50


def test_a_busy_background_leaves_the_face_alone():
    photo = studio()
    altered = busy(photo)
    middle = slice(110, 190)
    np.testing.assert_array_equal(altered[middle, middle], photo[middle, middle])
    assert altered[:20].std() > photo[:20].std() + 20
