"""What a mouth shows when its jaw drops: teeth, gums and tongue as flat pictures, lit by the photo.

Smiles keep the teeth that the generator paints and `g2gan.teeth` carves; a mouth that is opened
needs what no photo of closed lips holds. The pictures are drawn once, from the front and for
several openings of the jaw, in the head's frame, after ICT-FaceKit's mean face (MIT); they are
moved into the photo by an affine map, as fine as they are. `train.draw_mouth` makes them.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import cv2
import numpy as np

from g2gan.eyes import EYES, filled, white_by_skin
from g2gan.mesh import INNER_LIPS
from g2gan.shape import Pose

PER_UNIT = 192  # pixels of the pictures for each eye distance
HALF_WIDTH, ABOVE, BELOW = 0.5, 0.35, 0.75  # eye distances round the upper incisors' edge
BELOW_LIP = 0.052  # the upper incisors' edge below the line between closed lips
CLOSED = 0.008  # gap between lips below which nothing shows
CAVITY = (0.07, 0.035, 0.033)  # colour where nothing is, for white light of 1
BRIGHTER = np.array([1.53, 1.56, 1.53])  # lit teeth than the whites of the eyes, and less pink
SHADOW = np.array([0.85, 1.0, 1.06], np.float32)  # R, G, B: what light is left comes off gums
CHIN = (148, 152, 377)
DARK = 0.75  # share of the skin's white below which eyes do not show theirs
SMILING, DROPPED = 0.10, 0.13  # drop of the chin up to which nothing is laid in, and from which all


@dataclass(frozen=True)
class Mouth:
    """Teeth, gums and tongue in the head's frame.

    Args:
        upper: (h, w, 4) float32, R G B premultiplied and alpha in [0, 1]: what hangs on the skull.
        lower: (openings, h, w, 4), what moves with the jaw, at several openings.
            The upper incisors' edge lies at pixel (HALF_WIDTH, ABOVE) * PER_UNIT.
        drops: (openings, 3), how far the lower incisors have moved at each.
        of_chin: how far they move for each eye distance that the chin drops.
    """

    upper: np.ndarray
    lower: np.ndarray
    drops: np.ndarray
    of_chin: float


@cache
def mean_mouth() -> Mouth:
    """The pictures that come with the package."""
    here = files(__package__)
    told = json.loads((here / "mouth.json").read_text("utf-8"))
    data = np.frombuffer((here / "mouth.png").read_bytes(), np.uint8)
    sheet = cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_UNCHANGED), cv2.COLOR_BGRA2RGBA)
    pictures = np.float32(sheet).reshape(1 + len(told["drops"]), -1, *sheet.shape[1:]) / 255
    return Mouth(pictures[0], pictures[1:], np.array(told["drops"]), told["of_chin"])


def open_mouth(
    out: np.ndarray, picture: np.ndarray, pose: Pose, mesh: np.ndarray, target: np.ndarray
) -> tuple[tuple[slice, slice], np.ndarray] | None:
    """Lays teeth, gums and tongue between lips whose jaw drops, as far as it does.

    Args:
        out: uint8 (H, W, 3), the moved photo; changed in place.
        picture: uint8 (H, W, 3), the photo itself.
        pose: of the face in it.
        mesh, target: (478, 3) in pixels, before and after.

    Returns:
        What was changed, as `g2gan.eyes.put_eyes` says it; None where nothing was.
    """
    moved = pose.to_head(target)[list(CHIN)] - pose.to_head(mesh)[list(CHIN)]
    chin = moved.mean(0)
    share = np.clip((chin[1] - SMILING) / (DROPPED - SMILING), 0, 1)
    if not share:
        return None
    mouth = mean_mouth()
    drop = mouth.of_chin * chin * [1, 1, 0]
    return put_mouth(mouth, out, pose, mesh, target, drop, whites(picture, mesh), share=share)


def put_mouth(
    mouth: Mouth,
    out: np.ndarray,
    pose: Pose,
    mesh: np.ndarray,
    target: np.ndarray,
    drop: np.ndarray,
    white: np.ndarray,
    lower: float = 0.0,
    share: float = 1.0,
) -> tuple[tuple[slice, slice], np.ndarray] | None:
    """Lays teeth, gums and tongue between the target's lips.

    Args:
        out: (H, W, 3) uint8 or float32 in [0, 255], the moved photo; changed in place.
        pose: of the neutral face.
        mesh, target: (478, 3) in pixels, before and after.
        drop: (3,), how far the lower incisors move, in the head's frame.
        white: (3,), what is white in this photo's light, in [0, 255].
        lower: than usual, by which the upper incisors reach, in eye distances.
        share: how opaque they are, in [0, 1].

    Returns:
        What was changed, as `g2gan.eyes.put_eyes` says it; None where lips are closed.
    """
    lips = target[list(INNER_LIPS), :2]
    gaps = target[list(INNER_LIPS[1:10]), 1] - target[list(INNER_LIPS[:10:-1]), 1]
    if gaps.max() < CLOSED * pose.scale:
        return None
    limits = np.array(out.shape[1::-1])
    low = np.clip(np.floor(lips.min(0) - 3).astype(int), 0, limits - 2)
    high = np.clip(np.ceil(lips.max(0) + 4).astype(int), low + 2, limits)
    width, height = (int(n) for n in high - low)
    level = int(np.abs(mouth.drops[:, 1] - drop[1]).argmin())
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
    inside = put(mouth.lower[level], edge + drop - mouth.drops[level], inside)
    inside = put(mouth.upper, edge, inside) * white
    inside *= _shade(lips, low, (height, width), pose.scale)[..., None] ** SHADOW
    hole = cv2.GaussianBlur(
        filled(lips - low, (height, width)), (0, 0), max(0.5, 0.008 * pose.scale)
    )
    part = (slice(low[1], high[1]), slice(low[0], high[0]))
    hole *= share
    new = out[part] + hole[..., None] * (np.clip(inside, 0, 255) - out[part])
    out[part] = np.rint(new) if out.dtype == np.uint8 else new
    return part, hole


def _shade(lips: np.ndarray, low: np.ndarray, size: tuple[int, int], unit: float) -> np.ndarray:
    """The lips' shadow on what lies behind them, (h, w): the upper's most, and in the corners."""
    rows = np.arange(size[0], dtype=np.float32)[:, None] + low[1]
    columns = np.arange(size[1], dtype=np.float32) + low[0]
    lower, upper = lips[:11], lips[[0, *range(19, 9, -1)]]
    from_upper = np.clip(rows - np.interp(columns, *upper.T), 0, None) / unit
    from_lower = np.clip(np.interp(columns, *lower.T) - rows, 0, None) / unit
    across = np.abs(columns - lips[:, 0].mean()) / (0.5 * np.ptp(lips[:, 0]))
    corners = 0.55 * np.clip((across - 0.45) / 0.55, 0, 1) ** 1.5
    shade = (
        (1 - 0.45 * np.exp(-from_upper / 0.03))
        * (1 - 0.4 * np.exp(-from_upper / 0.12))
        * (1 - 0.25 * np.exp(-from_lower / 0.02))
    )
    return (shade * (1 - corners)).astype(np.float32)


def whites(picture: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """Colour (3,) in [0, 255] of something white in a photo's light.

    By the whites of its eyes; by the skin where these are closed or dark glasses hide them.
    """
    found = []
    for ring, _ in EYES:
        points = mesh[list(ring), :2]
        low = np.clip(np.floor(points.min(0)).astype(int), 0, None)
        high = np.ceil(points.max(0)).astype(int) + 1
        eye = picture[low[1] : high[1], low[0] : high[0]]
        found.append(eye[filled(points - low, eye.shape[:2]) > 0.9])
    pixels = np.concatenate(found).astype(np.float32)
    by_skin = white_by_skin(picture, mesh[:, :2])
    if not len(pixels):
        return by_skin
    brightest = pixels[np.argsort(pixels.sum(1))[-max(1, len(pixels) // 6) :]].mean(0)
    by_eyes = BRIGHTER * (0.4 * brightest + 0.6 * brightest.mean())
    return np.where(by_eyes.mean() < DARK * by_skin.mean(), by_skin, by_eyes)
