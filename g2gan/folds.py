"""Folds of the skin: what a generator shows too faintly.

Folds lie a little elsewhere in every face, and a network that is trained on pictures has to hedge:
it paints all of them at once, and blurred. Here each is one line along the mesh, and how deep it is
follows what moves the skin there. For those of a smile, how dark the line is, and how light the
skin beside it, was averaged over people after their folds had been laid on top of each other
(`train.fold_profiles`). No photographs show the others to us: they are drawn, fine and shallow.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import cv2
import numpy as np

from g2gan.alignment import WHOLE, eye_centres
from g2gan.mesh import MIRROR

ALONG, ACROSS = 32, 57  # samples along a fold, and across it
REACH = 0.13  # eye distances from a fold's line to where its profile ends, on either side
LEAST, MOST = 0.001, 0.30  # eye distances of movement: a fold of less is not seen, none grow deeper
DEPTH = 2.8  # folds that were averaged are less deep than any of them: never laid on top exactly
TINT = np.array([0.85, 1.03, 1.10], np.float32)  # R, G, B: shadows on skin are warm

# Drawn folds: width of the dark line and of the light round it in eye distances, how light it is,
# and the logarithm of their darkness for each eye distance that the skin has moved.
CREASE, BULGE, LIGHT = 0.014, 0.040, 0.35
DRAWN = 1.1

# What a cubic's coefficients are multiplied with for its places, and for its slopes there
POWERS = np.vander(np.linspace(0, 1, ALONG), 4)
SLOPES = np.column_stack([3 * POWERS[:, 1], 2 * POWERS[:, 2], POWERS[:, 3], np.zeros(ALONG)])


@dataclass(frozen=True)
class Fold:
    """A line along which the right half of a face folds; `MIRROR` has the left one.

    Args:
        points: the line, from above down or from inside out: each is the mean of these of the mesh.
        moving: points of the mesh whose movement folds the skin.
        towards: the direction (x, y) in which it does, in the crop.
        measured: name of its profile in `folds.json`; None for a drawn one.
        share: of the depth that it would have by itself.
    """

    points: tuple[tuple[int, ...], ...]
    moving: tuple[int, ...]
    towards: tuple[float, float]
    measured: str | None = None
    share: float = 1.0


BESIDE_NOSE = ((129,), (203,), (206,), (216,), (212,))
UNDER_EYE = ((228,), (229,), (230,), (231,), (232,))
BETWEEN_BROWS = ((9, 9, 107), (8, 55), (8, 168, 193), (168, 193))
FOREHEAD = (  # each begins on the other half
    ((336, 337), (9, 151), (107, 108), (66, 69), (105, 104)),
    ((337,), (151,), (108,), (69,), (104,)),
    ((337, 338), (151, 10), (108, 109), (69, 67), (104, 103)),
)
CORNER, INNER_BROW, BROW, NOSTRIL = (61,), (55, 107), (107, 66, 105), (129, 64)
OUT_AND_UP, IN_AND_DOWN, UP = (-1, -1), (1, 1), (0, -1)

SMILE = {
    "beside the nose": Fold(BESIDE_NOSE, CORNER, OUT_AND_UP, "beside the nose"),
    "under the eye": Fold(UNDER_EYE, CORNER, OUT_AND_UP, "under the eye"),
}
FOLDS = (
    *SMILE.values(),
    Fold(BESIDE_NOSE, NOSTRIL, UP, "beside the nose"),
    Fold(BETWEEN_BROWS, INNER_BROW, IN_AND_DOWN),
    *(Fold(row, BROW, UP, share=share) for row, share in zip(FOREHEAD, (0.7, 1, 0.6), strict=True)),
)


@dataclass(frozen=True)
class Profile:
    """How a fold changes the light.

    Args:
        light: (ALONG, ACROSS) float32, the logarithm of what brightness is multiplied with.
        growth: for each eye distance of movement.
    """

    light: np.ndarray
    growth: float


@cache
def measured() -> dict[str, Profile]:
    """The profiles of a smile's folds, by name, averaged over people."""
    told = json.loads((files(__package__) / "folds.json").read_text("utf-8"))
    return {name: Profile(np.float32(each["light"]), each["growth"]) for name, each in told.items()}


