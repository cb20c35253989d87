"""How both photos of a pair are altered for training: alike, so that no network learns to do it.

Everything is drawn once a sample and then done to both photos and to their meshes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from g2gan.alignment import WORKING
from g2gan.mesh import FACE_OVAL
from train.elsewhere import before, blots

WORN = 0.25  # share of samples that look like photos from elsewhere
BACKED = 0.1  # share of samples before another backdrop than the studio's
TURNED = 0.25  # share of samples whose heads are turned
YAW, PITCH = 10.0, 6.0  # degrees by which they are at most


@dataclass(frozen=True)
class Turn:
    """A head's rotation in space; angle 0 changes no bit.

    Args:
        yaw: degrees; the nose of a positive one goes to the picture's right.
        pitch: degrees; the nose of a positive one goes down.
    """

    yaw: float
    pitch: float

    def __call__(self, mesh: np.ndarray, about: np.ndarray) -> np.ndarray:
        """A mesh (N, 3) in pixels, turned about a point (3,), seen from far away."""
        angles = np.radians([self.yaw, self.pitch])
        (sin, sin_pitch), (cos, cos_pitch) = np.sin(angles), np.cos(angles)
        yaw = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
        pitch = np.array([[1, 0, 0], [0, cos_pitch, sin_pitch], [0, -sin_pitch, cos_pitch]])
        return mesh + (mesh - about) @ (yaw @ pitch - np.eye(3))


def draw_turn(rng: np.random.Generator) -> Turn:
    """Mostly none, else a small one."""
    share = float(rng.random() < TURNED)
    return Turn(*(share * rng.uniform(-1, 1, 2) * (YAW, PITCH)))


def draw_backdrop(rng: np.random.Generator) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Now and then another backdrop: crops uint8 (S, S, 3) and their meshes to such crops.

    It stands still behind a head that moves, as backgrounds do.
    """
    if rng.random() >= BACKED:
        return lambda picture, mesh: picture
    backdrop = blots(rng, (WORKING.side, WORKING.side))
    return lambda picture, mesh: before(picture, backdrop, mesh[list(FACE_OVAL), :2])


def draw_jitter(rng: np.random.Generator) -> np.ndarray:
    """A small similarity (2 x 3) of the crop: eyes are never found quite alike."""
    middle = WORKING.side / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), rng.uniform(-4, 4), rng.uniform(0.95, 1.05))
    matrix[:, 2] += rng.uniform(-4, 4, 2)
    return matrix


def draw_look(rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """A random camera and light: crops uint8 (S, S, 3) to float32 in [0, 1], each time alike."""
    gains = rng.uniform(0.85, 1.18) * rng.uniform(0.94, 1.06, 3)
    levels = (np.arange(256)[:, None] / 255) ** rng.uniform(0.75, 1.3) * gains
    curve = np.clip(levels, 0, 1).astype(np.float32)[None]
    worn = rng.random() < WORN
    light = _light(rng) if worn else None
    wear = _wear(rng) if worn else None

    def look(picture: np.ndarray) -> np.ndarray:
        toned = cv2.LUT(picture, curve)
        return toned if wear is None else wear(np.clip(toned * light, 0, 1))

    return look


def _light(rng: np.random.Generator) -> np.ndarray:
    """Light that falls from one side, (S, S, 1): 1 in the middle, twice as much at most."""
    across = np.linspace(-1, 1, WORKING.side, dtype=np.float32)
    slope = rng.uniform(-0.35, 0.35, 2)
    return np.exp(slope[0] * across + slope[1] * across[:, None])[..., None].astype(np.float32)


def _wear(rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """What a cheaper camera does to a crop, float32 in [0, 1]: one thing, of a random size."""
    sigma, shrink = rng.uniform(0.6, 1.6), rng.uniform(1.3, 2.8)
    quality, grain = int(rng.integers(30, 85)), rng.uniform(0.005, 0.03)
    side = WORKING.side

    def blurred(picture: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(picture, (0, 0), sigma)

    def small(picture: np.ndarray) -> np.ndarray:
        size = (round(side / shrink),) * 2
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        return np.clip(cv2.resize(picture, (side,) * 2, interpolation=cv2.INTER_CUBIC), 0, 1)

    def compressed(picture: np.ndarray) -> np.ndarray:
        levels = np.rint(picture * 255).astype(np.uint8)
        data = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return cv2.imdecode(data, cv2.IMREAD_COLOR).astype(np.float32) / 255

    def grainy(picture: np.ndarray) -> np.ndarray:
        noise = rng.normal(0, grain, picture.shape)  # another draw each time
        return np.clip(picture + noise, 0, 1).astype(np.float32)

    return (blurred, small, compressed, grainy)[rng.integers(4)]
