"""Known truths about every figure of the tables."""

import cv2
import numpy as np
import pytest

from g2gan.alignment import eye_centres, transform
from g2gan.mesh import OUTER_LIPS
from train import metrics


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def picture(rng: np.random.Generator, side: int = 64) -> np.ndarray:
    return rng.integers(0, 200, (side, side, 3), dtype=np.uint8)


def mesh_with_eyes(right: tuple[float, float], left: tuple[float, float]) -> np.ndarray:
    """A mesh (478, 2) whose eye centres lie there and whose other points lie between them."""
    mesh = np.tile((np.array(right) + left) / 2, (478, 1))
    mesh[[33, 133]], mesh[[362, 263]] = right, left
    return mesh


def test_psnr_of_a_constant_offset_is_known(rng):
    photo = picture(rng)
    assert metrics.psnr(photo + 5, photo) == pytest.approx(20 * np.log10(255 / 5), abs=1e-9)


def test_psnr_weighs_the_channels_as_the_eye_does(rng):
    photo = picture(rng)
    greener = photo + np.array([0, 10, 0], np.uint8)
    assert metrics.psnr(greener, photo) == pytest.approx(20 * np.log10(255 / 5.87), abs=1e-9)


def test_psnr_of_identical_pictures_is_infinite(rng):
    photo = picture(rng)
    assert metrics.psnr(photo, photo) == float("inf")


def test_psnr_in_a_mask_sees_nothing_else(rng):
    photo = picture(rng)
    changed = photo.copy()
    changed[:32] += 5
    mask = np.zeros((64, 64), bool)
    mask[:32] = True
    assert metrics.psnr(changed, photo, mask) == pytest.approx(20 * np.log10(255 / 5), abs=1e-9)
    assert metrics.psnr(changed, photo, ~mask) == float("inf")


def test_psnr_refuses_pictures_that_are_not_8_bit(rng):
    photo = picture(rng)
    with pytest.raises(ValueError, match="uint8"):
        metrics.psnr(photo / 255, photo)


def test_ssim_of_identical_pictures_is_one(rng):
    photo = picture(rng)
    assert metrics.ssim(photo, photo) == pytest.approx(1)
    assert metrics.ssim(photo, photo, np.ones((64, 64), bool)) == pytest.approx(1)


def test_ssim_of_flat_pictures_is_the_luminance_term():
    dark, bright = (np.full((64, 64, 3), value, np.uint8) for value in (100, 150))
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 150 + c1) / (100**2 + 150**2 + c1)
    assert metrics.ssim(dark, bright) == pytest.approx(expected, abs=1e-6)


def test_ssim_never_counts_the_edge_where_no_window_fits(rng):
    photo = picture(rng)
    edge = np.zeros((64, 64), bool)
    edge[:5] = True
    inner = np.zeros((64, 64), bool)
    inner[20:40, 20:40] = True
    other = picture(rng)
    assert metrics.ssim(photo, other, edge | inner) == metrics.ssim(photo, other, inner)


@pytest.mark.parametrize("side", [128, 256])
def test_frame_brings_the_eyes_to_their_places(side):
    mesh = mesh_with_eyes((310, 420), (480, 365))
    right, left = eye_centres(transform(metrics.frame_matrix(mesh, side), mesh))
    np.testing.assert_allclose(right, [(0.5 - 0.18) * side, 0.32 * side], atol=1e-9)
    np.testing.assert_allclose(left, [(0.5 + 0.18) * side, 0.32 * side], atol=1e-9)


def test_a_photo_already_in_the_frame_is_not_moved_by_half_a_pixel(rng):
    photo = picture(rng, metrics.RENDER)
    mesh = mesh_with_eyes((0.32 * 512, 0.32 * 512), (0.68 * 512, 0.32 * 512))
    np.testing.assert_array_equal(metrics.to_frame(photo, mesh, 512), photo)


def test_a_shrunk_picture_is_the_average_of_its_blocks():
    blocks = np.kron(np.arange(16).reshape(4, 4), np.ones((4, 4)))[..., None].repeat(3, 2)
    small = metrics.shrink(blocks.astype(np.uint8), 4)
    np.testing.assert_array_equal(small[..., 0], np.arange(16).reshape(4, 4))
    with pytest.raises(ValueError, match="divide"):
        metrics.shrink(blocks.astype(np.uint8), 5)


