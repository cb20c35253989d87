"""What a mouth shows when it opens: the 3D model's teeth, gums and tongue as flat pictures.

Drawn once, from the front and for several openings of the jaw, in the head's frame; from then on a
picture is moved into a photo by an affine map, which is fast and as fine as the photo.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from g2gan.eyes import EYES, filled
from g2gan.mesh import INNER_LIPS
from g2gan.shape import Pose
from train.facekit import FaceKit

OPENINGS = np.linspace(0, 0.7, 8)  # of the shape jawOpen
PER_UNIT = 192  # pixels of the pictures for each eye distance
FINER = 4  # drawn finer, then averaged
HALF_WIDTH, ABOVE, BELOW = 0.5, 0.35, 0.75  # eye distances round the upper incisors' edge

TOOTH = np.array([0.98, 0.92, 0.83])  # albedo, R G B
GUM = np.array([0.74, 0.42, 0.41])
TONGUE = np.array([0.72, 0.40, 0.39])
LIGHT = np.array([0.0, -0.45, -0.9])  # towards the light: in front and a little above
OVERBITE = 0.03  # how far the upper incisors cover the lower ones
BELOW_LIP = 0.035  # the upper incisors' edge below the line between closed lips
CLOSED = 0.008  # gap between lips below which nothing shows
CAVITY = (0.07, 0.035, 0.033)  # colour where nothing is, for white light of 1
BRIGHTER = 1.38  # lit teeth than the whites of the eyes, which lie in shade
DEEP = 0.45  # eye distances behind the upper incisors, where teeth end
AMBIENT, FALL = 0.6, 1.2  # light from everywhere; how fast it falls with depth, per eye distance


@dataclass(frozen=True)
class Mouth:
    """Teeth, gums and tongue in the head's frame.

    Args:
        upper: (h, w, 4) float32, R G B premultiplied and alpha in [0, 1]: what hangs on the skull.
        lower: (openings, h, w, 4), what moves with the jaw, at each of `OPENINGS`.
            The upper incisors' edge lies at pixel (HALF_WIDTH, ABOVE) * PER_UNIT.
        open: (3,), how far jawOpen moves the lower incisors.
        jaw: (53, 3), how far each expression shape moves the lower incisors, in eye distances.
    """

    upper: np.ndarray
    lower: np.ndarray
    open: np.ndarray
    jaw: np.ndarray


def draw_mouth(kit: FaceKit, scale: float) -> Mouth:
    """The pictures, of the 3D model's mean mouth.

    Args:
        kit: the model.
        scale: eye distances to one of its units.
    """
    flip = np.array([1, -1, -1]) * scale
    vertices = kit.vertices * flip
    teeth = np.arange(kit.upper.start, kit.upper.stop)
    tip = teeth[np.argmax(vertices[teeth, 1] - 2 * np.abs(vertices[teeth, 0]))]
    edge = vertices[tip].copy()
    edge[0] = 0
    low = np.arange(kit.lower.start, kit.lower.stop)
    low_tip = low[np.argmin(vertices[low, 1] + 2 * np.abs(vertices[low, 0]))]
    moves = kit.deltas.astype(np.float64) * flip
    jaw = moves[kit.names.index("jawOpen")]
    still = np.linalg.norm(jaw, axis=1) < 0.02
    front = still & (vertices[:, 2] < edge[2] + DEEP)  # what hides the jaw; the throat does not
    upper = _draw(kit, vertices, front, edge)
    bitten = vertices - [0, OVERBITE, 0]
    lower = np.stack([_draw(kit, bitten + amount * jaw, ~front, edge) for amount in OPENINGS])
    return Mouth(upper, lower, jaw[low_tip], moves[:, low_tip])


def _draw(kit: FaceKit, vertices: np.ndarray, chosen: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """The chosen vertices' triangles from the front, (h, w, 4) float32, nearer ones on top."""
    inside = np.zeros(len(vertices), bool)
    inside[kit.gums.start : kit.lower.stop] = True
    triangles = kit.triangles[(inside & chosen)[kit.triangles].all(1)]
    corners = vertices[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    of_vertex = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(of_vertex, triangles[:, k], normals)
    smooth = of_vertex[triangles].sum(1)
    smooth /= np.linalg.norm(smooth, axis=1, keepdims=True) + 1e-12
    # the flip of two axes keeps the orientation: outward normals point to the viewer, -z
    seen = normals[:, 2] < 0
    lit = np.clip(smooth @ (LIGHT / np.linalg.norm(LIGHT)), 0, 1)
    is_tooth = triangles[:, 0] >= kit.upper.start
    tongue = np.abs(corners[:, :, 0]).max(1) < 0.24
    tongue &= corners[:, :, 2].mean(1) > edge[2] + 0.12
    albedo = np.where(is_tooth[:, None], TOOTH, np.where(tongue[:, None], TONGUE, GUM))
    behind = np.clip(corners[:, :, 2].mean(1) - edge[2], 0, None)
    colour = albedo * (AMBIENT + (1 - AMBIENT) * lit)[:, None] * np.exp(-FALL * behind)[:, None]
    order = np.flatnonzero(seen)[np.argsort(-corners[seen, :, 2].mean(1), kind="stable")]
    size = (round((ABOVE + BELOW) * PER_UNIT), round(2 * HALF_WIDTH * PER_UNIT))
    canvas = np.zeros((size[0] * FINER, size[1] * FINER, 4), np.float32)
    pixels = (corners[..., :2] - edge[:2] + [HALF_WIDTH, ABOVE]) * PER_UNIT * FINER
    for triangle, paint in zip(
        np.rint(pixels[order] * 16).astype(np.int32), colour[order], strict=True
    ):
        cv2.fillConvexPoly(canvas, triangle, (*paint, 1.0), shift=4)
    return cv2.resize(canvas, size[::-1], interpolation=cv2.INTER_AREA)


def put_mouth(
    mouth: Mouth,
    out: np.ndarray,
    pose: Pose,
    mesh: np.ndarray,
    target: np.ndarray,
    jaw: tuple[float, np.ndarray],
    white: np.ndarray,
    lower: float = 0.0,
) -> None:
    """Lays teeth, gums and tongue between the target's lips.

    Args:
        out: float32 (H, W, 3), the moved photo; changed in place.
        pose: of the neutral face.
        mesh, target: (478, 3) in pixels, before and after.
        jaw: how far it is open, and where its teeth move (3,), in the head's frame.
        white: (3,), what is white in this photo's light, in [0, 255].
        lower: than usual, by which the upper incisors reach, in eye distances.
    """
    lips = target[list(INNER_LIPS), :2]
    gaps = target[list(INNER_LIPS[1:10]), 1] - target[list(INNER_LIPS[:10:-1]), 1]
    if gaps.max() < CLOSED * pose.scale:
        return
    limits = np.array(out.shape[1::-1])
    low = np.clip(np.floor(lips.min(0) - 3).astype(int), 0, limits - 2)
    high = np.clip(np.ceil(lips.max(0) + 4).astype(int), low + 2, limits)
    width, height = (int(n) for n in high - low)
    opening, drop = jaw
    level = int(np.abs(OPENINGS - opening).argmin())
    head = pose.to_head(mesh)
    edge = (head[INNER_LIPS[5]] + head[INNER_LIPS[15]]) / 2 + [0, BELOW_LIP + lower, 0]

    def put(layer: np.ndarray, at: np.ndarray, canvas: np.ndarray) -> np.ndarray:
        ends = pose.scale * (at + np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]])) @ pose.rotation
        ends = (ends + pose.offset)[:, :2] - low
        linear = np.stack([ends[1] - ends[0], ends[2] - ends[0]], 1) / PER_UNIT
        start = np.array([HALF_WIDTH, ABOVE]) * PER_UNIT
        matrix = np.column_stack([linear, ends[0] - linear @ start])
        if 1.5 * pose.scale < PER_UNIT:
            layer = cv2.GaussianBlur(layer, (0, 0), 0.4 * PER_UNIT / pose.scale)
        layer = cv2.warpAffine(layer, matrix, (width, height))
        return layer[..., :3] + (1 - layer[..., 3:]) * canvas

    inside = np.full((height, width, 3), CAVITY, np.float32)
    inside = put(mouth.lower[level], edge + drop - OPENINGS[level] * mouth.open, inside)
    inside = put(mouth.upper, edge, inside) * white
    inside *= _shade(lips, low, (height, width), pose.scale)[..., None]
    hole = cv2.GaussianBlur(
        filled(lips - low, (height, width)), (0, 0), max(0.5, 0.008 * pose.scale)
    )
    part = (slice(low[1], high[1]), slice(low[0], high[0]))
    out[part] += hole[..., None] * (inside - out[part])


