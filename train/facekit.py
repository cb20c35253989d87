"""ICT-FaceKit's expression shapes, carried onto the detector's mesh.

The 3D model (MIT licence) has 53 expression shapes on a face of its own; what they do to each of
the detector's 478 points, in the head's frame of a `ShapeModel` (unit: the eye distance), is found
once. Openings are where a nearest point goes wrong (the lips touch), so the lips' and lids'
contours are matched along the mesh, and every other point only within its own part of the face.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from scipy.interpolate import RBFInterpolator
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from g2gan.landmarks import LANDMARKS_68
from g2gan.mesh import INNER_LIPS, LEFT_EYE, OUTER_LIPS, POINTS, RIGHT_EYE, SKIN_TRIANGLES
from train.sources import DataError

JAW = range(17)  # of the 68 landmarks: slides along the outline, no fixed place
SURE, SLIDING = 1.0, 0.05  # weights of the landmarks in the first fit
STIFF = 0.02  # penalty of an identity mode, whose unit is one deviation

# Contours: the mesh's ring from corner to corner and the landmarks (dlib's order) that lie on the
# same curve of the 3D face. Lower and upper lip, lower and upper lid.
_CORNER = len(INNER_LIPS) // 2
CONTOURS = (
    (OUTER_LIPS[: _CORNER + 1], (48, 59, 58, 57, 56, 55, 54)),
    ((OUTER_LIPS[0], *OUTER_LIPS[: _CORNER - 1 : -1]), (48, 49, 50, 51, 52, 53, 54)),
    (INNER_LIPS[: _CORNER + 1], (60, 67, 66, 65, 64)),
    ((INNER_LIPS[0], *INNER_LIPS[: _CORNER - 1 : -1]), (60, 61, 62, 63, 64)),
    (RIGHT_EYE[:9], (36, 41, 40, 39)),
    ((RIGHT_EYE[0], *RIGHT_EYE[:7:-1]), (36, 37, 38, 39)),
    (LEFT_EYE[:9], (45, 46, 47, 42)),
    ((LEFT_EYE[0], *LEFT_EYE[:7:-1]), (45, 44, 43, 42)),
)
PARTS = ((2, 0), (3, 1), (4,), (5,), (6,), (7,))  # contours that seed a part of the face


@dataclass(frozen=True)
class FaceKit:
    """The 3D face model as it is distributed with the project's data.

    Args:
        vertices: (V, 3), mean face; about centimetres, y up, the person's left is +x.
        triangles: (T, 3).
        deltas: (53, V, 3), what each expression shape adds.
        names: of the expression shapes; those of one side end in _L or _R.
        identities: (20, V, 3), the largest variations between people, of unit deviation.
        landmarks: (68,), vertices in dlib's order.
        face: vertices of the face, which come first.
        narrow: those without ears and neck, first among them.
        gums, upper, lower: vertices of gums and tongue, of the upper and the lower teeth.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    deltas: np.ndarray
    names: tuple[str, ...]
    identities: np.ndarray
    landmarks: np.ndarray
    face: int = 9409
    narrow: int = 6706
    gums: range = range(14062, 17039)
    upper: range = range(17039, 19252)
    lower: range = range(19252, 21451)

    @classmethod
    def load(cls, folder: str | Path) -> "FaceKit":
        """Reads `facekit.npz` of a folder; pickles are refused.

        Raises:
            DataError: there is no such file, or another's.
        """
        path = Path(folder) / "facekit.npz"
        try:
            with np.load(path, allow_pickle=False) as kit:
                return cls(
                    vertices=kit["vertices"].astype(np.float64),
                    triangles=kit["triangles"],
                    deltas=kit["expression_deltas"].astype(np.float32),
                    names=tuple(str(name) for name in kit["expression_names"]),
                    identities=kit["identity_deltas"].astype(np.float64),
                    landmarks=kit["landmarks68"],
                )
        except (OSError, ValueError, KeyError, AttributeError, BadZipFile) as error:
            raise DataError(
                f"{path} is missing or not what train.download makes of ICT-FaceKit ({error})"
            ) from error


