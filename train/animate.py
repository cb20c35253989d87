"""A neutral photo -> the same person with an expression, and the mesh that goes with it.

The 3D model's expression shapes move the detector's mesh; the photo follows as in the generator's
own base flow, so that animated pairs ask of a network exactly what geometry does not give: eyeballs
stay behind moving lids, mouths open on teeth and tongue, skin folds change the light.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from safetensors import safe_open

from g2gan.flow import warp_photo
from g2gan.mesh import FACE_OVAL, INNER_LIPS, LEFT_EYE, LEFT_IRIS, OUTER_LIPS, RIGHT_EYE, RIGHT_IRIS
from g2gan.shape import ShapeModel
from train.expressions import SETTINGS
from train.eyes import put_eyes
from train.facekit import FaceKit, carry
from train.files import write_tensors
from train.mouths import Mouth, draw_mouth, put_mouth, whites

LOWER_LIP, UPPER_LIP = INNER_LIPS[1:10], INNER_LIPS[:10:-1]  # twins across the opening
LIDS = tuple((eye[1:8], eye[:8:-1]) for eye in (RIGHT_EYE, LEFT_EYE))  # lower, upper
OUTER_LOWER, OUTER_UPPER = OUTER_LIPS[1:10], OUTER_LIPS[:10:-1]
OF_LIDS = ("eyeBlink", "eyeSquint", "eyeWide", "eyeLookDown", "eyeLookUp")  # scale with the eye
# upper lids, and the crease above each
CREASES = (
    ((246, 161, 160, 159, 158, 157, 173), (247, 30, 29, 27, 28, 56, 190)),
    ((466, 388, 387, 386, 385, 384, 398), (467, 260, 259, 257, 258, 286, 414)),
)
WITH_LID = 0.6  # how far the crease follows its lid
GAZE = ("gazeRight", "gazeDown")  # of the irises, in eye distances: not shapes of the 3D model
SHUT = 0.004  # eye distances between rims that touch
ARRAYS = ("shapes", "surface", "triangles", "moves", "lit", "facing")
LIGHT = np.array([0.0, -0.5, -0.87])  # towards the light, in the head's frame
AMBIENT = 0.35
FOLDED = (0.68, 1.07)  # limits of the light's ratio: beyond them skin glows or blackens
CELLS = 48  # cells of the light's ratio across the face


@dataclass(frozen=True)
class Rig:
    """What moves a face.

    Args:
        model: gives the head's frame.
        names: of the shapes.
        shapes: (53, 478, 3), what they do to the mesh, in the head's frame.
        mouth: teeth, gums and tongue.
        surface: (N, 3) float32, the 3D face's vertices in the head's frame.
        triangles: (T, 3) of the surface.
        moves: (53, N, 3) float32, what the shapes do to the surface.
        lit: (N,), the surface's shading at rest.
        facing: (N,) boolean, what of it is seen from the front.
    """

    model: ShapeModel
    names: tuple[str, ...]
    shapes: np.ndarray
    mouth: Mouth
    surface: np.ndarray
    triangles: np.ndarray
    moves: np.ndarray
    lit: np.ndarray
    facing: np.ndarray

    @classmethod
    def build(cls, kit: FaceKit, model: ShapeModel) -> "Rig":
        """The rig of a shape model's mean face (some seconds)."""
        mean = model.mean.double().numpy()
        carried = carry(kit, mean)
        for lid, crease in CREASES:  # lashes belong to the lid, not to the skin above it
            lid, crease = list(lid), list(crease)
            carried.shapes[:, crease] += WITH_LID * (
                carried.shapes[:, lid] - carried.shapes[:, crease]
            )
        triangles = kit.triangles[(kit.triangles < kit.narrow).all(1)]
        moves = kit.deltas[:, : kit.narrow].astype(np.float32) * np.float32(carried.scale)
        moves *= np.array([1, -1, -1], np.float32)
        mouth = draw_mouth(kit, carried.scale)
        surface = carried.vertices[: kit.narrow].astype(np.float32)
        lit = _lit(surface, triangles)
        facing = surface[:, 2] < np.quantile(surface[:, 2], 0.8)
        return cls(model, kit.names, carried.shapes, mouth, surface, triangles, moves, lit, facing)

    def save(self, path: Path) -> None:
        """Write all but the model to a safetensors file."""
        tensors = {name: getattr(self, name) for name in ARRAYS}
        tensors |= {f"mouth.{name}": value for name, value in vars(self.mouth).items()}
        tensors["moves"] = self.moves.astype(np.float16)
        write_tensors(path, tensors, {"names": json.dumps(self.names)})

    @classmethod
    def load(cls, path: Path, model: ShapeModel) -> "Rig":
        """What `save` wrote."""
        with safe_open(path, "np") as file:
            names = tuple(json.loads(file.metadata()["names"]))
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        mouth = {key.removeprefix("mouth."): tensors.pop(key) for key in [*tensors] if "." in key}
        tensors["moves"] = tensors["moves"].astype(np.float32)
        return cls(model=model, names=names, mouth=Mouth(**mouth), **tensors)

    def jaw(self, amounts: np.ndarray) -> tuple[float, np.ndarray]:
        """How far the jaw is open, and where its teeth move (3,), for weights (53,) of shapes."""
        return float(amounts[self.names.index("jawOpen")]), amounts @ self.mouth.jaw

    def amounts(self, weights: dict[str, float]) -> np.ndarray:
        """Weights (53,) of the shapes; a name without _L or _R sets both sides."""
        amounts = np.zeros(len(self.names))
        for name, weight in weights.items():
            sides = [k for k, n in enumerate(self.names) if n in (name, f"{name}_L", f"{name}_R")]
            if not sides and name not in (*GAZE, *SETTINGS):
                raise KeyError(name)
            amounts[sides] += weight
        return amounts


