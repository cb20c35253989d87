"""Pictures of teeth: a drawn smile's edges and contacts are found where they were drawn."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from tiny import face_mesh, smile

from g2gan.alignment import invert, transform
from g2gan.mesh import INNER_LIPS
from g2gan.teeth import CONTACTS, KINDS, LOWER, PICTURES, TILE, UPPER, heights, lips_frame
from train.tooth_pictures import MARGIN, TOGETHER, composites, row_of, tooth

SIDE = 1024
SKIN, LIP, TOOTH, DARK = (200, 150, 130), (180, 90, 95), (210, 205, 190), (60, 40, 40)
LENGTH = 0.10  # eye distances of the drawn teeth


@pytest.fixture(scope="module")
def mesh() -> np.ndarray:
    """The drawn face with its inner lips opened wide, twice as large."""
    mesh = 2 * smile(face_mesh(), 1.0)
    ring = mesh[list(INNER_LIPS)]
    mesh[list(INNER_LIPS), :2] = (ring[:, :2] - ring[:, :2].mean(0)) * (1.4, 2.5) + ring[
        :, :2
    ].mean(0)
    return mesh


@pytest.fixture(scope="module")
def contacts() -> np.ndarray:
    """Of teeth a little wider than the mean's, that do not lie in the middle."""
    return 1.05 * np.concatenate([-CONTACTS[KINDS + 1 : 0 : -1], CONTACTS[: KINDS + 2]]) + 0.012


@pytest.fixture(scope="module")
def photo(mesh, contacts) -> np.ndarray:
    rgb = np.full((SIDE, SIDE, 3), SKIN, np.uint8)
    back = invert(lips_frame(mesh))

    def fill(outline: np.ndarray, colour: tuple[int, int, int]) -> None:
        fixed = np.rint(transform(back, outline) * 16).astype(np.int32)
        cv2.fillPoly(rgb, [fixed], colour, cv2.LINE_AA, 4)

    lips = transform(lips_frame(mesh), mesh[:, :2])
    ring = lips[list(INNER_LIPS)]
    fill((ring - ring.mean(0)) * (1.15, 1.6) + ring.mean(0), LIP)
    fill(ring, DARK)
    upper, lower = (lips[list(lip)] for lip in (UPPER, LOWER))
    for start, end in pairwise(contacts):
        x = np.linspace(start + 0.004, end - 0.004, 5)
        top = heights(upper, x)
        tip = np.minimum(top + LENGTH, heights(lower, x) - 0.02)
        fill(np.concatenate([np.c_[x, top], np.c_[x, tip][::-1]]), TOOTH)
    return rgb


def test_edges_and_contacts_are_found_where_they_are(mesh, photo, contacts):
    row = row_of(photo, mesh)
    np.testing.assert_allclose(row.contacts, contacts[1:-1], atol=0.006)
    x = (np.arange(len(row.edge)) - len(row.edge) / 2) / 400
    for start, end in pairwise(row.contacts):
        middle = np.abs(x - (start + end) / 2).argmin()
        assert row.edge[middle] - row.upper[middle] == pytest.approx(LENGTH, abs=0.02)


def test_a_tooth_s_picture_is_white_and_counts_where_it_is_seen(mesh, photo):
    row = row_of(photo, mesh)
    for side in (-1, 1):
        picture, counts = tooth(row, 0, side)
        assert picture.shape[:2] == counts.shape == tuple(n + 2 * MARGIN for n in TILE)
        middle = slice(TILE[1] // 3, -TILE[1] // 3)
        seen = picture[:, middle][counts[:, middle] > 0.99]
        assert len(seen) > 50
        np.testing.assert_allclose(np.median(seen, 0), np.array(TOOTH) / np.mean(TOOTH), atol=0.02)
        assert not counts[-MARGIN:, middle].any()  # below the tip
        assert not counts[0].any()  # above a tooth as short as this one


def test_a_mouth_that_hardly_opens_shows_no_teeth(photo):
    assert row_of(photo, 2 * face_mesh()) is None


def shifted_bumps(count: int) -> np.ndarray:
    """One pattern in as many places as a tooth may be shifted to."""
    high, wide = (n + 2 * MARGIN for n in TILE)
    rows, columns = np.mgrid[:high, :wide].astype(np.float32)
    rng = np.random.default_rng(0)
    made = []
    for _ in range(count):
        r, c = rng.integers(-MARGIN, MARGIN + 1, 2)
        bump = np.exp(-((rows - high / 2 - r) ** 2 + (columns - wide / 2 - c) ** 2) / 18)
        made.append(np.repeat((0.4 + bump)[..., None], 3, 2))
    return np.float32(made)


def test_pictures_are_laid_on_top_of_each_other_before_they_are_averaged():
    bumps = shifted_bumps(4 * TOGETHER)
    weights = np.ones(bumps.shape[:3], np.float32)
    people = np.arange(len(bumps))
    made = composites(bumps, weights, people, np.random.default_rng(0))
    assert made.shape == (PICTURES, *TILE, 3)
    inside = (slice(None), slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
    blurred = bumps[inside].mean(0)
    for picture in made:
        assert np.ptp(picture) > 1.5 * np.ptp(blurred)


def test_no_picture_is_of_fewer_people():
    bumps = shifted_bumps(4 * TOGETHER)
    weights = np.ones(bumps.shape[:3], np.float32)
    with pytest.raises(ValueError, match="people"):
        composites(bumps, weights, np.arange(len(bumps)) % (TOGETHER - 1), np.random.default_rng(0))