@cache
def drawn() -> Profile:
    """A fine line with light beside it, fading out at both ends."""
    along = np.sin(np.pi * np.linspace(0, 1, ALONG))
    across = np.linspace(-REACH, REACH, ACROSS)
    section = LIGHT * np.exp(-((across / BULGE) ** 2)) - np.exp(-((across / CREASE) ** 2))
    section[[0, -1]] = 0
    return Profile(np.float32(np.outer(along, section)), DRAWN / DEPTH)


def folds(source: np.ndarray, target: np.ndarray, part: tuple[slice, slice] = WHOLE) -> np.ndarray:
    """What folds multiply the skin's colour with, (h, w, 3) float32.

    Args:
        source, target: (478, 3) meshes in crop pixels, before and after.
        part: rows and columns of the crop.

    Returns:
        1 where nothing changes.
    """
    rows, columns = part
    first = np.array([columns.start, rows.start])
    depth = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.float32)
    right, left = eye_centres(target)
    unit = np.hypot(*(left - right))
    for fold in FOLDS:
        profile = measured()[fold.measured] if fold.measured else drawn()
        for mirrored in (False, True):
            moved = min(movement(fold, source, target, mirrored), MOST)
            if moved > LEAST:
                points, normals = line(fold, target, mirrored)
                near, at = _nearest(points - first, normals, unit, depth.shape)
                if depth[near].size:
                    light = cv2.remap(profile.light, *at, cv2.INTER_LINEAR)
                    depth[near] += DEPTH * fold.share * profile.growth * moved * light
    return np.exp(depth[..., None] * TINT)


def movement(fold: Fold, source: np.ndarray, target: np.ndarray, mirrored: bool) -> float:
    """How far the skin moves as the fold wants it, in eye distances; negative, the other way.

    Args:
        source, target: (478, 3) meshes in crop pixels: the eyes are level.
        mirrored: in the left half, not the right one.
    """
    right, left = eye_centres(target)
    chosen = list(fold.moving)
    moved = (np.asarray(target) - source)[MIRROR[chosen] if mirrored else chosen, :2].mean(0)
    x, y = fold.towards
    return float(moved @ [-x if mirrored else x, y] / np.hypot(*(left - right)))


def line(fold: Fold, mesh: np.ndarray, mirrored: bool) -> tuple[np.ndarray, np.ndarray]:
    """A fold on a face: the cubic through its points, (ALONG, 2), and its normals, as long as 1.

    Args:
        mesh: (478, 3).
        mirrored: in the left half, where normals point to the same side of the fold.
    """
    half = np.asarray(mesh)[MIRROR if mirrored else slice(None), :2]
    points = np.array([half[list(chosen)].mean(0) for chosen in fold.points])
    reached = np.hypot(*np.diff(points, axis=0).T).cumsum()
    where = np.append(0, reached) / reached[-1]
    cubic = np.linalg.lstsq(np.vander(where, 4), points, rcond=None)[0]
    along = SLOPES @ cubic
    along /= np.hypot(*along.T)[:, None]
    across = along[:, ::-1] * ([1, -1] if mirrored else [-1, 1])
    return POWERS @ cubic, across


def _nearest(
    points: np.ndarray, normals: np.ndarray, unit: float, size: tuple[int, ...]
) -> tuple[tuple[slice, slice], tuple[np.ndarray, np.ndarray]]:
    """Where the pixels near a fold lie in its profile, of a part of the crop of some size (h, w).

    Returns:
        Rows and columns of the part, and column and row of the profile there; those that are not
        near, or are past its ends, lie on its rim, where it is 0.
    """
    reach = REACH * unit
    low = np.clip(np.floor(points.min(0) - reach).astype(int), 0, size[::-1])
    high = np.clip(np.ceil(points.max(0) + reach).astype(int) + 1, 0, size[::-1])
    pixels = np.stack(np.meshgrid(*(np.arange(*ends) for ends in zip(low, high, strict=True))), -1)
    # |pixel - point|^2 is least where pixel . point - |point|^2 / 2 is greatest: far quicker
    place = (pixels @ points.T - (points**2).sum(1) / 2).argmax(-1)
    nearest = pixels - points[place]
    aside = (nearest * normals[place]).sum(-1)  # not away: between two samples it is the same
    column = (aside / reach + 1) / 2 * (ACROSS - 1)
    at = (np.clip(column, 0, ACROSS - 1).astype(np.float32), place.astype(np.float32))
    return (slice(low[1], high[1]), slice(low[0], high[0])), at
