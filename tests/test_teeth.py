"""Teeth: a white strip between open lips gets lines where teeth meet, and nothing else changes."""

import cv2
import numpy as np
import pytest
from tiny import eye_distance, face_mesh, smile, with_wider_temples

from g2gan.alignment import WORKING, transform
from g2gan.flow import WIDE, Edit, apply
from g2gan.mesh import INNER_LIPS, MIRROR
from g2gan.teeth import ASIDE, ASTRAY, CONTACTS, KINDS, PICTURES, TILE, WIDER, carve
from g2gan.teeth import tiles as pictures_of_teeth

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


def carved(strip: np.ndarray, mesh: np.ndarray, matrix: np.ndarray = AS_IT_IS) -> np.ndarray:
    """What becomes of a strip that is nothing but paint."""
    return carve(strip, strip, np.ones(strip.shape[:2], np.float32), mesh, matrix)


def inner(mesh: np.ndarray, by: int = 5) -> np.ndarray:
    return cv2.erode(between_lips(mesh).astype(np.uint8), np.ones((by, by))) > 0


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
    np.testing.assert_array_equal(carved(strip, shut), strip)


def test_a_picture_that_ends_above_the_mouth_is_left_as_it_is():
    above = painted(WHITE)[: int(laughing()[list(INNER_LIPS), 1].min()) - 20]
    np.testing.assert_array_equal(carved(above, laughing()), above)


@pytest.mark.parametrize("colour", [LIP, (150.0, 70.0, 60.0), (30.0, 25.0, 25.0)])
def test_lips_gums_and_darkness_are_left_as_they_are(colour):
    strip = painted(colour)
    np.testing.assert_array_equal(carved(strip, laughing()), strip)


def test_what_is_not_painted_is_left_as_it_is():
    strip = painted(WHITE)
    share = np.zeros(strip.shape[:2], np.float32)
    np.testing.assert_array_equal(carve(strip, strip, share, laughing(), AS_IT_IS), strip)


def test_only_what_lies_between_the_lips_changes():
    mesh, strip = laughing(), painted(WHITE)
    changed = (carved(strip, mesh) != strip).any(2)
    assert changed.sum() > 0.8 * between_lips(mesh).sum()
    near = cv2.dilate(between_lips(mesh).astype(np.uint8), np.ones((3, 3))) > 0
    assert not (changed & ~near).any()


def test_teeth_are_darker_where_they_meet_than_in_their_middles():
    mesh = laughing()
    made = carved(painted(WHITE), mesh)[..., 0]
    unit, (x, y) = eye_distance(mesh), mesh[13, :2]
    stray = int(np.ceil((ASTRAY + ASIDE + WIDER * CONTACTS[2]) * unit))
    row = made[round(y + 0.045 * unit)]
    places = np.concatenate([-CONTACTS[3:0:-1], CONTACTS[:4]])
    middles = [row[round(x + unit * place)] for place in (places[:-1] + places[1:]) / 2]
    for contact, before, after in zip(places[1:-1], middles[:-1], middles[1:], strict=True):
        # a dark line, strayed from its place by a little at most
        at = round(x + unit * contact)
        assert row[at - stray : at + stray + 1].min() < 0.98 * (before + after) / 2


def test_teeth_are_symmetric_but_for_what_is_a_person_s_own(monkeypatch):
    mesh = laughing()
    mirrored = mesh[MIRROR] * [-1, 1, 1] + [SIDE - 1, 0, 0]

    def apart() -> float:
        one, other = (carved(painted(WHITE), shape) for shape in (mesh, mirrored))
        return float(np.abs(other[:, ::-1] - one)[inner(mesh)].mean())

    assert apart() > 6
    monkeypatch.setattr("g2gan.teeth.own_numbers", lambda mesh, count, topic: np.zeros(count))
    assert apart() < 0.01


