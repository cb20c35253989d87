"""Eyeballs: what lies behind moving lids, taken from a photo in which they were half covered.

An eyeball does not follow its lids. What the photo hides of it is filled in, the iris from across
its centre and the white from what is near, and the lids' opening is laid over it anew.
"""

import cv2
import numpy as np

from g2gan.mesh import LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS

EYES = ((RIGHT_EYE, RIGHT_IRIS), (LEFT_EYE, LEFT_IRIS))
SHADOW, REACH = 0.3, 0.06  # darkening under the upper lid, and how far down it goes
IRIS = 1.08  # of the detector's radius: the dark rim belongs to it
MOVED = 0.05  # pixels below which an eye is left alone

# Lengths are in widths of the eye.


def put_eyes(out: np.ndarray, picture: np.ndarray, mesh: np.ndarray, target: np.ndarray) -> None:
    """Lays both eyeballs into the openings between the target's lids.

    Args:
        out: float32 (H, W, 3), the moved photo; changed in place.
        picture: uint8 (H, W, 3), the photo itself.
        mesh, target: (478, 3) in its pixels, before and after. The irises' difference is the gaze.
    """
    for ring, iris in EYES:
        points = [*ring, *range(iris, iris + 5)]
        if np.abs((target - mesh)[points, :2]).max() > MOVED:
            _put_eye(out, picture, mesh[:, :2], target[:, :2], list(ring), iris)


def _put_eye(
    out: np.ndarray,
    picture: np.ndarray,
    mesh: np.ndarray,
    target: np.ndarray,
    ring: list[int],
    iris: int,
) -> None:
    corners = [ring[0], ring[8]]
    width = np.hypot(*np.subtract(*mesh[corners]))
    drift = (target - mesh)[corners].mean(0)  # of the whole eye, with its ball
    lids = target[ring] - drift
    reached = np.concatenate([mesh[ring], lids])
    limits = np.array(out.shape[1::-1])
    low = np.clip(np.floor(reached.min(0) - 0.2 * width).astype(int), 0, limits - 2)
    high = np.clip(np.ceil(reached.max(0) + 0.2 * width).astype(int), low + 2, limits)
    part = (slice(low[1], high[1]), slice(low[0], high[0]))
    eye = picture[part].astype(np.float32)
    size = eye.shape[:2]
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)

    opening = filled(mesh[ring] - low, size)
    grown = max(1, round(0.015 * width))
    seen = cv2.erode((opening > 0.5).astype(np.uint8), np.ones((3, 3)), iterations=grown)
    centre = mesh[iris] - low
    radius = IRIS * np.linalg.norm(mesh[iris + 1 : iris + 5] - mesh[iris], axis=1).mean()
    away = np.hypot(columns - centre[0], rows - centre[1])
    disc = np.clip((radius - away) / max(1.0, 0.12 * radius) + 0.5, 0, 1)[..., None]
    white = _spread(eye, seen * (away > 1.15 * radius))
    ball = np.where(seen[..., None] > 0, eye, white)
    looking = _whole_iris(eye, seen, centre, away < 1.15 * radius)
    layer = np.concatenate([looking, disc], 2)
    gaze = target[iris] - drift - mesh[iris]
    if np.abs(gaze).max() > MOVED:
        layer = _shifted(layer, gaze)
    ball = ball + disc * (white - ball)
    ball += layer[..., 3:] * (layer[..., :3] - ball)

    # the upper lid's shadow goes with the lid
    under = [
        _below(columns[0], rows, points[ring[8:] + ring[:1]] - low) for points in (mesh, target)
    ]
    before, after = (
        1 - SHADOW * np.exp(-u / (REACH * width)) for u in (under[0], under[1] + drift[1])
    )
    ball *= (after / before)[..., None]
    hole = cv2.GaussianBlur(filled(lids - low, size), (0, 0), max(0.6, 0.024 * width))
    moved = _shifted(np.concatenate([ball, hole[..., None]], 2), drift)
    out[part] += moved[..., 3:] * (moved[..., :3] - out[part])


def _below(columns: np.ndarray, rows: np.ndarray, lid: np.ndarray) -> np.ndarray:
    """How far each pixel (h, w) lies below a lid's rim (N, 2), at least 0."""
    order = np.argsort(lid[:, 0])
    return np.clip(rows - np.interp(columns, lid[order, 0], lid[order, 1]), 0, None)


def _shifted(layer: np.ndarray, by: np.ndarray) -> np.ndarray:
    matrix = np.float32([[1, 0, by[0]], [0, 1, by[1]]])
    return cv2.warpAffine(layer, matrix, layer.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)


def filled(ring: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(h, w) float32 in [0, 1]: inside a closed curve (N, 2)."""
    inside = np.zeros(size, np.uint8)
    cv2.fillPoly(inside, [np.rint(ring * 16).astype(np.int32)], 255, lineType=cv2.LINE_AA, shift=4)
    return inside.astype(np.float32) / 255


def _whole_iris(
    eye: np.ndarray, seen: np.ndarray, centre: np.ndarray, disc: np.ndarray
) -> np.ndarray:
    """The eye, its iris complete: from across its centre, else from what is near."""
    flip = np.float32([[1, 0, 0], [0, -1, 2 * centre[1]]])
    size = eye.shape[1::-1]
    across = cv2.warpAffine(eye, flip, size, borderMode=cv2.BORDER_REPLICATE)
    seen_across = cv2.warpAffine(seen, flip, size)
    known = ((seen > 0) | (seen_across > 0)) & disc
    whole = np.where(((seen == 0) & known)[..., None], across, eye)
    return np.where((disc & ~known)[..., None], _spread(whole, known), whole)


def _spread(picture: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The known pixels' colours, carried softly to all others: the nearest count most."""
    weight = known.astype(np.float32)[..., None]
    layer = np.concatenate([picture * weight, weight], 2)
    total = np.zeros_like(picture)
    found = np.zeros_like(weight)
    for reach in (3, 9, 27, 81):
        layer_near = cv2.blur(layer, (reach, reach), borderType=cv2.BORDER_CONSTANT)
        amount = layer_near[..., 3:]
        share = (1 - found) * np.clip(amount / 0.05, 0, 1)
        total += share / np.maximum(amount, 1e-6) * layer_near[..., :3]
        found += share
    return total / np.maximum(found, 1e-3)
