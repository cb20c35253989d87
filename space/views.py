"""The part of a photo round a face, small enough to be edited while a finger moves."""

import base64
from dataclasses import dataclass

import cv2
import numpy as np

from g2gan import Face
from space.visits import Start

AROUND = 1.75  # side of a view over the face's
QUALITY = 88  # of previews, JPEG


@dataclass(frozen=True)
class View:
    """A rectangle of the photo, and the size at which it is shown.

    Args:
        box: x0, y0, x1, y1 in pixels of the photo.
        scale: pixels of the view for each of the photo.
    """

    box: tuple[int, int, int, int]
    scale: float

    @classmethod
    def of(cls, face: Face, side: int, around: float = AROUND) -> "View":
        """Round a face, its long side of `side` pixels and `around` times as long as the face."""
        x0, y0, x1, y1 = face.box
        reach = around * max(x1 - x0, y1 - y0) / 2
        centre_x, centre_y = (x0 + x1) / 2, (y0 + y1) / 2
        width, height = face.image_size
        left, top = int(max(centre_x - reach, 0)), int(max(centre_y - reach, 0))
        right = int(np.ceil(min(centre_x + reach, width)))
        bottom = int(np.ceil(min(centre_y + reach, height)))
        return cls((left, top, right, bottom), side / max(right - left, bottom - top))

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels of the view."""
        x0, y0, x1, y1 = self.box
        return round((x1 - x0) * self.scale), round((y1 - y0) * self.scale)

    def points(self, mesh: np.ndarray) -> np.ndarray:
        """A mesh (N, 3) of the photo in the view; what is a pixel's centre stays one."""
        seen = np.array(mesh, np.float64)
        seen[:, :2] = (seen[:, :2] + 0.5 - self.box[:2]) * self.scale - 0.5
        seen[:, 2] *= self.scale
        return seen

    def shares(self, mesh: np.ndarray) -> np.ndarray:
        """A mesh's x, y (N, 2) as shares of the view's long side, from its upper left corner."""
        x0, y0, x1, y1 = self.box
        return (mesh[:, :2] + 0.5 - (x0, y0)) / max(x1 - x0, y1 - y0)

    def see(self, start: Start) -> Start:
        """Pixels and face as they are in the view; made once."""
        if self not in start.views:
            x0, y0, x1, y1 = self.box
            method = cv2.INTER_AREA if self.scale < 1 else cv2.INTER_CUBIC
            rgb = cv2.resize(start.rgb[y0:y1, x0:x1], self.size, interpolation=method)
            start.views[self] = Start(rgb, Face(self.points(start.face.mesh), self.size))
        return start.views[self]


def as_data_url(rgb: np.ndarray) -> str:
    """A picture (H, W, 3) uint8 as the page shows it without another request."""
    _, jpeg = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def as_floats(array: np.ndarray) -> str:
    """An array as little-endian 32-bit floats in base64: a tenth of the time that JSON takes."""
    return base64.b64encode(np.ascontiguousarray(array, "<f4")).decode()
