"""What skin does when it moves: folds, as light.

Two sources. The 3D face's surface turns: its Lambert shading with the expression over that without
gives furrows. And smiles were photographed: the ratio of smiling to neutral skin, learned from
pairs, gives cheeks and the fold beside the mouth, which the 3D face has not. Both are kept coarse,
as coarse as the generator's own shading, and free of the 3D mesh's facets.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from g2gan.mesh import FACE_OVAL, OUTER_LIPS, SKIN_TRIANGLES
from train.facekit import Carried, FaceKit

LIGHT = np.array([0.0, -0.5, -0.87])  # towards the light, in the head's frame
AMBIENT = 0.35
FOLDED = (0.68, 1.07)  # limits of the light's ratio: beyond them skin glows or blackens
CELLS = 64  # of the grid, across the face
FINE = 0.015  # eye distances: what is finer in a photographed ratio is noise
WIDEST = 0.25  # limit of a photographed ratio's logarithm at full smile


@dataclass(frozen=True)
class Skin:
    """The 3D face's skin, bound to the detector's mesh.

    Args:
        points: (N, 3) float32, what is seen from the front of the 3D face, in the head's frame.
        triangles: (T, 3) of the points.
        moves: (53, N, 3) float32, what each expression shape does to them.
        lit: (N,), their shading at rest.
        corners, shares: (N, 3), which points of the mesh each lies between, and how near to which.
        lips: (N,) boolean, what lies on them: their redness is no fold.
        smile: (N,), logarithm of how much lighter a smile makes the skin there.
    """

    points: np.ndarray
    triangles: np.ndarray
    moves: np.ndarray
    lit: np.ndarray
    corners: np.ndarray
    shares: np.ndarray
    lips: np.ndarray
    smile: np.ndarray

    def places(self, mesh: np.ndarray) -> np.ndarray:
        """Where the points lie on a face with this mesh, (N, 2) in its pixels."""
        return np.einsum("nkc,nk->nc", mesh[self.corners, :2], self.shares)


def bind(kit: FaceKit, carried: Carried, mean: np.ndarray) -> Skin:
    """The skin that lies on the mean mesh (478, 3), without any photographed ratio.

    Args:
        kit, carried: the 3D face and where it lies.
    """
    whole = carried.vertices[: kit.narrow]
    corners, shares, found = _containing(whole[:, :2], mean)
    found &= np.abs((mean[corners, 2] * shares).sum(1) - whole[:, 2]) < 0.25  # no inner side
    new = np.cumsum(found) - 1
    triangles = kit.triangles[(kit.triangles < kit.narrow).all(1)]
    triangles = new[triangles[found[triangles].all(1)]]
    points = whole[found].astype(np.float32)
    moves = kit.deltas[:, : kit.narrow][:, found] * np.float32(carried.scale)
    return Skin(
        points=points,
        triangles=triangles,
        moves=(moves * [1, -1, -1]).astype(np.float32),
        lit=_lit(points, triangles),
        corners=corners[found],
        shares=shares[found].astype(np.float32),
        lips=_inside(points[:, :2], mean[list(OUTER_LIPS), :2]),
        smile=np.zeros(len(points), np.float32),
    )


def _containing(points: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, ...]:
    """The mesh's triangle round each point (N, 2): corners, shares (N, 3), and if there is one."""
    a, b, c = (mean[SKIN_TRIANGLES[:, k], :2] for k in range(3))
    linear = np.stack([b - a, c - a], 2)
    solid = np.abs(np.linalg.det(linear)) > 1e-6
    inverse = np.zeros_like(linear)
    inverse[solid] = np.linalg.inv(linear[solid])
    inner = np.einsum("tij,ntj->nti", inverse, points[:, None] - a)
    shares = np.concatenate([1 - inner.sum(2, keepdims=True), inner], 2)
    depth = np.where(solid, shares.min(2), -np.inf)
    best = depth.argmax(1)
    rows = np.arange(len(points))
    return SKIN_TRIANGLES[best], shares[rows, best], depth[rows, best] > -1e-3


