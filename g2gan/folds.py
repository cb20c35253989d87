"""Folds of a smile, beside the nose and under the eyes: what a generator shows too faintly.

Folds lie a little elsewhere in every face, and a network that is trained on pictures has to hedge:
it paints all of them at once, and blurred. Here each is one line along the mesh. How dark it is,
and how light the skin beside it, was averaged over people only after their folds had been laid on
top of each other (`train.fold_profiles`); how deep it is follows the corner of the mouth.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import cv2
import numpy as np

from g2gan.alignment import WORKING, eye_centres
from g2gan.mesh import MIRROR

ALONG, ACROSS = 32, 41  # samples along a fold, and across it
REACH = 0.095  # eye distances from a fold's line to where its profile ends, on either side
MOST = 0.30  # eye distances that a corner of the mouth moves, from which folds grow no deeper
DEPTH = 1.6  # folds that were averaged are less deep than any of them: never laid on top exactly
TINT = np.array([0.85, 1.03, 1.10], np.float32)  # R, G, B: shadows on skin are warm

# Points of the mesh along each fold of the right half, from above down or from outside in.
LINES = {
    "beside the nose": (129, 203, 206, 216, 212),
    "under the eye": (228, 229, 230, 231, 232),
}
CORNER = 61  # of the mouth, right


@dataclass(frozen=True)
class Profile:
    """How a fold changes the light, averaged over people.

    Args:
        light: (ALONG, ACROSS) float32, the logarithm of what brightness is multiplied with.
        growth: for each eye distance that the corner of the mouth moves out and up.
    """

    light: np.ndarray
    growth: float


@cache
def profiles() -> dict[str, Profile]:
    """What comes with the package, by the names of `LINES`."""
    told = json.loads((files(__package__) / "folds.json").read_text("utf-8"))
    return {name: Profile(np.float32(told[name]["light"]), told[name]["growth"]) for name in LINES}


def smile_folds(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """What the folds of a smile multiply the skin's colour with, (side, side, 3) float32.

    Args:
        source, target: (478, 3) meshes in crop pixels, before and after.

    Returns:
        1 where nothing changes: everywhere, where no corner of the mouth moves outwards or up.
    """
    depth = np.zeros((WORKING.side, WORKING.side), np.float32)
    right, left = eye_centres(target)
    unit = np.hypot(*(left - right))
    for mirrored in (False, True):
        pulled = pull(source, target, mirrored)
        if pulled <= 0:
            continue
        for name, profile in profiles().items():
            strength = DEPTH * profile.growth * min(pulled, MOST)
            part, at = _nearest(*line(target, name, mirrored), unit)
            depth[part] += strength * cv2.remap(profile.light, *at, cv2.INTER_LINEAR)
    return np.exp(depth[..., None] * TINT)


def pull(source: np.ndarray, target: np.ndarray, mirrored: bool) -> float:
    """How far a corner of the mouth moves outwards and up, in eye distances.

    Args:
        source, target: (478, 3) meshes in crop pixels: the eyes are level.
        mirrored: the left corner, not the right one.
    """
    right, left = eye_centres(target)
    corner = MIRROR[CORNER] if mirrored else CORNER
    x, y = (np.asarray(target) - source)[corner, :2] / np.hypot(*(left - right))
    return float((x if mirrored else -x) - y)


def line(mesh: np.ndarray, name: str, mirrored: bool) -> tuple[np.ndarray, np.ndarray]:
    """A fold on a face: the cubic through its points, (ALONG, 2), and its normals, as long as 1.

    Args:
        mesh: (478, 3).
        name: of `LINES`.
        mirrored: on the left half, where normals point to the same side of the fold.
    """
    chosen = list(LINES[name])
    points = np.asarray(mesh)[MIRROR[chosen] if mirrored else chosen, :2]
    reached = np.r_[0, np.hypot(*np.diff(points, axis=0).T).cumsum()]
    where = reached / reached[-1]
    cubic = [np.polynomial.Polynomial.fit(where, axis, 3, domain=[0, 1]) for axis in points.T]
    steps = np.linspace(0, 1, ALONG)
    along = np.stack([axis.deriv()(steps) for axis in cubic], 1)
    along /= np.hypot(*along.T)[:, None]
    across = along[:, ::-1] * ([1, -1] if mirrored else [-1, 1])
    return np.stack([axis(steps) for axis in cubic], 1), across


def _nearest(
    points: np.ndarray, normals: np.ndarray, unit: float
) -> tuple[tuple[slice, slice], tuple[np.ndarray, np.ndarray]]:
    """Where the crop's pixels near a fold lie in its profile.

    Returns:
        Rows and columns of the crop, and column and row of the profile there; those that are not
        near lie on its rim, where it is 0.
    """
    reach = REACH * unit
    low = np.clip(np.floor(points.min(0) - reach).astype(int), 0, WORKING.side)
    high = np.clip(np.ceil(points.max(0) + reach).astype(int) + 1, 0, WORKING.side)
    pixels = np.stack(np.meshgrid(*(np.arange(*ends) for ends in zip(low, high, strict=True))), -1)
    away = pixels[..., None, :] - points
    place = (away**2).sum(-1).argmin(-1)
    nearest = np.take_along_axis(away, place[..., None, None], 2)[..., 0, :]
    side = np.sign((nearest * normals[place]).sum(-1))
    column = (side * np.hypot(*np.moveaxis(nearest, -1, 0)) / reach + 1) / 2 * (ACROSS - 1)
    at = (np.clip(column, 0, ACROSS - 1).astype(np.float32), place.astype(np.float32))
    return (slice(low[1], high[1]), slice(low[0], high[0])), at
