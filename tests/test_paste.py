"""A repainted crop in the photo: what changed is enlarged, what did not stays as it was."""

import numpy as np
import pytest

from g2gan.alignment import PAPER, crop, invert, transform
from g2gan.paste import luminance, paste

SIDE = PAPER.side
MATRIX = np.array([[0.48, 0.14, -20.0], [-0.14, 0.48, 15.0]])  # the photo is twice as fine, turned


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(40, 200, (400, 420, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def share() -> np.ndarray:
    """1 in the middle of the crop, 0 within 16 pixels of its border."""
    edge = np.minimum(np.arange(SIDE), np.arange(SIDE)[::-1])
    return np.clip((np.minimum.outer(edge, edge) - 16) / 16, 0, 1).astype(np.float32)


def seen(photo: np.ndarray, matrix: np.ndarray = MATRIX) -> np.ndarray:
    return crop(photo, matrix, SIDE).astype(np.float32) / 255


def share_at(photo: np.ndarray, share: np.ndarray) -> np.ndarray:
    """The share at the nearest pixel of the crop, for each of the photo."""
    rows, columns = np.indices(photo.shape[:2])
    places = transform(MATRIX, np.stack([columns.ravel(), rows.ravel()], 1))
    x, y = np.clip(np.rint(places).astype(int), 0, SIDE - 1).T
    return share[y, x].reshape(photo.shape[:2])


def test_what_was_painted_as_it_was_leaves_the_photo_bit_for_bit(photo, share):
    result, mask = paste(photo, MATRIX, seen(photo), seen(photo), share)
    assert np.array_equal(result, photo)
    assert 0.05 < (mask > 0).mean() < 0.9


@pytest.mark.parametrize("channels", [1, 3])
def test_a_little_light_is_added_to_the_photo_s_own_detail(photo, share, channels):
    before = seen(photo)[..., :channels]
    result, _ = paste(photo, MATRIX, before, before + np.float32(0.004), share)
    inside = share_at(photo, share) == 1
    difference = result[inside].astype(int) - photo[inside]
    assert abs(difference.mean() - 255 * 0.004) < 0.1
    assert np.abs(difference).max() <= 2


def test_where_all_is_new_the_photo_s_own_detail_goes(photo, share):
    before = seen(photo)
    after = np.full_like(before, 0.95)  # at least 0.17 lighter everywhere
    result, _ = paste(photo, MATRIX, before, after, share)
    inside = share_at(photo, share) == 1
    assert result[inside].std() < photo[inside].std() / 2
    assert abs(result[inside].mean() - 255 * 0.95) < 6


def test_outside_the_share_every_pixel_is_bit_identical(photo, share):
    before = seen(photo)
    result, mask = paste(photo, MATRIX, before, 1 - before, share)
    assert np.array_equal(result[mask == 0], photo[mask == 0])
    at_crop = share_at(photo, share)
    assert mask[at_crop == 1].min() > 240
    assert 0 < np.count_nonzero(mask) < 1.1 * np.count_nonzero(at_crop)


def test_the_edge_is_soft(photo, share):
    grey = np.full_like(photo, 100)
    before = seen(grey)
    result, _ = paste(grey, MATRIX, before, before + np.float32(0.2), share)
    centre = np.rint(transform(invert(MATRIX), np.array([[SIDE / 2, SIDE / 2]]))[0]).astype(int)
    row = result[centre[1], :, 0].astype(int)
    assert row.max() == 151
    assert np.abs(np.diff(row)).max() <= 3


def test_a_grey_picture_changes_luminance_and_keeps_every_pixel_s_chroma(photo, share):
    before = luminance(seen(photo))
    after = np.clip(before + np.float32(0.1), 0, 1)
    after[:64] -= np.float32(0.15)
    result, _ = paste(photo, MATRIX, before, after, share)
    assert not np.array_equal(result, photo)
    whole = (result > 0).all(2) & (result < 255).all(2)  # not clipped
    assert whole.mean() > 0.9
    for one, other in ((0, 1), (1, 2)):
        chroma = [
            picture[..., one].astype(int) - picture[..., other] for picture in (photo, result)
        ]
        assert np.array_equal(*(values[whole] for values in chroma))


def test_a_photo_coarser_than_the_crop_and_one_that_the_crop_leaves(share):
    small = np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    coarse = np.array([[3.2, 0, 0], [0, 3.2, 0]])
    for matrix in (coarse, np.array([[0.5, 0, 100.0], [0, 0.5, 100]])):
        before = seen(small, matrix)
        result, mask = paste(small, matrix, before, 1 - before, share)
        assert result.shape == small.shape
        assert np.array_equal(result[mask == 0], small[mask == 0])
    away = np.array([[0.5, 0, 1000.0], [0, 0.5, 1000]])
    result, mask = paste(small, away, seen(small, away), 1 - seen(small, away), share)
    assert np.array_equal(result, small)
    assert not mask.any()
