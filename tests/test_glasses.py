"""Drawn glasses: they sit before the eyes, nothing else changes, and movement is measured."""

import cv2
import numpy as np
import pytest
from faces import draw_face
from tiny import eye_distance, face_mesh, tiny_shape_model

from g2gan.mesh import LEFT_EYE, RIGHT_EYE
from train.glasses import FARTHEST, draw_glasses, rims_moved, wear


@pytest.fixture
def worn() -> tuple:
    """The drawn face, the same with dark glasses on, the head's pose, the glasses."""
    model, photo = tiny_shape_model(), draw_face(512)
    pose, glasses = model.pose(face_mesh()), draw_glasses(np.random.default_rng(1), model)
    glasses.colour[:] = 10
    return photo, wear(photo, pose, glasses), pose, glasses


def test_each_rim_goes_round_its_eye(worn):
    _, _, pose, glasses = worn
    for rim, eye in zip(glasses.inner, (RIGHT_EYE, LEFT_EYE), strict=True):
        outline = (pose.scale * rim @ pose.rotation + pose.offset)[:, :2].astype(np.float32)
        for point in face_mesh()[list(eye), :2]:
            assert cv2.pointPolygonTest(outline, point.tolist(), False) > 0


def test_the_chin_and_the_background_stay_bit_for_bit(worn):
    photo, picture, *_ = worn
    changed = np.flatnonzero((photo != picture).any((1, 2)))
    eyes = face_mesh()[list(RIGHT_EYE + LEFT_EYE), 1].mean()
    assert changed.size
    assert np.abs(changed - eyes).max() < 0.8 * eye_distance(face_mesh())


def test_the_same_seed_gives_the_same_glasses_and_another_one_others():
    first, again, other = (
        draw_glasses(np.random.default_rng(seed), tiny_shape_model()) for seed in (3, 3, 4)
    )
    assert np.array_equal(first.outer, again.outer)
    assert not np.array_equal(first.outer, other.outer)


def test_rims_that_stay_have_not_moved(worn):
    _, picture, pose, glasses = worn
    assert rims_moved(picture, picture, pose, glasses) == pytest.approx((0, 0), abs=1e-9)


@pytest.mark.parametrize("shift", [4, 10])
def test_a_shift_is_measured_across_the_rims(worn, shift):
    """Downwards: all of it at a rim's top and bottom, none at its sides."""
    _, picture, pose, glasses = worn
    lower = np.roll(picture, shift, axis=0)
    mean, most = rims_moved(picture, lower, pose, glasses)
    assert most == pytest.approx(shift, abs=0.3)
    assert 0.4 * shift < mean < shift < FARTHEST