def _inside(points: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """Which points (N, 2) lie inside a closed curve (M, 2)."""
    curve = ring.astype(np.float32)
    return np.array(
        [cv2.pointPolygonTest(curve, (float(x), float(y)), False) >= 0 for x, y in points]
    )


def learn_smile(
    skin: Skin, pairs: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float]]
) -> np.ndarray:
    """How much lighter a smile makes each point of the skin, (N,), logarithm.

    Least squares through the origin of each pair's ratio on how much its person smiles.

    Args:
        skin: where to look.
        pairs: neutral photo, its mesh, smiling photo, its mesh, strength of the smile (1: as the
            expression shape at full weight).
    """
    top = bottom = 0.0
    for neutral, at_rest, smiling, happy, strength in pairs:
        ratio = _tone(smiling, happy, skin) - _tone(neutral, at_rest, skin)
        top = top + strength * (ratio - np.median(ratio))  # the median is the exposure
        bottom += strength**2
    return np.where(skin.lips, 0, np.clip(top / bottom, -WIDEST, WIDEST)).astype(np.float32)


def _tone(picture: np.ndarray, mesh: np.ndarray, skin: Skin) -> np.ndarray:
    """Logarithm of the luminance at the skin's points, without what is finer than `FINE`."""
    unit = np.linalg.norm(mesh[[33, 133], :2].mean(0) - mesh[[362, 263], :2].mean(0))
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    grey = cv2.GaussianBlur(np.log(np.maximum(grey, 8)), (0, 0), FINE * unit)
    x, y = skin.places(mesh).astype(np.float32).T
    return cv2.remap(grey, x[None], y[None], cv2.INTER_LINEAR)[0]


def folds(
    skin: Skin,
    target: np.ndarray,
    amounts: np.ndarray,
    shade: float,
    smiles: tuple[float, float],
    size: tuple[int, int],
) -> np.ndarray:
    """How much lighter or darker skin gets, (H, W) float32.

    Args:
        target: (478, 3), the expressed mesh in pixels.
        amounts: (53,), weights of the expression shapes.
        shade: strength of the surface's own folds.
        smiles: strength of the photographed ones on the person's right and left.
        size: height and width of the picture.
    """
    moved = skin.points + np.tensordot(amounts.astype(np.float32), skin.moves, 1)
    ratio = shade * np.log(np.clip(_lit(moved, skin.triangles) / skin.lit, *FOLDED))
    left = np.clip(skin.points[:, 0] / 0.2 + 0.5, 0, 1)
    ratio += skin.smile * (smiles[0] * (1 - left) + smiles[1] * left)
    oval = target[list(FACE_OVAL), :2]
    low = oval.min(0)
    cell = np.ptp(oval, axis=0).max() / CELLS
    wide = CELLS + 3
    cells = np.clip(np.rint((skin.places(target) - low) / cell).astype(int) + 1, 0, wide - 1)
    flat = cells @ [1, wide]
    grid, count = (
        np.bincount(flat, values, wide**2).reshape(wide, wide).astype(np.float32)
        for values in (ratio, None)
    )
    grid, count = (cv2.GaussianBlur(each, (0, 0), 0.9) for each in (grid, count))
    middle = oval.mean(0)
    ring = 16 * ((middle + 0.9 * (oval - middle) - low) / cell + 1)
    face = np.zeros(grid.shape, np.uint8)
    cv2.fillPoly(face, [np.rint(ring).astype(np.int32)], 255, shift=4)
    fade = cv2.GaussianBlur(face, (0, 0), 0.05 * CELLS).astype(np.float32) / 255
    light = np.exp(fade * grid / np.maximum(count, 0.25))
    to_grid = np.array([[1 / cell, 0, 1 - low[0] / cell], [0, 1 / cell, 1 - low[1] / cell]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(light, to_grid, size[::-1], flags=flags, borderValue=1.0)


def _lit(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Lambert shading (N,) of a surface's points, float32 (N, 3)."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    normals = np.zeros_like(points)
    flat = np.cross(b - a, c - a)
    for axis in range(3):
        normals[:, axis] = np.bincount(triangles.T.ravel(), np.tile(flat[:, axis], 3), len(points))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
    light = (LIGHT / np.linalg.norm(LIGHT)).astype(np.float32)
    return AMBIENT + (1 - AMBIENT) * np.clip(normals @ light, 0, 1)
