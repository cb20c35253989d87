"""Where are the faces in a photo, and where are their 478 landmarks?

Faces are found first, on the whole photo and on overlapping tiles (a detector that sees the whole
of a group photo misses small faces); then the mesh is run on an enlarged crop round each one.
"""

import os
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from g2gan.alignment import eye_centres
from g2gan.engines import (
    MODEL_VARIABLE,
    SolutionsEngine,
    TasksEngine,
    box_of,
    silenced_stderr,
    start_engine,
)
from g2gan.errors import ImageError
from g2gan.mesh import POINTS

# The paper's 68 landmarks as points of the mesh, in dlib's order: jaw, brows, nose, eyes, outer and
# inner lips. "Right" in dlib's order comes first and is the person's own.
# fmt: off
LANDMARKS_68 = (
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,
    71, 63, 105, 66, 107, 336, 296, 334, 293, 301,
    168, 197, 5, 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,
    78, 82, 13, 312, 308, 317, 14, 87,
)
# fmt: on

TILE = 512  # pixels of a tile when faces are searched: well above what the detectors see (128, 192)
SMALLEST_TILE = 256  # of the photo's own pixels; below, its small faces are too coarse for a mesh
TILE_OVERLAP = 0.3  # of a tile: more than the largest face that the next coarser tiles may miss
CROP_PER_FACE = (
    2.2  # side of the mesh's crop over the face's: contour points slide when it is tight
)
CROP_SIDES = (512, 768)  # smallest and largest crop, in pixels, that the mesh is run on


