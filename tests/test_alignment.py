"""Frames: where the eyes land, and what a crop shows."""

import cv2
import numpy as np
import pytest
from tiny import face_mesh

from g2gan.alignment import (
    EVALUATION,
    WORKING,
    Frame,
    crop,
    eye_centres,
    invert,
    scale_of,
    transform,
)


def similarity(scale: float, degrees: float, x: float = 0.0, y: float = 0.0) -> np.ndarray:
    angle = np.radians(degrees)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cos, -sin, x], [sin, cos, y]])


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def waves(side: int, per_pixel: float) -> np.ndarray:
    """A smooth picture of 200 units a side, sampled at `per_pixel` units a pixel."""
    at = (np.arange(side) + 0.5) * per_pixel
    x, y = at[None, :], at[:, None]
    tones = [np.sin(x / 9) + np.cos(y / 7), np.sin((x + y) / 11), np.cos((x - 2 * y) / 15)]
    return np.rint(127 + 60 * np.stack([t + 0 * x + 0 * y for t in tones], -1)).astype(np.uint8)


@pytest.mark.parametrize("frame", [WORKING, EVALUATION, Frame(144, 0.4, 0.4)])
@pytest.mark.parametrize("scale", [0.05, 1.0, 7.3])
@pytest.mark.parametrize("degrees", [0, 33, 90, -170])
def test_both_eyes_land_where_the_frame_says(frame, scale, degrees):
    mesh = transform(similarity(scale, degrees, 310, -42), face_mesh())
    right, left = eye_centres(transform(frame.matrix(mesh), mesh))
    half, line = frame.eye_distance * frame.side / 2, frame.eye_line * frame.side
    np.testing.assert_allclose(right, [frame.side / 2 - half, line], atol=1e-8)
    np.testing.assert_allclose(left, [frame.side / 2 + half, line], atol=1e-8)


def test_a_frame_shows_the_same_face_whatever_its_place_in_the_photo():
    moved = transform(similarity(3, 50, 900, -400), face_mesh())
    np.testing.assert_allclose(
        transform(WORKING.matrix(moved), moved),
        transform(WORKING.matrix(face_mesh()), face_mesh()),
        atol=1e-8,
    )


def test_a_frame_s_matrix_turns_and_scales_but_never_mirrors_or_shears():
    linear = WORKING.matrix(transform(similarity(2, 70), face_mesh()))[:, :2]
    np.testing.assert_allclose(linear @ linear.T, np.eye(2) * scale_of(linear) ** 2, atol=1e-12)
    assert np.linalg.det(linear) > 0


def test_a_frame_does_not_depend_on_depth_or_on_other_points_than_the_eye_corners():
    mesh = face_mesh().copy()
    others = np.setdiff1d(np.arange(478), [33, 133, 362, 263])
    mesh[others] += 50
    mesh[:, 2] = 7
    np.testing.assert_array_equal(WORKING.matrix(mesh), WORKING.matrix(face_mesh()))


def test_an_inverted_matrix_undoes():
    matrix, mesh = similarity(0.37, 112, -50, 8), face_mesh()
    np.testing.assert_allclose(transform(invert(matrix), transform(matrix, mesh)), mesh, atol=1e-9)


def test_depth_is_scaled_with_the_face():
    moved = transform(similarity(2.5, 20, 3, 4), face_mesh())
    np.testing.assert_allclose(moved[:, 2], 2.5 * face_mesh()[:, 2])
    assert transform(similarity(2.5, 20), face_mesh()[:, :2]).shape == (478, 2)


def test_a_crop_by_whole_pixels_is_the_photo_s_slice():
    photo = noise(90, 120)
    shifted = np.array([[1.0, 0, -23], [0, 1.0, -17]])
    np.testing.assert_array_equal(crop(photo, shifted, 64), photo[17:81, 23:87])


def test_a_quarter_turn_s_crop_is_the_photo_turned():
    photo = noise(64, 64)
    turn = similarity(1, 90, 63, 0)  # what was right comes down
    np.testing.assert_array_equal(crop(photo, turn, 64), np.rot90(photo, -1))