def test_a_carried_mesh_has_the_eyes_of_the_photo_it_enters():
    leaves, enters = mesh_with_eyes((10, 20), (60, 30)), mesh_with_eyes((200, 100), (300, 90))
    carried = metrics.carry(leaves, enters)
    np.testing.assert_allclose(eye_centres(carried), eye_centres(enters), atol=1e-9)


def test_face_mask_is_the_hull_of_both_faces():
    square = np.array([[10, 10], [20, 10], [20, 20], [10, 20]], float)
    mesh = np.resize(square, (478, 2))
    mask = metrics.face_mask(mesh, mesh + np.array([20, 0]), 64)
    expected = np.zeros((64, 64), bool)
    expected[10:20, 10:40] = True
    np.testing.assert_array_equal(mask, expected)


def test_face_mask_ignores_the_irises_and_is_cut_at_the_frame():
    mesh = np.resize(np.array([[-5.0, -5], [8, -5], [8, 8], [-5, 8]]), (478, 2))
    mesh[468:] = 60
    expected = np.zeros((64, 64), bool)
    expected[:8, :8] = True
    np.testing.assert_array_equal(metrics.face_mask(mesh, mesh, 64), expected)


def test_box_mask_holds_its_points_and_a_margin():
    mesh = np.zeros((478, 2))
    mesh[list(OUTER_LIPS)] = [50, 70]
    mesh[OUTER_LIPS[0]] = [30, 60]
    mask = metrics.box_mask(mesh, OUTER_LIPS, 100)
    expected = np.zeros((100, 100), bool)
    expected[56:74, 26:54] = True
    np.testing.assert_array_equal(mask, expected)


def test_sharpness_ratio_of_a_picture_with_itself_is_one_and_of_a_blurred_one_less(rng):
    photo, mask = picture(rng), np.ones((64, 64), bool)
    assert metrics.sharpness_ratio(photo, photo, mask) == 1
    blurred = cv2.GaussianBlur(photo, (0, 0), 2)
    assert metrics.sharpness_ratio(blurred, photo, mask) < 0.5


def test_sharpness_of_a_single_bright_pixel_is_known():
    photo = np.zeros((9, 9, 3), np.uint8)
    photo[4, 4] = 100
    assert metrics.sharpness(photo, np.ones((9, 9), bool)) == pytest.approx((400 + 4 * 100) / 81)


def test_score_of_the_truth_is_perfect_in_every_area(rng):
    photo, mesh = picture(rng, 128), rng.uniform(30, 100, (478, 2))
    figures = metrics.score(photo, photo, mesh, mesh)
    assert {figures[name] for name in figures if name.startswith("psnr")} == {float("inf")}
    assert all(figures[n] == pytest.approx(1) for n in figures if not n.startswith("psnr"))


def test_lip_landmark_error_is_the_share_of_the_movement_that_is_missing(rng):
    unedited = rng.uniform(0, 100, (478, 2))
    asked = unedited + np.array([0, 8])
    assert metrics.lip_landmark_error(asked, asked, unedited) == 0
    three_quarters = unedited + np.array([0, 6])
    assert metrics.lip_landmark_error(three_quarters, asked, unedited) == pytest.approx(0.25)
    assert metrics.lip_landmark_error(unedited, asked, unedited) == 1


def test_bootstrap_interval_holds_the_mean_and_repeats_itself(rng):
    differences = rng.normal(1, 0.5, 18)
    mean, low, high = metrics.bootstrap_interval(differences)
    assert mean == pytest.approx(differences.mean())
    assert low < mean < high
    # about +-1.96 standard errors
    assert high - low == pytest.approx(3.92 * differences.std() / 18**0.5, rel=0.1)
    assert metrics.bootstrap_interval(differences) == (mean, low, high)


def test_bootstrap_interval_of_equal_differences_has_no_width():
    assert metrics.bootstrap_interval(np.full(5, 0.25), repeats=100) == (0.25, 0.25, 0.25)
