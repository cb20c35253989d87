"""Frames: the similarity that brings both eyes of a face to fixed places.

Points are (N, 2) or (N, 3) arrays of x, y (and depth) in pixels, pixel centres at integers. A
frame's matrix is 2 x 3 and carries points of the photo into the frame.
"""

from dataclasses import dataclass

import cv2
import numpy as np

# Right and left eye's corners, of the mesh and of the 68 landmarks; the person's own right.
EYE_CORNERS, EYE_CORNERS_68 = ((33, 133), (362, 263)), ((36, 39), (42, 45))


@dataclass(frozen=True)
class Frame:
    """A square in which both eye centres have fixed places.

    Args:
        side: side of the square in pixels.
        eye_distance: distance of the eye centres, as a share of the side.
        eye_line: height of the eyes below the top edge, as a share of the side.
    """

    side: int
    eye_distance: float
    eye_line: float

    def matrix(self, mesh: np.ndarray) -> np.ndarray:
        """The 2 x 3 similarity that carries a photo with this `mesh` (N, 2 or 3) into the frame.

        The 68 landmarks do as well as the whole mesh.
        """
        right, left = eye_centres(mesh)
        across = left - right
        scale = self.eye_distance * self.side / np.hypot(*across)
        angle = np.arctan2(across[1], across[0])
        cos, sin = scale * np.cos(angle), scale * np.sin(angle)
        linear = np.array([[cos, sin], [-sin, cos]])
        middle = np.array([0.5 * self.side, self.eye_line * self.side])
        return np.column_stack([linear, middle - linear @ ((right + left) / 2)])


WORKING = Frame(side=256, eye_distance=0.28, eye_line=0.32)
EVALUATION = Frame(side=128, eye_distance=0.36, eye_line=0.32)
PAPER = Frame(side=128, eye_distance=46 / 128, eye_line=40 / 128)  # `train.paper` says why
WHOLE = (slice(0, WORKING.side), slice(0, WORKING.side))  # rows and columns of the working crop


def eye_centres(mesh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres of the person's right and left eye, (2,) each: the mean of the eye's two corners.

    Args:
        mesh: the mesh (468 or 478, 2 or 3) or the 68 landmarks (68, 2 or 3).
    """
    xy = np.asarray(mesh, np.float64)[:, :2]
    right, left = EYE_CORNERS_68 if len(xy) == 68 else EYE_CORNERS
    return xy[list(right)].mean(0), xy[list(left)].mean(0)


def scale_of(matrix: np.ndarray) -> float:
    """How many pixels of the frame one pixel of the photo makes."""
    return float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))


def transform(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (N, 2 or 3) through a 2 x 3 similarity; depth is multiplied by its scale."""
    points = np.asarray(points, np.float64)
    moved = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    if points.shape[1] == 2:
        return moved
    return np.column_stack([moved, points[:, 2] * scale_of(matrix)])


def invert(matrix: np.ndarray) -> np.ndarray:
    """The 2 x 3 matrix that undoes `matrix`."""
    return cv2.invertAffineTransform(matrix)


def crop(image: np.ndarray, matrix: np.ndarray, side: int) -> np.ndarray:
    """The photo's part in a frame, (side, side, channels) of the photo's dtype.

    Edges are replicated. A photo that shrinks is blurred first, so that nothing aliases.
    """
    scale = scale_of(matrix)
    image, matrix = _around(image, matrix, side)
    if scale < 0.7:
        image = cv2.GaussianBlur(image, (0, 0), 0.4 / scale)
    return cv2.warpAffine(
        image, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )


def _around(image: np.ndarray, matrix: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The rectangle of a photo that the frame sees (OpenCV stops at 32,767 px), and its matrix."""
    corners = transform(invert(matrix), np.array([[0, 0], [side, 0], [0, side], [side, side]]))
    margin = 4 / scale_of(matrix) + 3  # what the blur and the cubic read around
    height, width = image.shape[:2]
    x0, y0 = np.clip((corners.min(0) - margin).astype(int), 0, [width - 1, height - 1])
    x1, y1 = np.clip((corners.max(0) + margin).astype(int) + 1, [x0 + 1, y0 + 1], [width, height])
    shifted = matrix.copy()
    shifted[:, 2] += matrix[:, :2] @ [x0, y0]
    return image[y0:y1, x0:x1], shifted
