"""Folds: along their lines, on the side that moves, and only for what folds the skin there."""

import numpy as np
import pytest
from tiny import eye_distance, face_mesh, smile

from g2gan.alignment import WORKING, transform
from g2gan.folds import (
    ACROSS,
    ALONG,
    BROW,
    FOLDS,
    MOST,
    REACH,
    SMILE,
    drawn,
    folds,
    line,
    measured,
    movement,
)
from g2gan.mesh import MIRROR, OUTER_LIPS
from train.fold_profiles import aligned, laid_over, margin, profile


def in_crop(mesh: np.ndarray, frame_of: np.ndarray) -> np.ndarray:
    return transform(WORKING.matrix(frame_of), mesh)


def faces(amount: float) -> tuple[np.ndarray, np.ndarray]:
    """The drawn face before and after a smile, in crop pixels."""
    rest = face_mesh()
    return in_crop(rest, rest), in_crop(smile(rest, amount), rest)


def one_sided(mesh: np.ndarray, smiling: np.ndarray) -> np.ndarray:
    """The smile on the person's right half alone."""
    half = mesh.copy()
    right = mesh[:, 0] < mesh[list(OUTER_LIPS), 0].mean()
    half[right] = smiling[right]
    return half


def test_a_part_of_the_crop_has_the_whole_one_s_folds():
    rest, smiling = faces(1.0)
    part = (slice(90, 200), slice(40, 170))
    whole = folds(rest, smiling)
    np.testing.assert_allclose(folds(rest, smiling, part), whole[part], atol=1e-5)
    assert (whole[part] != 1).any()
    far = (slice(0, 8), slice(0, 8))
    np.testing.assert_array_equal(folds(rest, smiling, far), np.ones((8, 8, 3), np.float32))


def test_a_face_that_does_not_smile_is_left_bit_for_bit():
    rest, smiling = faces(1.0)
    assert np.array_equal(folds(rest, rest), np.ones((256, 256, 3), np.float32))
    assert np.array_equal(folds(smiling, rest), np.ones((256, 256, 3), np.float32))