def test_a_photo_of_twice_the_size_gets_the_same_teeth():
    mesh, half = laughing(), np.array([[0.5, 0, -0.25], [0, 0.5, -0.25]])
    small, large = carved(painted(WHITE), mesh), carved(painted(WHITE, 2 * SIDE), mesh, half)
    shrunk = cv2.resize(large, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    part = inner(mesh)
    assert np.abs(shrunk - small)[part].mean() < 6
    assert abs(shrunk[part].mean() - small[part].mean()) < 2


def test_teeth_are_as_light_as_what_was_painted():
    mesh, white, share = laughing(), painted(WHITE), np.ones((SIDE, SIDE), np.float32)
    light, dim = (
        carve(painted((level,) * 3), white, share, mesh, AS_IT_IS)[inner(mesh)].mean()
        for level in (80.0, 60.0)
    )
    assert dim / light == pytest.approx(60 / 80, rel=0.01)


def test_streaks_of_lips_do_not_show_where_paint_is_thin():
    """In the middle of a smile lips are brightened until they are white, and little is painted."""
    mesh, white = laughing(), painted(WHITE)
    streaks = white * (1 - 0.2 * (np.arange(SIDE) % 8 < 4))[:, None].astype(np.float32)
    share = np.full((SIDE, SIDE), 0.3, np.float32)
    x = round(float(mesh[13, 0]))
    share[:, x - 15 : x + 15] = 0.1
    plain, streaked = (carve(lips, white, share, mesh, AS_IT_IS) for lips in (white, streaks))
    plain *= streaked[inner(mesh)].mean() / plain[inner(mesh)].mean()
    thin = inner(mesh, 9) & (share < 0.2)
    assert np.abs(streaked - plain)[thin].mean() < 0.2 * np.abs(streaks - white)[thin].mean()


def test_light_from_one_side_falls_on_teeth_too():
    mesh, strip = laughing(), painted(WHITE)
    strip *= np.linspace(0.6, 1.2, SIDE, dtype=np.float32)[:, None] ** 2
    made = carved(strip, mesh)[..., 1]
    columns = np.arange(SIDE)[None] < mesh[13, 0]
    assert made[inner(mesh) & ~columns].mean() > 1.1 * made[inner(mesh) & columns].mean()


def test_a_network_s_green_is_meant_as_white():
    """Over lips that shine through it, what is to look white is painted green."""
    mesh, lips = laughing(), painted(WHITE)
    green = painted((125.0, 220.0, 190.0))
    made = carve(lips, green, np.ones((SIDE, SIDE), np.float32), mesh, AS_IT_IS)
    np.testing.assert_allclose(made[inner(mesh, 9)], carved(lips, mesh)[inner(mesh, 9)], atol=1e-3)


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
    made = apply(photo, to_crop, edit)[0].astype(float)[inner(mesh, 9)]
    light = made[made.mean(1) > np.percentile(made.mean(1), 50)]
    red, green, blue = light.T
    assert np.median((red - blue) / red) < 0.15
    assert np.median((red - green) / red) < 0.1


def test_the_pictures_of_teeth_are_pale_and_lightest_in_their_middles():
    pictures = pictures_of_teeth()
    assert pictures.shape == (PICTURES, KINDS, *TILE, 3)
    rows = slice(TILE[0] // 3, -TILE[0] // 8)  # below gums and lips, above the edge
    light = pictures[..., rows, :, :].mean((2, 4))
    third = TILE[1] // 3
    middle, sides = light[..., third:-third].mean(2), light[..., [0, -1]].mean(2)
    assert (middle > sides).mean() > 0.9
    red, _, blue = np.moveaxis(pictures[..., rows, :, :].mean((2, 3)), -1, 0)
    assert ((red - blue) / red).max() < 0.2


def test_two_people_s_teeth_are_not_alike():
    mesh = laughing()
    other = with_wider_temples(mesh, 0.1)
    one, other = (carved(painted(WHITE), shape) for shape in (mesh, other))
    assert np.abs(other - one)[between_lips(mesh)].mean() > 3