@dataclass(frozen=True, eq=False)
class Face:
    """A detected face: a value, to be kept and passed on instead of detecting again.

    Args:
        mesh: (478, 3), pixels of the photo: x to the right, y down, z (same unit) smaller where
            nearer. Points may lie outside the photo. Copied, kept as read-only float64.
        image_size: (width, height) of the photo in pixels.
    """

    mesh: np.ndarray
    image_size: tuple[int, int]

    def __post_init__(self) -> None:
        mesh = np.array(self.mesh, np.float64)
        mesh.setflags(write=False)
        object.__setattr__(self, "mesh", mesh)

    @property
    def landmarks(self) -> np.ndarray:
        """The 68 landmarks of the paper, (68, 2), pixels of the photo, in dlib's order."""
        return self.mesh[list(LANDMARKS_68), :2]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(x0, y0, x1, y1) round the mesh, in pixels; forehead to chin, without hair and ears."""
        x0, y0 = self.mesh[:, :2].min(0)
        x1, y1 = self.mesh[:, :2].max(0)
        return float(x0), float(y0), float(x1), float(y1)

    @property
    def eye_distance(self) -> float:
        """Distance of the two eye centres in pixels: the unit in which errors are stated."""
        right, left = eye_centres(self.mesh)
        return float(np.hypot(*(left - right)))


class LandmarkDetector:
    """Finds faces and their landmarks. Safe to share between threads: one works at a time.

    MediaPipe is imported and started at the first `detect`. MediaPipe 0.10.21 carries its models
    and works offline; newer releases need the file `face_landmarker.task`, which is taken from
    `model_path`, else from the environment variable G2GAN_FACE_LANDMARKER, else fetched once into
    the user's cache. Where a file is given, it is used with 0.10.21 too.

    Args:
        model_path: a `face_landmarker.task`; `None` for what is described above.
    """

    def __init__(self, model_path: str | Path | None = None) -> None:
        self._model_path = model_path or os.environ.get(MODEL_VARIABLE) or None
        self._lock = threading.Lock()  # MediaPipe crashes when threads share an instance

    def detect(self, image: np.ndarray) -> list[Face]:
        """All faces of a photo, the largest first; an empty list where there is none.

        Args:
            image: uint8 RGB, (H, W, 3).

        Raises:
            ImageError: `image` is no such array.
            DetectorError: MediaPipe or its model file is missing or damaged.
        """
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
            raise ImageError("the detector takes a uint8 array (H, W, 3); open_photo makes one")
        if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise ImageError(f"the detector takes an RGB array (H, W, 3), not {image.shape}")
        image = np.ascontiguousarray(image)
        size = (image.shape[1], image.shape[0])
        with self._lock:
            meshes = [_mesh_in(self._engine, image, box) for box in _find(self._engine, image)]
        faces = [Face(mesh, size) for mesh in meshes if mesh is not None and _is_face(mesh, size)]
        faces.sort(key=lambda face: -_area(face.box))
        distinct = []
        for face in faces:
            if all(_overlap(face.box, other.box) < 0.5 for other in distinct):
                distinct.append(face)
        return distinct

    @cached_property
    def _engine(self) -> "SolutionsEngine | TasksEngine":
        with silenced_stderr():
            engine = start_engine(self._model_path)
            engine.find(np.zeros((48, 64, 3), np.uint8), whole=True)  # its first run warns too
        weakref.finalize(self, engine.close)  # left open, MediaPipe complains when Python ends
        return engine


# Boxes are (x0, y0, x1, y1) in pixels of the image that a function was given.


def _find(engine: "SolutionsEngine | TasksEngine", image: np.ndarray) -> list[np.ndarray]:
    """Boxes of what may be faces, each once: coarse tiles first, they see large faces best."""
    found: list[np.ndarray] = []
    long_side = max(image.shape[:2])
    smaller = image
    for share in sorted(engine.tile_shares):
        if share < 1 and share * long_side < SMALLEST_TILE:
            continue
        smaller = _shrunk(smaller, TILE / share)
        scale = long_side / max(smaller.shape[:2])
        boxes = [
            box * scale
            for x, y, tile in _tiles(smaller, round(share * max(smaller.shape[:2])))
            for box in engine.find(tile, whole=share == 1) + np.array([x, y, x, y])
        ]
        found = boxes + found
    distinct: list[np.ndarray] = []
    for box in found:
        if all(_overlap(box, other) < 0.5 for other in distinct):
            distinct.append(box)
    return distinct


def _shrunk(image: np.ndarray, long_side: float) -> np.ndarray:
    """The image with at most that long a side; area averaging, so that nothing aliases."""
    height, width = image.shape[:2]
    scale = long_side / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _tiles(image: np.ndarray, side: int) -> Iterator[tuple[int, int, np.ndarray]]:
    """Overlapping squares that cover the image, as x, y, pixels; less where it is narrow."""

    def starts(length: int) -> np.ndarray:
        room = max(length - side, 0)
        count = 1 + int(np.ceil(room / (side * (1 - TILE_OVERLAP))))
        return np.linspace(0, room, count).astype(int)

    for y in starts(image.shape[0]):
        for x in starts(image.shape[1]):
            yield x, y, np.ascontiguousarray(image[y : y + side, x : x + side])


def _mesh_in(
    engine: "SolutionsEngine | TasksEngine", image: np.ndarray, box: np.ndarray
) -> np.ndarray | None:
    """The mesh (478, 3), pixels of the image, of the face in a box; `None` where there is none."""
    centre = (box[:2] + box[2:]) / 2
    side = max(16, round(CROP_PER_FACE * float(np.max(box[2:] - box[:2]))))
    x, y = np.round(centre - side / 2).astype(int)
    meshes = engine.meshes(_square(image, x, y, side))
    if not meshes:
        return None
    # neighbours are in the crop too: the face that was asked for is the one in the middle
    mesh = min(meshes, key=lambda mesh: np.hypot(*(mesh[:, :2].mean(0) - 0.5)))
    mesh = mesh * side + [x, y, 0]
    found_again = _overlap(box_of(mesh), box) > 0.25
    return mesh if found_again else None


def _square(image: np.ndarray, x: int, y: int, side: int) -> np.ndarray:
    """A square of the image at a size for the mesh; its border is repeated where it leaves it."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + side, width), min(y + side, height)
    part = image[y0:y1, x0:x1]
    target = int(np.clip(side, *CROP_SIDES))
    # repeated, not mirrored: a mirrored half of a cut face would make a whole one of it
    part = cv2.copyMakeBorder(
        part, y0 - y, y + side - y1, x0 - x, x + side - x1, cv2.BORDER_REPLICATE
    )
    method = cv2.INTER_AREA if side > target else cv2.INTER_CUBIC
    return cv2.resize(part, (target, target), interpolation=method)


def _is_face(mesh: np.ndarray, size: tuple[int, int]) -> bool:
    """Not degenerate: eyes apart (a profile cannot be edited), and the middle in the photo."""
    if mesh.shape != (POINTS, 3) or not np.isfinite(mesh).all():
        return False
    right, left = eye_centres(mesh)
    x0, y0, x1, y1 = box_of(mesh)
    x, y = mesh[:, :2].mean(0)
    inside = 0 <= x < size[0] and 0 <= y < size[1]
    return bool(inside and np.hypot(*(left - right)) > 0.1 * max(x1 - x0, y1 - y0))


def _area(box: np.ndarray | tuple[float, ...]) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)


def _overlap(a: np.ndarray | tuple[float, ...], b: np.ndarray | tuple[float, ...]) -> float:
    """Shared area over the smaller box's: 1 for a box in another (half a face, seen by a tile)."""
    shared = (max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3]))
    return _area(shared) / max(min(_area(a), _area(b)), 1e-9)
