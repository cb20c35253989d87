"""Landmarks as heatmaps, against the formula."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from g2gan.heatmaps import heatmaps


def test_a_landmark_on_a_pixel_s_centre_is_1_there_and_falls_as_a_gaussian():
    (drawn,) = heatmaps(torch.tensor([[[10.0, 6.0]]], dtype=torch.float64), 32, 2.0)
    assert drawn.shape == (1, 32, 32)
    assert drawn[0, 6, 10] == 1  # row y, column x
    assert drawn.argmax() == 6 * 32 + 10
    for row, column in ((6, 12), (6, 8), (8, 10), (4, 10)):  # one sigma away
        assert drawn[0, row, column].item() == pytest.approx(math.exp(-0.5))
    assert drawn[0, 9, 14].item() == pytest.approx(math.exp(-(3**2 + 4**2) / (2 * 2.0**2)))


def test_each_landmark_has_its_own_heatmap_and_each_picture_its_own_landmarks():
    points = torch.tensor([[[1.0, 2], [5, 3]], [[7, 7], [0, 6]]])
    drawn = heatmaps(points, 8, 1.0)
    assert drawn.shape == (2, 2, 8, 8)
    for picture in range(2):
        for landmark in range(2):
            x, y = points[picture, landmark].long()
            assert drawn[picture, landmark, y, x] == 1


def test_between_pixels_the_nearer_ones_are_brighter():
    drawn = heatmaps(torch.tensor([[[3.25, 4.0]]]), 8, 1.0)[0, 0, 4]
    assert drawn.argmax() == 3
    assert drawn[4] > drawn[2]


@pytest.mark.parametrize("place", [0.0, 31.5, 63.0, -40.0, 500.0, 1e6])
@pytest.mark.parametrize("sigma", [0.5, 1.5, 4.0])
def test_values_are_between_0_and_1_and_never_denormal(place, sigma):
    drawn = heatmaps(torch.tensor([[[place, 10.0]]]), 64, sigma)
    assert drawn.isfinite().all()
    assert drawn.max() <= 1
    assert drawn.min() >= torch.finfo(torch.float32).tiny


def test_a_landmark_far_outside_is_practically_nothing():
    assert heatmaps(torch.tensor([[[500.0, 500.0]]]), 64, 2.0).max() < 1e-12


def test_the_gradient_with_respect_to_the_landmarks_is_right():
    points = torch.tensor([[[2.3, 4.1], [5.6, 1.2]]], dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda p: heatmaps(p, 8, 1.5), points)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_heatmaps_have_the_landmarks_type(dtype):
    assert heatmaps(torch.zeros(1, 68, 2, dtype=dtype), 16, 1.0).dtype == dtype
