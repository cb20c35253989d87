"""Drawn glasses of many shapes, the same on both photos of a pair: frames that must not bend.

The photographs hardly show any, and a network that never saw a frame moves it with the brows. A
pair is drawn in the head's frame (x to the picture's right, y down, z away from the camera, unit:
the eye distance) and projected by the head's pose.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from g2gan.mesh import FACE_OVAL, LEFT_EYE, RIGHT_EYE
from g2gan.shape import Pose, ShapeModel

HALF_WIDTH, HALF_HEIGHT = (0.35, 0.46), (0.24, 0.40)  # of a lens
ROUNDNESS = (2.0, 4.5)  # exponent of the superellipse: 2 is an ellipse
THICKNESS = (0.012, 0.08)  # of a frame
LOWER = (0.0, 0.12)  # by how much lenses sit lower than the eyes
BEFORE = 0.08  # how far in front of the bridge of the nose
WRAP = 0.12  # how much the frame follows the face backwards, times x squared
NOSE_BRIDGE = 168
CORNERS = 48  # of a rim
SUBPIXEL = 4  # bits of OpenCV's fixed-point coordinates
# Pixels beside a rim by which it is known again, of the search on both sides, and of its steps.
# Disgust lifts the skin behind lower rims by 14 of the 256 px in which they are measured.
SEEN_BESIDE, FARTHEST, STEP = 2.0, 16.0, 0.1


@dataclass(frozen=True)
class Glasses:
    """A pair of glasses.

    Args:
        outer, inner: (2, N, 3), the outlines of both rims.
        bars: (3, 4, 3), bridge and temples as quadrangles.
        colour: (3,), of the frame, RGB in [0, 255].
        glare: opacity of what the lenses mirror.
    """

    outer: np.ndarray
    inner: np.ndarray
    bars: np.ndarray
    colour: np.ndarray
    glare: float


def draw_glasses(rng: np.random.Generator, model: ShapeModel) -> Glasses:
    """Random glasses that sit well on the mean face."""
    mean = model.mean.double().numpy()
    width, height = rng.uniform(*HALF_WIDTH), rng.uniform(*HALF_HEIGHT)
    thick, power = rng.uniform(*THICKNESS), rng.uniform(*ROUNDNESS)
    angle = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle)], -1)
    ring = np.sign(ring) * np.abs(ring) ** (2 / power)
    eyes = np.array([mean[list(eye), :2].mean(0) for eye in (RIGHT_EYE, LEFT_EYE)])
    eyes[:, 1] += rng.uniform(*LOWER)
    depth = mean[NOSE_BRIDGE, 2] - BEFORE

    def in_space(points: np.ndarray) -> np.ndarray:
        z = depth + WRAP * points[..., :1] ** 2
        return np.concatenate([points, z], -1)

    rims = [
        in_space(eyes[:, None] + ring * [width + t, height + t]) for t in (thick / 2, -thick / 2)
    ]
    half = max(thick, 0.02) / 2
    level = eyes[:, 1].mean() - rng.uniform(0, 0.3) * height
    gap = np.array([eyes[0, 0] + width, eyes[1, 0] - width])
    bridge = in_space(_bar(np.array([[gap[0], level], [gap[1], level]]), half))
    bars = [bridge]
    for side, eye in zip((-1, 1), eyes, strict=True):
        ear = max((mean[point] for point in FACE_OVAL), key=lambda p, s=side: s * p[0])
        bar = in_space(_bar(np.array([[eye[0] + side * width, level], [ear[0], level]]), half))
        bar[[1, 2], 2] = ear[2]
        bars.append(bar)
    dark = rng.random() < 0.7
    colour = np.full(3, rng.uniform(5, 70)) if dark else rng.uniform(30, 200, 3)
    glare = rng.uniform(0, 0.25) if rng.random() < 0.5 else 0.0
    return Glasses(rims[0], rims[1], np.stack(bars), colour, glare)


def wear(picture: np.ndarray, pose: Pose, glasses: Glasses) -> np.ndarray:
    """The face with the glasses on, uint8 (H, W, 3).

    Args:
        picture: uint8 RGB (H, W, 3).
        pose: the head's, in pixels of it.
    """

    def filled(*outlines: np.ndarray) -> np.ndarray:
        canvas = np.zeros(picture.shape[:2], np.uint8)
        for outline in outlines:
            points = pose.scale * outline @ pose.rotation + pose.offset
            fixed = np.rint(points[:, :2] * 2**SUBPIXEL).astype(np.int32)
            cv2.fillPoly(canvas, [fixed], 255, cv2.LINE_AA, SUBPIXEL)
        return canvas.astype(np.float32)[..., None] / 255

    lenses = filled(*glasses.inner)
    frame = np.maximum(filled(*glasses.outer) - lenses, filled(*glasses.bars) * (1 - lenses))
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    stripes = 0.5 + 0.5 * np.sin((rows + columns) / pose.scale * 4)  # a window, more or less
    mirrored = (glasses.glare * stripes)[..., None] * lenses
    out = picture + mirrored * (255 - picture.astype(np.float32))
    out += frame * (glasses.colour - out)
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)


def _bar(line: np.ndarray, half: float) -> np.ndarray:
    """The quadrangle (4, 2) round a horizontal line (2, 2)."""
    (x0, y0), (x1, y1) = line
    return np.array([[x0, y0 - half], [x1, y1 - half], [x1, y1 + half], [x0, y0 + half]])


def rims_moved(
    before: np.ndarray, after: np.ndarray, pose: Pose, glasses: Glasses
) -> tuple[float, float]:
    """How far an edit moved the rims, across themselves: mean and 95th percentile, in pixels.

    Each place of a rim is looked for along its normal, by the least squared difference.

    Args:
        before, after: uint8 RGB (H, W, 3), the face with the glasses on and its edit.
        pose: the head's in both.
    """

    def projected(points: np.ndarray) -> np.ndarray:
        return (pose.scale * points @ pose.rotation + pose.offset)[..., :2]

    outer, inner = projected(glasses.outer), projected(glasses.inner)
    middle = (outer + inner) / 2
    along = np.roll(middle, 1, 1) - np.roll(middle, -1, 1)
    normal = np.stack([along[..., 1], -along[..., 0]], -1)
    normal = (normal / np.linalg.norm(normal, axis=-1, keepdims=True)).reshape(-1, 1, 2)
    middle = middle.reshape(-1, 1, 2)
    reach = np.linalg.norm(outer - inner, axis=-1).mean() / 2 + SEEN_BESIDE
    near = np.arange(-reach, reach + STEP / 2, STEP)
    shifts = np.arange(-FARTHEST, FARTHEST + STEP / 2, STEP)

    def profiles(picture: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        where = (middle + normal * offsets[:, None]).astype(np.float32)
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
        return cv2.remap(grey, where, None, cv2.INTER_LINEAR)

    was = profiles(before, near)
    off = [((profiles(after, near + shift) - was) ** 2).sum(1) for shift in shifts]
    moved = np.abs(shifts[np.argmin(off, 0)])
    return float(moved.mean()), float(np.percentile(moved, 95))