@dataclass(frozen=True)
class Carried:
    """Where the 3D face lies on the mean mesh, and what its shapes do there.

    Args:
        shapes: (53, 478, 3), each expression shape in the head's frame, eye distances.
        vertices: (V, 3), the 3D face laid on the mean mesh, in the head's frame.
        scale: eye distances to one unit of the 3D model.
    """

    shapes: np.ndarray
    vertices: np.ndarray
    scale: float


def carry(kit: FaceKit, mean: np.ndarray) -> Carried:
    """What every expression shape does to every point of the mesh.

    Args:
        kit: the 3D face model.
        mean: (478, 3), the mean neutral face of a `ShapeModel`, in the head's frame (x to the
            person's left, y down, z away from the camera; eye distance 1).
    """
    laid, scale = _lay(kit, mean)
    graph = _edges(kit.triangles[(kit.triangles < kit.face).all(1)], laid, kit.face)
    curves = [_curve(graph, kit.landmarks[list(marks)]) for _, marks in CONTOURS]
    exact: dict[int, np.ndarray] = {}  # point of the mesh -> weights of vertices
    for (ring, _), curve in zip(CONTOURS, curves, strict=True):
        weights = _along(laid[: kit.face], curve, mean[list(ring)])
        exact |= dict(zip(ring, weights, strict=True))

    # bend the 3D face so that contours and landmarks lie on the mesh's
    rows = np.stack(list(exact.values()))
    anchors = [*range(17, 36), *JAW]
    on_kit = np.concatenate([rows @ laid[: kit.face], laid[kit.landmarks[anchors]]])
    on_mesh = np.concatenate([mean[list(exact)], mean[np.array(LANDMARKS_68)[anchors]]])
    smoothing = np.concatenate([np.full(len(exact), 1e-5), np.full(len(anchors), 3e-2)])
    bend = RBFInterpolator(on_kit, on_mesh - on_kit, kernel="linear", smoothing=smoothing)
    laid = laid + bend(laid)

    to_vertices = _nearest_in_part(kit, laid, graph, curves, mean)
    for point, weights in exact.items():
        to_vertices[point] = weights
    shapes = np.einsum("pv,evc->epc", to_vertices, kit.deltas[:, : kit.face].astype(np.float64))
    shapes *= scale * np.array([1, -1, -1])
    return Carried(shapes, laid, scale)


def _lay(kit: FaceKit, mean: np.ndarray) -> tuple[np.ndarray, float]:
    """The 3D face (V, 3) laid on the mean mesh by a similarity and identity modes; the scale."""
    flip = np.array([1, -1, -1])
    vertices, modes = kit.vertices * flip, kit.identities * flip
    seen = mean[np.array(LANDMARKS_68)]
    weights = np.full(len(seen), SURE)
    weights[list(JAW)] = SLIDING
    face = vertices
    for _ in range(8):
        scale, rotation, offset = _similarity(face[kit.landmarks], seen, weights)
        residual = (seen - offset) @ rotation.T / scale - vertices[kit.landmarks]
        design = modes[:, kit.landmarks].transpose(1, 2, 0).reshape(-1, len(modes))
        trust = np.repeat(weights, 3)[:, None] * np.tile([1, 1, 0.3], len(seen))[:, None]
        amounts = np.linalg.solve(
            design.T @ (trust * design) + STIFF * np.eye(len(modes)),
            design.T @ (trust[:, 0] * residual.ravel()),
        )
        face = vertices + np.tensordot(amounts, modes, 1)
    return scale * face @ rotation + offset, scale


