"""Eyeballs: an iris stays round behind lids that move, goes where it is asked, and is drawn anew
where it was closed; what does not move stays bit for bit."""

import cv2
import numpy as np
import pytest
from tiny import face_mesh

from g2gan.eyes import EYES, filled, iris_circle, put_eyes
from g2gan.mesh import LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS

SKIN, WHITE, IRIS = (200, 150, 130), (235, 232, 228), (70, 90, 120)
OPEN = 0.36  # height of the drawn eyes, of their width
IRISES = [*range(RIGHT_IRIS, RIGHT_IRIS + 5), *range(LEFT_IRIS, LEFT_IRIS + 5)]


def with_eyes(opening: float, gaze: tuple[float, float] = (0, 0)) -> np.ndarray:
    """The drawn face with almond eyes, each iris half as wide as its eye is."""
    mesh = face_mesh().copy()
    for ring, iris in EYES:
        a, b = mesh[ring[0], :2].copy(), mesh[ring[8], :2].copy()
        width, t = np.hypot(*(b - a)), np.linspace(0, 1, 9)
        bow = opening / 2 * width * np.sin(np.pi * t)
        along = a + t[:, None] * (b - a)
        mesh[list(ring[:9]), :2] = along + np.outer(bow, [0, 1])
        mesh[list(ring[9:]), :2] = (along - np.outer(bow, [0, 1]))[7:0:-1]
        centre = (a + b) / 2 + np.multiply(gaze, width)
        rim = 0.22 * width * np.array([[0, 0], [1, 0], [0, -1], [-1, 0], [0, 1]])
        mesh[iris : iris + 5, :2] = centre + rim
    return mesh


def drawn(mesh: np.ndarray) -> np.ndarray:
    """A photo of these eyes."""
    side = int(mesh[:, :2].max()) + 40
    photo = np.full((side, side, 3), SKIN, np.uint8)
    for ring, iris in EYES:
        eye = np.full_like(photo, WHITE)
        centre = np.rint(mesh[iris, :2] * 16).astype(int)
        radius = np.linalg.norm(mesh[iris + 1, :2] - mesh[iris, :2])
        cv2.circle(eye, tuple(map(int, centre)), int(16 * radius), IRIS, -1, cv2.LINE_AA, 4)
        hole = np.zeros((side, side), np.uint8)
        cv2.fillPoly(hole, [np.rint(mesh[list(ring), :2] * 16).astype(np.int32)], 1, shift=4)
        photo[hole > 0] = eye[hole > 0]
    return photo


def opened(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Eyeballs of a photo of `source` between the lids of `target`, on bare skin."""
    out = np.full_like(drawn(source), SKIN)
    put_eyes(out, drawn(source), source, target)
    return out


def iris_box(picture: np.ndarray, mesh: np.ndarray, iris: int) -> tuple[float, float, float, float]:
    """Middle, width and height of what is nearer the iris' colour than white or skin."""
    x, y = np.rint(mesh[iris, :2]).astype(int)
    reach = int(np.hypot(*(mesh[263] - mesh[362])[:2]) * 0.7)
    part = picture[y - reach : y + reach, x - reach : x + reach].astype(float)
    away = [np.abs(part - colour).sum(2) for colour in (IRIS, WHITE, SKIN)]
    rows, columns = np.nonzero(np.argmin(away, 0) == 0)
    return (
        (columns.min() + columns.max()) / 2 - reach + x,
        (rows.min() + rows.max()) / 2 - reach + y,
        float(np.ptp(columns)) + 1,
        float(np.ptp(rows)) + 1,
    )


def test_eyes_that_do_not_move_stay_bit_for_bit():
    mesh = with_eyes(OPEN)
    photo = drawn(mesh)
    out = photo.copy()
    assert put_eyes(out, photo, mesh, mesh) == []
    np.testing.assert_array_equal(out, photo)


@pytest.mark.parametrize("iris", [RIGHT_IRIS, LEFT_IRIS])
def test_an_iris_that_lids_hid_is_round_when_they_open(iris):
    source, target = with_eyes(0.3), with_eyes(0.7)
    radius = np.linalg.norm(source[iris + 1, :2] - source[iris, :2])
    _, _, width, height = iris_box(opened(source, target), target, iris)
    assert height == pytest.approx(2 * radius, rel=0.2)
    assert height == pytest.approx(width, rel=0.15)


@pytest.mark.parametrize("shift", [(0, 0.2), (0.1, -0.2), (-0.1, 0.1)])
def test_an_iris_that_was_read_beside_its_place_is_found(shift):
    mesh = with_eyes(0.28)
    radius = np.linalg.norm(mesh[RIGHT_IRIS + 1, :2] - mesh[RIGHT_IRIS, :2])
    grey = drawn(mesh).mean(2).astype(np.float32)
    seen = filled(mesh[list(RIGHT_EYE), :2], grey.shape) > 0.9
    read = mesh[RIGHT_IRIS, :2] + radius * np.array(shift)
    centre, found = iris_circle(grey, seen, read, 1.15 * radius)
    np.testing.assert_allclose(centre, mesh[RIGHT_IRIS, :2], atol=0.1 * radius)
    assert found == pytest.approx(radius, rel=0.06)


def test_where_no_iris_stands_out_the_reading_stays():
    grey, seen = np.full((60, 90), 120, np.float32), np.ones((60, 90), bool)
    centre, radius = iris_circle(grey, seen, np.array([40.0, 30.0]), 12.0)
    assert (*centre, radius) == (40.0, 30.0, 12.0)


def test_the_iris_goes_where_it_is_asked_and_keeps_its_size():
    source, target = with_eyes(OPEN), with_eyes(OPEN, gaze=(0.15, 0))
    before = iris_box(drawn(source), source, LEFT_IRIS)
    after = iris_box(opened(source, target), target, LEFT_IRIS)
    asked = (target - source)[LEFT_IRIS, 0]
    assert after[0] - before[0] == pytest.approx(asked, abs=1.5)
    assert after[2] == pytest.approx(before[2], abs=3)


def test_lids_that_close_leave_a_dark_line_and_no_white():
    source, target = with_eyes(OPEN), with_eyes(0.02)
    out = opened(source, target)
    x, y = np.rint(target[LEFT_IRIS, :2]).astype(int)
    column = out[y - 20 : y + 20, x].astype(int).sum(1)
    assert column.min() < 0.75 * sum(SKIN)
    assert column.max() <= sum(SKIN) + 3


def test_an_eye_that_was_closed_gets_a_white_and_a_dark_pupil():
    source, target = with_eyes(0.02), with_eyes(OPEN)
    out = opened(source, target)
    x, y = np.rint(target[RIGHT_IRIS, :2]).astype(int)
    width = np.hypot(*(target[33] - target[133])[:2])
    white = out[y, round(x - 0.32 * width)].astype(int)
    assert out[y, x].sum() < 0.4 * white.sum()
    assert np.ptp(white) < np.ptp(SKIN)  # paler than skin


def test_only_the_opening_changes_and_the_answer_says_where():
    source, target = with_eyes(OPEN), with_eyes(0.6)
    photo = drawn(source)
    out = photo.copy()
    changed = np.zeros(photo.shape[:2], bool)
    for part, share in put_eyes(out, photo, source, target):
        changed[part] |= share > 0
    assert (out != photo).any()
    assert not (out != photo).any(2)[~changed].any()
    x, y = np.rint(target[[RIGHT_EYE[4], LEFT_EYE[4]], :2].mean(0)).astype(int)
    assert not changed[y, x]  # between the eyes
