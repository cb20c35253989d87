"""How do the pictures of a group lie over each other: face, hair, ears and collar?

One flow a person, from the group's mean shape into the person's picture: first by the meshes, which
know the face, then by what can be seen, which aligns the rest. A flow is a backward one in pixels,
`out(x) = picture(x + flow(x))`, (H, W, 2) as x, y.
"""

import cv2
import numpy as np
from scipy.interpolate import RBFInterpolator

LEVELS = ((16, 60), (8, 50), (4, 30), (2, 10))  # coarse to fine: pixels a cell, steps
REACH = 45  # pixels that registration may move anything


def mesh_flow(mean: np.ndarray, mesh: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The thin-plate flow that brings a person's mesh to the mean one.

    Args:
        mean, mesh: (N, 2), pixels.
        size: width and height of the flow, multiples of 6.
    """
    width, height = size
    x, y = np.meshgrid(np.linspace(-0.2, 1.2, 6) * width, np.linspace(-0.2, 1.2, 6) * height)
    around = (np.abs(x / width - 0.5) > 0.6) | (np.abs(y / height - 0.5) > 0.6)
    still = np.column_stack([x[around], y[around]])
    spline = RBFInterpolator(
        np.vstack([mean, still]), np.vstack([mesh - mean, 0 * still]), smoothing=1.0
    )
    step = 6
    grid = np.stack(np.meshgrid(np.arange(0, width, step), np.arange(0, height, step)), axis=-1)
    coarse = spline(grid.reshape(-1, 2)).reshape(grid.shape).astype(np.float32)
    to_full = np.array([[step, 0, 0], [0, step, 0]], np.float64)
    return cv2.warpAffine(coarse, to_full, size, borderMode=cv2.BORDER_REPLICATE)


def register(features: list[np.ndarray], face: np.ndarray) -> list[np.ndarray]:
    """Flows that bring everybody to a picture in common, found on the way.

    Args:
        features: (H, W, channels) float32 a person, already aligned by the meshes.
        face: (H, W) in [0, 1], where the meshes know better and hardly anything may move.
    """
    height, width = face.shape
    flows = [np.zeros((2, 2, 2), np.float32) for _ in features]
    for cell, steps in LEVELS:
        size = (width // cell, height // cell)
        levels = [_shrunk(feature, size, cell) for feature in features]
        flows = [cv2.resize(flow, size) * (size[0] / flow.shape[1]) for flow in flows]
        free = 1 - 0.9 * _shrunk(face, size, cell)[..., None]
        for step in range(steps):
            warped = [warp(level, flow) for level, flow in zip(levels, flows, strict=True)]
            if step % 5 == 0:  # the median ignores one person's lock of hair, the mean is smoother
                common = (np.median(warped, axis=0) + np.mean(warped, axis=0)) / 2
            for i, own in enumerate(warped):
                flow = flows[i] + free * cv2.GaussianBlur(_force(common, own), (0, 0), 2.2)
                flow = cv2.GaussianBlur(flow, (0, 0), 1.5) * (0.95 + 0.05 * free)
                length = np.linalg.norm(flow, axis=2, keepdims=True)
                flows[i] = flow * np.minimum(1, REACH / cell / (length + 1e-6))
            drift = np.mean(flows, axis=0)  # without this the common picture wanders off
            flows = [flow - drift for flow in flows]
    return [cv2.resize(flow, (width, height)) * (width / flow.shape[1]) for flow in flows]


def _force(common: np.ndarray, own: np.ndarray) -> np.ndarray:
    """One step of Thirion's demons: the shift that would make `own` look like `common`."""
    difference, both = common - own, (common + own) / 2
    slopes = [
        cv2.Sobel(both, cv2.CV_32F, dx, dy, ksize=3, scale=1 / 8) for dx, dy in ((1, 0), (0, 1))
    ]
    size = sum((slope**2).sum(2) for slope in slopes) + 0.3 * (difference**2).sum(2) + 1e-4
    return np.stack([(difference * slope).sum(2) / size for slope in slopes], axis=-1)


def warp(image: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """The image seen through a flow of the same size."""
    y, x = np.mgrid[0 : flow.shape[0], 0 : flow.shape[1]].astype(np.float32)
    where = (x + flow[..., 0], y + flow[..., 1])
    return cv2.remap(image, *where, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _shrunk(image: np.ndarray, size: tuple[int, int], cell: int) -> np.ndarray:
    return cv2.resize(cv2.GaussianBlur(image, (0, 0), cell / 2), size, interpolation=cv2.INTER_AREA)