def _similarity(
    model: np.ndarray, seen: np.ndarray, weights: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Scale, rotation and offset with `seen = scale * model @ rotation + offset` (Umeyama 1991)."""
    share = (weights / weights.sum())[:, None]
    model_centre, seen_centre = (share * model).sum(0), (share * seen).sum(0)
    u, spread, v = np.linalg.svd((share * (model - model_centre)).T @ (seen - seen_centre))
    flip = np.array([1, 1, np.sign(np.linalg.det(u @ v))])
    rotation = (u * flip) @ v
    scale = float((spread * flip).sum() / (share * (model - model_centre) ** 2).sum())
    return scale, rotation, seen_centre - scale * model_centre @ rotation


def _edges(triangles: np.ndarray, vertices: np.ndarray, count: int) -> coo_array:
    """The mesh as a graph (count, count) whose edges are as long as they are in space."""
    pairs = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    pairs = np.unique(np.sort(pairs, 1), axis=0)
    lengths = np.linalg.norm(vertices[pairs[:, 0]] - vertices[pairs[:, 1]], axis=1)
    return coo_array((lengths, (pairs[:, 0], pairs[:, 1])), shape=(count, count)).tocsr()


def _curve(graph: coo_array, through: np.ndarray) -> np.ndarray:
    """Vertices of the shortest path along edges that passes through the given ones."""
    path = [int(through[0])]
    for start, end in pairwise(through):
        _, before = dijkstra(graph, directed=False, indices=start, return_predecessors=True)
        leg = [int(end)]
        while leg[-1] != start:
            leg.append(int(before[leg[-1]]))
        path += leg[-2::-1]
    return np.array(path)


def _along(vertices: np.ndarray, curve: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """Weights (len(ring), face) of the vertices at the ring's places, by share of the arc."""

    def shares(points: np.ndarray) -> np.ndarray:
        steps = np.linalg.norm(np.diff(points[:, :2], axis=0), axis=1)
        return np.append(0, np.cumsum(steps)) / steps.sum()

    place = np.interp(shares(ring), shares(vertices[curve]), np.arange(len(curve)))
    before = np.minimum(place.astype(int), len(curve) - 2)
    weights = np.zeros((len(ring), len(vertices)))
    rows = np.arange(len(ring))
    weights[rows, curve[before]] = 1 - (place - before)
    weights[rows, curve[before + 1]] += place - before
    return weights


def _nearest_in_part(
    kit: FaceKit, laid: np.ndarray, graph: coo_array, curves: list[np.ndarray], mean: np.ndarray
) -> np.ndarray:
    """Weights (478, face) of the surface point nearest to each point, in the same part of the face.

    Parts are what lies nearest, along the surface, to a lip or a lid. Irises stay where they are.
    """
    of_vertex = _parts(graph, [np.concatenate([curves[k] for k in part]) for part in PARTS])
    skin = _edges(SKIN_TRIANGLES, mean, POINTS)
    rings = [np.concatenate([CONTOURS[k][0] for k in part]) for part in PARTS]
    of_point = _parts(skin, rings)
    faces = kit.triangles[(kit.triangles < kit.face).all(1)]
    inner = np.array([[i, j, 6 - i - j] for i in range(7) for j in range(7 - i)]) / 6
    weights = np.zeros((POINTS, kit.face))
    for part in range(len(PARTS)):
        points = np.flatnonzero(of_point == part)
        mine = faces[(of_vertex[faces] == part).all(1)]
        samples = np.einsum("st,ftc->fsc", inner, laid[mine]).reshape(-1, 3)
        nearest = cKDTree(samples).query(mean[points])[1]
        triangle, sample = np.divmod(nearest, len(inner))
        np.add.at(weights, (points[:, None], mine[triangle]), inner[sample])
    return weights


def _parts(graph: coo_array, seeds: list[np.ndarray]) -> np.ndarray:
    """Which set of seeds each vertex lies nearest to along the edges; -1 where it reaches none."""
    reach = np.stack(
        [dijkstra(graph, directed=False, indices=np.unique(s), min_only=True) for s in seeds]
    )
    # on the middle line two sides are equally near: the first one, whatever the last bits say
    return np.where(np.isfinite(reach).any(0), reach.round(5).argmin(0), -1)