def test_folds_are_darker_than_their_surroundings_along_their_lines():
    rest, smiling = faces(1.0)
    light = folds(rest, smiling)
    for fold in SMILE.values():
        for mirrored in (False, True):
            points = line(fold, smiling, mirrored)[0]
            x, y = np.rint(points[ALONG // 2]).astype(int)
            nearby = light[y - 4 : y + 5, x - 4 : x + 5]
            assert nearby.min() < 0.97
            assert light[y - 4 : y + 5, x - 4 : x + 5, 2].min() < nearby[..., 0].min()  # warm


def test_nothing_is_changed_out_of_reach_of_a_fold():
    rest, smiling = faces(1.0)
    lines = [line(fold, smiling, mirrored)[0] for fold in FOLDS for mirrored in (False, True)]
    changed = np.argwhere((folds(rest, smiling) != 1).any(2))[:, ::-1]
    away = np.min([np.hypot(*(changed[:, None] - points).T).min(0) for points in lines], 0)
    assert len(changed) > 300
    assert away.max() <= REACH * eye_distance(smiling)


def test_half_a_smile_folds_half_of_the_face():
    rest, smiling = faces(1.0)
    right = folds(rest, one_sided(rest, smiling)) != 1
    middle = round(smiling[list(OUTER_LIPS), 0].mean())
    assert right[:, : middle - 8].any()
    assert not right[:, middle + 8 :].any()


def test_a_mirrored_face_has_mirrored_folds():
    rest, smiling = faces(1.0)
    lopsided = one_sided(rest, smiling)

    def mirrored(mesh: np.ndarray) -> np.ndarray:
        return mesh[MIRROR] * [-1, 1, 1] + [WORKING.side - 1, 0, 0]

    there = folds(mirrored(rest), mirrored(lopsided))
    np.testing.assert_allclose(there[:, ::-1], folds(rest, lopsided), atol=2e-3)


def moved(points: tuple[int, ...], x: float, y: float, sides: str = "right left") -> np.ndarray:
    """The drawn face in crop pixels, some points of its right half and their twins moved.

    Args:
        x, y: in eye distances, outwards for both halves and down.
    """
    rest, _ = faces(0.0)
    unit = eye_distance(rest)
    target = rest.copy()
    if "right" in sides:
        target[list(points), :2] += unit * np.array([-x, y])
    if "left" in sides:
        target[MIRROR[list(points)], :2] += unit * np.array([x, y])
    return target


def test_a_raised_brow_lines_the_forehead_above_it_and_nothing_else():
    rest, _ = faces(0.0)
    light = folds(rest, moved(BROW, 0, -0.12, "right"))
    rows, columns = np.nonzero((light < 0.99).any(2))
    assert rows.max() < rest[list(BROW), 1].min()
    assert light.min() < 0.93
    middle = rest[9, 0]
    assert (columns < middle).mean() > 0.7
    assert columns.max() < rest[MIRROR[107], 0] + REACH * eye_distance(rest)


def test_brows_drawn_together_fold_the_skin_between_them():
    rest, _ = faces(0.0)
    light = folds(rest, moved((55, 107), -0.06, 0.06))
    darkest = np.unravel_index(light.min(2).argmin(), light.shape[:2])
    assert rest[55, 0] < darkest[1] < rest[MIRROR[55], 0]
    assert rest[9, 1] - 10 < darkest[0] < rest[168, 1] + 10
    apart = folds(rest, moved((55, 107), 0.06, -0.06))
    assert apart[round(rest[8, 1]), round(rest[8, 0])].min() == 1


def test_deeper_with_the_smile_up_to_a_limit():
    rest = face_mesh()
    depths = []
    for amount in (0.25, 0.5, 1.0, 50.0, 100.0):
        smiling = smile(rest, amount)
        source, target = in_crop(rest, rest), in_crop(smiling, rest)
        pulled = movement(SMILE["under the eye"], source, target, False)
        depths.append((min(pulled, MOST), folds(source, target).min()))
    pulls, darkest = zip(*depths, strict=True)
    assert pulls[0] < pulls[1] < pulls[2] < pulls[3] == pulls[4] == MOST
    assert darkest[0] > darkest[1] > darkest[2] > 0.5


def test_the_profiles_end_in_nothing():
    for fold in (drawn(), *measured().values()):
        assert fold.light.shape == (ALONG, ACROSS)
        np.testing.assert_allclose(fold.light[[0, -1]], 0, atol=1e-6)
        np.testing.assert_allclose(fold.light[:, [0, -1]], 0, atol=1e-6)
        assert fold.light.min() < -0.03
        assert fold.growth > 0


DARK = -0.2  # the drawn lines' middle


@pytest.fixture(scope="module")
def strayed() -> np.ndarray:
    """60 strips with a dark line each, which lies beside the middle and bends."""
    rng = np.random.default_rng(0)
    columns = np.arange(ACROSS + 2 * margin())
    start = rng.integers(-margin() + 2, margin() - 1, (60, 1))
    bend = np.rint(2 * np.sin(np.linspace(0, 3, ALONG) + rng.uniform(0, 6, (60, 1))))
    paths = np.clip(start + bend, -margin(), margin())
    middle = len(columns) // 2 + paths[..., None]
    strips = DARK * np.exp(-(((columns - middle) / 2) ** 2))
    return strips + rng.normal(0, 0.01, strips.shape)


def test_lines_that_stray_are_laid_on_top_of_each_other(strayed):
    assert strayed.mean(0).min() > 0.45 * DARK  # as they lie, they blur each other
    mean = aligned(strayed)
    assert mean.min(1).max() < 0.85 * DARK
    over = laid_over(strayed, mean)
    assert np.abs(over.argmin(2) - mean.argmin(1)).mean() < 1


def test_growth_is_the_slope_of_depth_over_the_smile(strayed):
    pulls = np.linspace(0.02, 0.28, len(strayed))
    found = profile(strayed * (pulls / 0.2)[:, None, None], pulls)
    light = np.array(found["light"])
    grown = found["growth"] * 0.2 * light[ALONG // 2].min()
    assert grown == pytest.approx(DARK, rel=0.15)