def _shade(lips: np.ndarray, low: np.ndarray, size: tuple[int, int], unit: float) -> np.ndarray:
    """The lips' shadow on what lies behind them, (h, w): the upper's most, and in the corners."""
    rows = np.arange(size[0], dtype=np.float32)[:, None] + low[1]
    columns = np.arange(size[1], dtype=np.float32) + low[0]
    lower, upper = lips[:11], lips[[0, *range(19, 9, -1)]]
    from_upper = np.clip(rows - np.interp(columns, *upper.T), 0, None) / unit
    from_lower = np.clip(np.interp(columns, *lower.T) - rows, 0, None) / unit
    across = np.abs(columns - lips[:, 0].mean()) / (0.5 * np.ptp(lips[:, 0]))
    corners = 0.55 * np.clip((across - 0.45) / 0.55, 0, 1) ** 1.5
    shade = (1 - 0.45 * np.exp(-from_upper / 0.03)) * (1 - 0.25 * np.exp(-from_lower / 0.02))
    return (shade * (1 - corners)).astype(np.float32)


def whites(picture: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """Colour (3,) in [0, 255] of something white in a photo's light, by the whites of its eyes."""
    found = []
    for ring, _ in EYES:
        points = mesh[list(ring), :2]
        low = np.clip(np.floor(points.min(0)).astype(int), 0, None)
        high = np.ceil(points.max(0)).astype(int) + 1
        eye = picture[low[1] : high[1], low[0] : high[0]]
        found.append(eye[filled(points - low, eye.shape[:2]) > 0.9])
    pixels = np.concatenate(found).astype(np.float32)
    if not len(pixels):
        return np.full(3, 200.0)
    brightest = pixels[np.argsort(pixels.sum(1))[-max(1, len(pixels) // 6) :]].mean(0)
    return BRIGHTER * (0.55 * brightest + 0.45 * brightest.mean())
