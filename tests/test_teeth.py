"""Teeth: a white strip between open lips gets lines where teeth meet, and nothing else changes."""

import cv2
import numpy as np
import pytest
from tiny import eye_distance, face_mesh, smile

from g2gan.alignment import WORKING, transform
from g2gan.flow import WIDE, Edit, apply
from g2gan.mesh import INNER_LIPS, MIRROR
from g2gan.teeth import ASTRAY, CONTACTS, carve

SIDE = 512
AS_IT_IS = np.eye(2, 3)
WHITE, LIP = (205.0, 200.0, 190.0), (180.0, 80.0, 85.0)


def laughing() -> np.ndarray:
    """The drawn face with its inner lips opened wide, symmetric about their middle."""
    mesh = smile(face_mesh(), 1.0)
    ring = mesh[list(INNER_LIPS)]
    mesh[list(INNER_LIPS), 0] = (ring[:, 0] - ring[:, 0].mean()) * 1.2 + ring[:, 0].mean()
    return mesh


def painted(colour: tuple[float, ...], side: int = SIDE) -> np.ndarray:
    return np.broadcast_to(np.float32(colour), (side, side, 3)).copy()


def between_lips(mesh: np.ndarray) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(mask, [np.rint(mesh[list(INNER_LIPS), :2] * 16).astype(np.int32)], 1, shift=4)
    return mask > 0


def test_a_closed_mouth_s_paint_is_left_bit_for_bit():
    mesh, strip = face_mesh(), painted(WHITE)
    lower, upper = INNER_LIPS[1:10], INNER_LIPS[:10:-1]
    shut = mesh.copy()
    for below, above in zip(lower, upper, strict=True):
        shut[below] = shut[above]
    np.testing.assert_array_equal(carve(strip, shut, AS_IT_IS)[0], strip)


@pytest.mark.parametrize("colour", [LIP, (150.0, 70.0, 60.0), (30.0, 25.0, 25.0)])
def test_lips_gums_and_darkness_are_left_as_they_are(colour):
    strip = painted(colour)
    carved, teeth, _ = carve(strip, laughing(), AS_IT_IS)
    np.testing.assert_array_equal(carved, strip)
    assert not teeth.any()


def test_only_what_lies_between_the_lips_changes():
    mesh, strip = laughing(), painted(WHITE)
    carved, teeth, _ = carve(strip, mesh, AS_IT_IS)
    changed = (carved != strip).any(2)
    assert not (changed & (teeth == 0)).any()
    assert changed.sum() > 0.8 * between_lips(mesh).sum()
    near = cv2.dilate(between_lips(mesh).astype(np.uint8), np.ones((3, 3))) > 0
    assert not (changed & ~near).any()


def test_teeth_are_darker_where_they_meet_than_in_their_middles():
    mesh = laughing()
    carved = carve(painted(WHITE), mesh, AS_IT_IS)[0][..., 0]
    unit, (x, y) = eye_distance(mesh), mesh[13, :2]
    row = carved[round(y + 0.045 * unit)]
    for side in (-1, 1):
        for start, end in ((CONTACTS[0], CONTACTS[1]), (CONTACTS[1], CONTACTS[2])):
            middle = row[round(x + side * unit * (start + end) / 2)]
            for contact in (start, end):
                # a dark line, strayed from its place by a little at most
                at = round(x + side * unit * contact)
                stray = int(np.ceil(ASTRAY * unit))
                assert row[at - stray : at + stray + 1].min() < 0.85 * middle


def test_a_mirrored_face_s_teeth_are_its_mirror_image_but_for_what_strays():
    """Both sides of a mouth are alike, and nobody's are the same."""
    mesh = laughing()
    mirrored = mesh[MIRROR] * [-1, 1, 1] + [SIDE - 1, 0, 0]
    one, other = (carve(painted(WHITE), shape, AS_IT_IS)[0] for shape in (mesh, mirrored))
    inner = cv2.erode(between_lips(mesh).astype(np.uint8), np.ones((5, 5))) > 0
    apart = np.abs(other[:, ::-1] - one)[inner]
    assert 0.5 < apart.mean() < 0.2 * one[inner].mean()


def test_a_photo_of_twice_the_size_gets_the_same_teeth():
    mesh, half = laughing(), np.array([[0.5, 0, -0.25], [0, 0.5, -0.25]])
    small, *_ = carve(painted(WHITE), mesh, AS_IT_IS)
    large, *_ = carve(painted(WHITE, 2 * SIDE), mesh, half)
    shrunk = cv2.resize(large, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    inner = cv2.erode(between_lips(mesh).astype(np.uint8), np.ones((5, 5))) > 0
    assert np.abs(shrunk - small)[inner].mean() < 6
    assert abs(shrunk[inner].mean() - small[inner].mean()) < 2


def test_enamel_is_what_is_light_of_the_teeth():
    carved, teeth, enamel = carve(painted(WHITE), laughing(), AS_IT_IS)
    assert (enamel <= teeth).all()
    assert carved[enamel > 0.9].min() > 100
    gap = (teeth > 0.9) & (carved.max(2) < 60)
    assert gap.any()
    assert enamel[gap].mean() < 0.02


def test_a_network_s_green_is_meant_as_white():
    """Over lips that shine through it, what is to look white is painted green."""
    carved, teeth, enamel = carve(painted((125.0, 220.0, 190.0)), laughing(), AS_IT_IS)
    inner = cv2.erode(between_lips(laughing()).astype(np.uint8), np.ones((9, 9))) > 0
    assert teeth[inner].min() > 0.9
    assert enamel[inner].max() > 0.9
    assert np.ptp(carved[inner], axis=1).max() < 1e-3  # grey, as bright as it was carved


def test_lips_that_shine_through_do_not_redden_teeth():
    """What is half painted is half a lip: dark, but white all the same."""
    mesh, photo = laughing(), np.full((SIDE, SIDE, 3), (190, 90, 95), np.uint8)
    side = WORKING.side
    to_crop = np.array([[0.5, 0, -0.25], [0, 0.5, -0.25]])
    edit = Edit(
        flow=np.zeros((WIDE, WIDE, 2), np.float32),
        shading=np.zeros((side, side, 3), np.float32),
        mask=np.full((side, side), 0.5, np.float32),
        colour=painted(WHITE, side) / 255,
        target=transform(to_crop, mesh),
    )
    made = apply(photo, to_crop, edit)[0].astype(float)
    enamel = carve(painted(WHITE), mesh, AS_IT_IS).enamel > 0.99
    assert enamel.sum() > 100
    red, green, blue = made[enamel].T
    assert (red >= green).all()
    assert (green >= blue).all()
    assert ((red - blue) / red).max() < 0.15