def pose_mesh(rig: Rig, mesh: np.ndarray, weights: dict[str, float]) -> np.ndarray:
    """The neutral mesh (478, 3) with expression shapes at some weights, in its own pose.

    Lids move as far as the person's own eyes are open, and no rim crosses its twin.

    Args:
        mesh: in pixels.
        weights: shape -> weight; "gazeRight" (to the person's left is positive), "gazeDown" move
            the irises by eye distances; "seal" 1 closes the gap between the lips.
    """
    amounts = rig.amounts(weights)
    pose = rig.model.pose(mesh)
    lids = np.array([name.startswith(OF_LIDS) for name in rig.names])
    moved = np.tensordot(amounts * ~lids, rig.shapes, 1)
    of_lids = np.tensordot(amounts * lids, rig.shapes, 1)
    head, mean = pose.to_head(mesh), rig.model.mean.double().numpy()
    left = mean[:, 0] > 0
    for side, (lower, upper) in zip((~left, left), LIDS, strict=True):
        own = (head[list(lower), 1] - head[list(upper), 1]).mean()
        usual = (mean[list(lower), 1] - mean[list(upper), 1]).mean()
        moved[side] += of_lids[side] * np.clip(own / usual, 0.4, 1.6)
    after = head + moved
    look = np.array([weights.get(GAZE[0], 0.0), weights.get(GAZE[1], 0.0), 0.0])
    for iris in (RIGHT_IRIS, LEFT_IRIS):
        after[iris : iris + 5] = head[iris : iris + 5] + look
    _seal(head, after, weights.get("seal", 0.0))
    for lower, upper in LIDS:
        _uncross(head, after, lower, upper, 0.85)  # the upper lid comes down
    _uncross(head, after, LOWER_LIP, UPPER_LIP, 0.5)
    return mesh + pose.displacement(after - head)


