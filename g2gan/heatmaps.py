"""Landmarks drawn as heatmaps: the geometry as the paper's networks see it."""

import torch


def heatmaps(points: torch.Tensor, size: int, sigma: float) -> torch.Tensor:
    """One Gaussian a landmark, H(s) in the paper.

    Args:
        points: (B, N, 2) x, y in pixels of the heatmap, pixel centres at integers.
        size: side of the heatmaps in pixels.
        sigma: standard deviation of the Gaussians in pixels.

    Returns:
        (B, N, size, size) in [0, 1]; 1 exactly at a landmark that lies on a pixel's centre.
    """
    grid = torch.arange(size, dtype=points.dtype, device=points.device)
    columns = _gauss(grid - points[..., :1], sigma)
    rows = _gauss(grid - points[..., 1:], sigma)
    return rows[..., :, None] * columns[..., None, :]


def _gauss(distance: torch.Tensor, sigma: float) -> torch.Tensor:
    # Never below e^-30: far from a landmark the product would be a denormal number, and a CPU
    # multiplies those a hundred times slower.
    return torch.exp((-(distance**2) / (2 * sigma**2)).clamp(min=-30))
