"""Teeth: a white strip between open lips gets lines where teeth meet, and nothing else changes."""

import cv2
import numpy as np
import pytest
from tiny import eye_distance, face_mesh, smile

from g2gan.alignment import WORKING, transform
from g2gan.flow import WIDE, Edit, apply
from g2gan.mesh import INNER_LIPS, MIRROR
from g2gan.teeth import ASIDE, ASTRAY, CONTACTS, WIDER, carve, own_numbers

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
    stray = int(np.ceil((ASTRAY + ASIDE + WIDER * CONTACTS[2]) * unit))
    row = carved[round(y + 0.045 * unit)]
    for side in (-1, 1):
        for start, end in ((CONTACTS[0], CONTACTS[1]), (CONTACTS[1], CONTACTS[2])):
            middle = row[round(x + side * unit * (start + end) / 2)]
            for contact in (start, end):
                # a dark line, strayed from its place by a little at most
                at = round(x + side * unit * contact)
                assert row[at - stray : at + stray + 1].min() < 0.85 * middle


def test_teeth_are_symmetric_but_for_what_is_a_person_s_own(monkeypatch):
    mesh = laughing()
    mirrored = mesh[MIRROR] * [-1, 1, 1] + [SIDE - 1, 0, 0]
    inner = cv2.erode(between_lips(mesh).astype(np.uint8), np.ones((5, 5))) > 0

    def apart() -> float:
        one, other = (carve(painted(WHITE), shape, AS_IT_IS).colour for shape in (mesh, mirrored))
        return float(np.abs(other[:, ::-1] - one)[inner].mean())

    assert apart() > 10
    monkeypatch.setattr("g2gan.teeth.own_numbers", lambda mesh: np.zeros(48))
    assert apart() < 3


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
    assert carved[enamel > 0.9].min() > 70
    gap = (teeth > 0.9) & (carved.max(2) < 60)
    assert gap.any()
    assert enamel[gap].mean() < 0.05


def test_a_network_s_green_is_meant_as_white():
    """Over lips that shine through it, what is to look white is painted green."""
    carved, teeth, enamel = carve(painted((125.0, 220.0, 190.0)), laughing(), AS_IT_IS)
    inner = cv2.erode(between_lips(laughing()).astype(np.uint8), np.ones((9, 9))) > 0
    assert teeth[inner].min() > 0.9
    assert enamel[inner].max() > 0.9
    assert np.ptp(carved[enamel == 1], axis=1).max() < 1e-3  # grey, as bright as it was carved


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


def with_wider_temples(mesh: np.ndarray, by: float) -> np.ndarray:
    wider = mesh.copy()
    wider[[127, 356], 0] += np.array([-by, by]) / 2 * (mesh[356, 0] - mesh[127, 0])
    return wider


def test_numbers_of_a_face_are_its_own_however_it_looks_and_wherever_it_is():
    mesh = face_mesh()
    own = own_numbers(mesh)
    assert own.shape == (48,)
    assert np.abs(own).max() <= 1
    turned = 1.7 * mesh @ cv2.Rodrigues(np.array([0.1, 0.2, 0.3]))[0] + 20
    for same in (turned, smile(mesh, 1.0)):
        np.testing.assert_allclose(own_numbers(same), own, atol=1e-3)
    other = own_numbers(with_wider_temples(mesh, 0.1))
    assert np.abs(other - own).mean() > 0.2
    near = own_numbers(with_wider_temples(mesh, 0.0005))  # another reading of the same photo
    assert np.abs(near - own).max() < 0.05


def test_two_people_s_teeth_are_not_alike():
    mesh = laughing()
    other = with_wider_temples(mesh, 0.1)
    one, other = (carve(painted(WHITE), shape, AS_IT_IS).colour for shape in (mesh, other))
    assert np.abs(other - one)[between_lips(mesh)].mean() > 3