def _seal(before: np.ndarray, after: np.ndarray, share: float) -> None:
    """Brings the lips together, to the gap that they had before; the outer rims come half-way."""
    if not share:
        return
    lower, upper = list(LOWER_LIP), list(UPPER_LIP)
    rest = np.maximum(before[lower, 1] - before[upper, 1], SHUT)
    excess = np.clip(after[lower, 1] - after[upper, 1] - rest, 0, None) * share / 2
    after[lower, 1] -= excess
    after[upper, 1] += excess
    after[list(OUTER_LOWER), 1] -= 0.7 * excess
    after[list(OUTER_UPPER), 1] += 0.7 * excess


def _uncross(
    before: np.ndarray, after: np.ndarray, lower: tuple, upper: tuple, of_upper: float
) -> None:
    """Moves rims apart that crossed; `of_upper` of the way is the upper one's."""
    lower, upper = list(lower), list(upper)
    least = np.minimum(SHUT, before[lower, 1] - before[upper, 1])
    crossed = np.clip(after[upper, 1] + least - after[lower, 1], 0, None)
    after[upper, 1] -= of_upper * crossed
    after[lower, 1] += (1 - of_upper) * crossed


def animate(
    rig: Rig, picture: np.ndarray, mesh: np.ndarray, target: np.ndarray, weights: dict[str, float]
) -> np.ndarray:
    """The photo with the expression, uint8 (H, W, 3).

    Args:
        picture: uint8 RGB (H, W, 3), the neutral photo.
        mesh: (478, 3), its mesh in pixels.
        target: what `pose_mesh` gave for it.
        weights: the same as there; they light the folds and move the jaw's teeth.
    """
    return dress(rig, warp_photo(picture, mesh, target), picture, mesh, target, weights)


def dress(
    rig: Rig,
    moved: np.ndarray,
    picture: np.ndarray,
    mesh: np.ndarray,
    target: np.ndarray,
    weights: dict[str, float],
) -> np.ndarray:
    """The moved photo with what moving does not give: eyeballs, the inner mouth, folds' light.

    Args:
        moved: uint8 (H, W, 3), the photo warped from `mesh` to `target`.

    The other arguments are those of `animate`.
    """
    amounts = rig.amounts(weights)
    out = moved * folds(rig, target, amounts, weights.get("shade", 1.0), moved.shape[:2])[..., None]
    put_eyes(out, picture, mesh, target)
    neutral = rig.model.pose(mesh)
    jaw, white = rig.jaw(amounts), whites(picture, mesh)
    put_mouth(rig.mouth, out, neutral, mesh, target, jaw, white, weights.get("teeth", 0.0))
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)


def folds(
    rig: Rig, target: np.ndarray, amounts: np.ndarray, strength: float, size: tuple[int, int]
) -> np.ndarray:
    """How much lighter or darker skin gets as its surface turns, (H, W) float32.

    The Lambert shading of the 3D face with the expression over that without, on a coarse grid: as
    coarse as the generator's own shading, and free of the 3D mesh's facets.
    """
    moved = rig.surface + np.tensordot(amounts.astype(np.float32), rig.moves, 1)
    ratio = strength * np.log(np.clip(_lit(moved, rig.triangles) / rig.lit, *FOLDED))
    pose = rig.model.pose(target)
    places = (pose.scale * moved @ pose.rotation + pose.offset)[:, :2]
    oval = target[list(FACE_OVAL), :2]
    low = oval.min(0)
    cell = np.ptp(oval, axis=0).max() / CELLS
    cells = np.rint((places - low) / cell).astype(int) + 1
    inside = (cells >= 0).all(1) & (cells < CELLS + 3).all(1) & rig.facing
    flat = cells[inside] @ [1, CELLS + 3]
    grid, count = (
        np.bincount(flat, values, (CELLS + 3) ** 2).reshape(CELLS + 3, -1).astype(np.float32)
        for values in (ratio[inside], None)
    )
    grid, count = cv2.GaussianBlur(grid, (0, 0), 0.8), cv2.GaussianBlur(count, (0, 0), 0.8)
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
