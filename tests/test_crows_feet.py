"""Crow's feet: lines beside the eyes go with a smile, grain and everything else stay."""

import numpy as np
import torch
from tiny import face_mesh, smile
from torch import Tensor

from g2gan.alignment import WORKING, transform
from g2gan.crows_feet import beside_eyes
from g2gan.mesh import LEFT_EYE, MIRROR, OUTER_LIPS, RIGHT_EYE
from g2gan.models.warp_generator import WarpFields, blurs, without_lines

SIDE = WORKING.side
LINE = slice(SIDE // 2 - 2, SIDE // 2 + 2)


def in_crop(mesh: np.ndarray) -> np.ndarray:
    return transform(WORKING.matrix(face_mesh()), mesh)


def test_lines_go_as_a_smile_goes_and_not_as_it_comes():
    rest, slight, full = (in_crop(smile(face_mesh(), amount)) for amount in (0, 0.2, 1))
    assert not beside_eyes(rest, rest).any()
    assert not beside_eyes(rest, full).any()
    some, much = beside_eyes(slight, rest), beside_eyes(full, rest)
    assert 0 < some.max() < much.max() <= 1
    np.testing.assert_allclose(some / some.max(), much / much.max(), atol=1e-5)


def test_they_go_beside_and_under_both_eyes_and_nowhere_else():
    rest, full = in_crop(face_mesh()), in_crop(smile(face_mesh(), 1))
    where = beside_eyes(full, rest)
    for side in (slice(None), MIRROR):
        x, y = np.rint(rest[side][[35, 31, 111], :2].mean(0)).astype(int)  # beside a corner
        assert where[y, x] > 0.5
    for ring in (RIGHT_EYE, LEFT_EYE, OUTER_LIPS):
        x, y = np.rint(rest[list(ring), :2].mean(0)).astype(int)
        assert where[y, x] < 0.01
    lowest = np.nonzero(where > 0.01)[0].max()
    assert lowest < rest[list(OUTER_LIPS), 1].min()


def skin(line: float) -> Tensor:
    """Grain with a line of some darkness down its middle, (1, 3, S, S)."""
    draw = torch.Generator().manual_seed(0)
    image = 0.5 + 0.01 * torch.randn(1, 3, SIDE, SIDE, generator=draw)
    image[..., LINE] -= line
    return image


def fields_of(even: Tensor) -> WarpFields:
    none = torch.zeros(1, 1, SIDE, SIDE)
    return WarpFields(
        residual=torch.zeros(1, 2, SIDE, SIDE),
        shading=torch.zeros_like(even),
        erased=none,
        even=even,
        mask=none,
        colour=torch.zeros_like(even),
    )


def test_a_line_is_taken_out_and_the_grain_beside_it_stays():
    fields = fields_of(blurs(skin(line=0.2), 1)[0])
    bare = without_lines(fields, torch.ones(1, 1, SIDE, SIDE))
    before, after = fields.even, fields.even + bare.shading
    depth = [float(0.5 - each[..., LINE].mean()) for each in (before, after)]
    assert depth[1] < 0.7 * depth[0]  # the rest is a wide, faint shadow
    assert bare.erased[..., LINE].min() > 0.9
    far = (..., slice(0, SIDE // 4))
    assert after[far].std() > 0.8 * before[far].std()
    assert bare.erased[far].mean() < 0.3  # by chance, here and there, grain looks like a line


def test_where_none_is_to_go_nothing_changes():
    fields = fields_of(blurs(skin(line=0.2), 1)[0])
    same = without_lines(fields, torch.zeros(1, 1, SIDE, SIDE))
    for before, after in zip(fields, same, strict=True):
        torch.testing.assert_close(after, before, rtol=0, atol=0)
