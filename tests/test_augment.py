"""Heads are turned by known angles, both photos of a pair alike, and not at all by none."""

import cv2
import numpy as np
import pytest
from faces import draw_face
from tiny import face_mesh

from g2gan.alignment import WORKING, crop, transform
from g2gan.mesh import FACE_OVAL
from train.augment import PITCH, YAW, Turn, draw_backdrop, draw_turn
from train.data import turned_crop

NOSE_TIP, BESIDE_EAR = 1, 227  # the latter just inside the face oval
BLUE = (0, 0, 255)


def test_no_turn_changes_no_bit_of_mesh_and_picture():
    mesh, picture = face_mesh(), draw_face(512)
    turned = Turn(0, 0)(mesh, mesh.mean(0))
    np.testing.assert_array_equal(turned, mesh)
    matrix = WORKING.matrix(turned)
    points = transform(matrix, mesh)
    np.testing.assert_array_equal(
        turned_crop(picture, matrix, points, transform(matrix, turned)),
        crop(picture, matrix, WORKING.side),
    )


def test_nose_and_ear_move_as_projected():
    """A nose before the axis and an ear behind it part ways; each keeps its height."""
    points = np.array([[0.0, 10.0, -30.0], [70.0, 0.0, 40.0]])
    nose, ear = Turn(10, 0)(points, np.zeros(3))
    sin, cos = np.sin(np.radians(10)), np.cos(np.radians(10))
    np.testing.assert_allclose(nose, [30 * sin, 10, -30 * cos])
    np.testing.assert_allclose(ear, [70 * cos - 40 * sin, 0, 40 * cos + 70 * sin])
    down = Turn(0, 6)(points, np.zeros(3))[0]
    assert down[0] == 0
    assert down[1] == pytest.approx(
        10 * np.cos(np.radians(6)) + 30 * np.sin(np.radians(6))
    )  # nods: the nose goes down


def test_a_turned_head_keeps_its_size():
    mesh = face_mesh()
    turned = Turn(9, -5)(mesh, mesh.mean(0))
    apart = (np.linalg.norm(m[:100, None] - m[None, 100:200], axis=-1) for m in (mesh, turned))
    np.testing.assert_allclose(*apart)


@pytest.mark.parametrize("turn", [Turn(YAW, 0), Turn(-YAW, 0), Turn(0, PITCH), Turn(YAW, -PITCH)])
@pytest.mark.parametrize("point", [NOSE_TIP, BESIDE_EAR])
def test_the_picture_follows_its_mesh(turn, point):
    """A dot painted on the face is found where the turned point is."""
    mesh, picture = face_mesh(), draw_face(512)
    centre = np.rint(mesh[point, :2] * 16).astype(int)
    cv2.circle(picture, centre.tolist(), 5 * 16, BLUE, -1, cv2.LINE_AA, 4)
    turned = turn(mesh, mesh.mean(0))
    matrix = WORKING.matrix(turned)
    before, after = transform(matrix, mesh), transform(matrix, turned)
    seen = turned_crop(picture, matrix, before, after).astype(float)
    blue = np.clip(seen[..., 2] - seen[..., :2].max(2), 0, None)
    rows, columns = np.mgrid[: WORKING.side, : WORKING.side]
    near = np.hypot(columns - after[point, 0], rows - after[point, 1]) < 12
    found = [(blue * near * each).sum() / (blue * near).sum() for each in (columns, rows)]
    moved = np.hypot(*(after - before)[point, :2])
    assert moved > 3
    # a dot of some width is foreshortened unevenly where the face turns away
    assert np.hypot(*(found - after[point, :2])) < 0.1 + 0.2 * moved


def test_another_backdrop_is_the_same_for_both_photos_and_spares_the_face(monkeypatch):
    monkeypatch.setattr("train.augment.BACKED", 1.0)
    mesh = face_mesh()
    matrix = WORKING.matrix(mesh)
    points = transform(matrix, mesh)
    neutral, smiling = (
        crop(draw_face(512, smile=smile), matrix, WORKING.side) for smile in (0.0, 0.7)
    )
    backed = draw_backdrop(np.random.default_rng(0))
    first, second = backed(neutral, points), backed(smiling, points)
    face = np.zeros(first.shape[:2], np.uint8)
    cv2.fillPoly(face, [np.rint(points[list(FACE_OVAL), :2]).astype(np.int32)], 1)
    inside = cv2.erode(face, np.ones((13, 13))) > 0  # the border of the backdrop is soft
    np.testing.assert_array_equal(first[inside], neutral[inside])
    replaced = (first != neutral).any(2) & (second != smiling).any(2)
    assert replaced.mean() > 0.2
    still = replaced & (cv2.dilate(face, np.ones((25, 25))) == 0)
    assert np.abs(first[still].astype(int) - second[still]).mean() < 1
    monkeypatch.setattr("train.augment.BACKED", 0.0)
    none = draw_backdrop(np.random.default_rng(0))
    assert none(neutral, points) is neutral


def test_turns_are_small_and_rare():
    rng = np.random.default_rng(0)
    turns = [draw_turn(rng) for _ in range(2000)]
    assert max(abs(turn.yaw) for turn in turns) == pytest.approx(YAW, rel=0.02)
    assert max(abs(turn.pitch) for turn in turns) == pytest.approx(PITCH, rel=0.02)
    assert np.mean([turn == Turn(0, 0) for turn in turns]) == pytest.approx(0.75, abs=0.03)