@pytest.mark.parametrize("times", [0.5, 3, 7])
def test_a_large_photo_is_cropped_like_a_small_copy_of_it(times):
    small = waves(200, 1.0)
    large = waves(round(200 * times), 1 / times)
    matrix = similarity(1.0, 12, -20, -30)
    resized = np.array([[times, 0, times / 2 - 0.5], [0, times, times / 2 - 0.5], [0, 0, 1]])
    matrix_large = matrix @ np.linalg.inv(resized)
    one, other = crop(small, matrix, 128), crop(large, matrix_large, 128)
    inside = (slice(40, 100), slice(40, 100))  # away from the photo's edges
    assert np.abs(one[inside].astype(int) - other[inside]).max() <= 4


def test_a_large_photo_is_blurred_before_it_shrinks():
    """A chessboard of single pixels is grey from afar, not a moiré."""
    board = np.indices((600, 600)).sum(0) % 2 * 255
    photo = np.repeat(board[..., None], 3, 2).astype(np.uint8)
    far = crop(photo, similarity(0.31, 5, 10, -10), 128).astype(int)
    assert np.abs(far[20:100, 40:110] - 127).max() <= 12


@pytest.mark.parametrize("scale", [1.0, 0.2])  # with and without shrinking
def test_a_crop_beyond_the_border_repeats_the_edge(scale):
    rows = np.linspace(20, 230, round(100 / scale))[:, None, None]
    photo = np.broadcast_to(np.rint(rows), (len(rows), len(rows), 3)).astype(np.uint8)
    beyond = crop(photo, np.array([[scale, 0, 40], [0, scale, 40]]), 200).astype(int)
    assert np.abs(beyond[:36] - 20).max() <= 1
    assert np.abs(beyond[144:] - 230).max() <= 1
    assert np.abs(beyond[:, :40] - beyond[:, 70:71]).max() <= 1
    assert np.abs(beyond[:, 140:] - beyond[:, 70:71]).max() <= 1


@pytest.mark.parametrize("scale", [1.0, 0.2])
@pytest.mark.parametrize("shift", [-5000, 5000])
def test_a_crop_entirely_beyond_the_border_is_the_nearest_edge(scale, shift):
    photo = np.zeros((80, 60, 3), np.uint8)
    photo[:, :30] = 200
    beyond = crop(photo, np.array([[scale, 0, shift], [0, scale, 0]]), 32)
    assert (beyond == (0 if shift < 0 else 200)).all()


@pytest.mark.parametrize(
    "scale",
    [
        0.9,
        1.7,
        3.0,
        6.0,
    ],
)
@pytest.mark.parametrize("degrees", [0, 24])
def test_a_crop_needs_no_more_of_the_photo_than_it_sees(scale, degrees):
    """Up to the crop's own border it is what the whole photo gives."""
    photo = noise(400, 400)
    matrix = similarity(scale, degrees)
    matrix[:, 2] = 24 - matrix[:, :2] @ [200.3, 190.7]
    whole = cv2.warpAffine(photo, matrix, (48, 48), flags=cv2.INTER_CUBIC)
    assert np.abs(crop(photo, matrix, 48).astype(int) - whole).max() <= 12  # 1/32 px of noise


@pytest.mark.parametrize("channels", [1, 3])
def test_a_crop_keeps_the_photo_s_type_and_leaves_the_photo_alone(channels):
    photo = noise(300, 300)[..., :channels].astype(np.float32)
    before = photo.copy()
    for scale in (0.3, 1.0):
        assert crop(photo, similarity(scale, 10), 50).dtype == np.float32
    np.testing.assert_array_equal(photo, before)


@pytest.mark.parametrize("scale", [0.3, 1.0])
def test_a_panorama_wider_than_opencv_s_limit_is_cropped(scale):
    photo = np.zeros((40, 33_000, 3), np.uint8)
    photo[:, 32_800:] = 99
    assert (crop(photo, np.array([[scale, 0, -32_850 * scale], [0, scale, 0]]), 10) == 99).all()
