"""Lips at rest: lines come where a smile is taken off, dark ones alone, and nowhere else."""

import numpy as np
import pytest
from tiny import face_mesh, smile

from g2gan.alignment import WORKING, transform
from g2gan.flow import MARGIN, WIDE, Edit, apply
from g2gan.lips import LINES, resting
from g2gan.mesh import INNER_LIPS, OUTER_LIPS

SIDE = WORKING.side


def in_crop(mesh: np.ndarray) -> np.ndarray:
    return transform(WORKING.matrix(face_mesh()), mesh)


def test_lips_come_to_rest_as_a_smile_goes_and_not_as_it_comes():
    rest, slight, full = (in_crop(smile(face_mesh(), amount)) for amount in (0, 0.2, 1))
    assert not resting(rest, rest).any()
    assert not resting(rest, full).any()
    some, much = resting(slight, rest), resting(full, rest)
    assert 0 < some.max() < much.max() <= 1
    np.testing.assert_allclose(some / some.max(), much / much.max(), atol=1e-6)


def test_they_rest_within_their_outline():
    rest, full = in_crop(face_mesh()), in_crop(smile(face_mesh(), 1))
    where = resting(full, rest)
    middle = rest[list(INNER_LIPS), :2].mean(0)
    x, y = np.rint(middle).astype(int)
    assert where[y, x] > 0.5 * where.max()
    low, high = rest[list(OUTER_LIPS), :2].min(0), rest[list(OUTER_LIPS), :2].max(0)
    rows, columns = np.nonzero(where > 0.05 * where.max())
    assert low[0] - 2 <= columns.min()
    assert columns.max() <= high[0] + 2
    assert low[1] - 2 <= rows.min()
    assert rows.max() <= high[1] + 2


@pytest.mark.parametrize(("level", "grows"), [(-40, True), (40, False)])
def test_dark_lines_grow_and_light_ones_stay(level, grows):
    ground, line = 120, 100
    photo = np.full((SIDE, SIDE, 3), ground, np.uint8)
    photo[:, line] = ground + level
    plain = np.zeros((SIDE, SIDE, 3), np.float32)
    edit = Edit(
        flow=np.zeros((WIDE, WIDE, 2), np.float32),
        shading=plain,
        mask=plain[..., 0],
        colour=plain,
        erased=np.full((SIDE, SIDE), -LINES, np.float32),
        even=plain + np.float32(ground / 255),
    )
    edited, _ = apply(photo, np.eye(2, 3), edit)
    inside = edited[MARGIN : SIDE - MARGIN, line].astype(int) - ground
    if grows:
        assert np.abs(inside - (1 + LINES) * level).max() <= LINES * 8
        assert (inside < level).all()
    else:
        assert (inside == level).all()
    edited[:, line] = photo[:, line]
    np.testing.assert_array_equal(edited, photo)
