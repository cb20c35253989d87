"""Teeth: the white strip that a network paints in a smile becomes single teeth.

A network that was trained on few people can tell how bright a mouth is, not where teeth meet. Here
the strip gets the relief of a mean adult's upper teeth, at the photo's own resolution: lines where
teeth touch, rounded edges, the dark gap above the lower lip. The light stays the network's.
"""

from typing import NamedTuple

import numpy as np

from g2gan.alignment import eye_centres
from g2gan.mesh import INNER_LIPS

# All lengths in eye distances. Where upper teeth touch, seen from the front, from the middle out:
# the teeth of ICT-FaceKit's mean face (MIT).
CONTACTS = np.array([0.0, 0.140, 0.236, 0.317, 0.384, 0.414, 0.457, 0.517])
SHORTER = np.array([0.0, 0.017, 0.008, 0.020, 0.030, 0.038, 0.044])  # each tooth than the first
SHADE = np.array([1.0, 0.93, 0.90, 0.80, 0.68, 0.55, 0.45])  # each lies deeper than the one before
CROWN = 0.165  # height of an incisor's crown
ABOVE_LIP = 0.018  # between the edges of the teeth and the lower lip
BRIGHTER = 1.28  # than the strip, which is part lip on average
ENAMEL = np.array([1.06, 0.99, 0.95], np.float32)  # R, G, B of teeth for each level of their grey
ROUND = np.array([0.030, 0.034, 0.044, 0.036, 0.03, 0.03, 0.03])  # depth of a tooth's corners
ASTRAY = 0.006  # nobody's teeth are the same on both sides: how far contacts and edges stray
CLOSED = 0.012  # a mouth that opens less shows no teeth

LOWER, UPPER = INNER_LIPS[:11], (INNER_LIPS[0], *INNER_LIPS[:9:-1])  # corner to corner


class Carved(NamedTuple):
    """A painted mouth with teeth in it; all float32."""

    colour: np.ndarray  # (h, w, 3) in [0, 255]
    teeth: np.ndarray  # (h, w) in [0, 1], where teeth were carved, gaps and shadows included
    enamel: np.ndarray  # (h, w) in [0, 1], where they are white


def carve(colour: np.ndarray, mesh: np.ndarray, matrix: np.ndarray) -> Carved:
    """The painted mouth with teeth in it.

    Args:
        colour: (h, w, 3) float32 in [0, 255], RGB; what is white and lies between the lips becomes
            teeth, all else stays.
        mesh: (478, 3), the face as it is painted, in crop pixels.
        matrix: 2 x 3, pixels of `colour` to pixels of the crop.
    """
    frame = _frame(mesh)
    to_lips = frame[:, :2] @ matrix
    to_lips[:, 2] += frame[:, 2]
    lips = np.asarray(mesh)[:, :2] @ frame[:, :2].T + frame[:, 2]
    teeth, enamel = np.zeros((2, *colour.shape[:2]), np.float32)
    if (lips[list(LOWER), 1] - lips[list(UPPER), 1]).max() < CLOSED:
        return Carved(colour, teeth, enamel)
    rows, columns = _box(lips[list(INNER_LIPS)], to_lips, colour.shape)
    x, y = (
        axis[0] * np.arange(columns.start, columns.stop)
        + axis[1] * np.arange(rows.start, rows.stop)[:, None]
        + axis[2]
        for axis in to_lips
    )
    pixel = np.hypot(*to_lips[:, 0])  # in eye distances
    upper, lower = (_height(lips[list(lip)], x) for lip in (UPPER, LOWER))
    rim = max(1.5 * pixel, 0.01)
    inside = np.clip((lower - y) / rim, 0, 1) * np.clip((y - upper) / rim, 0, 1)
    part = colour[rows, columns]
    teeth[rows, columns] = inside * _whiteness(part)
    relief, tooth = _relief(x, y, upper, lower, pixel)
    enamel[rows, columns] = teeth[rows, columns] * tooth
    white = np.minimum(BRIGHTER * part.mean(2, keepdims=True) * relief[..., None], 255)
    carved = colour.copy()
    carved[rows, columns] = part + teeth[rows, columns][..., None] * (white - part)
    return Carved(carved, teeth, enamel)


def _frame(mesh: np.ndarray) -> np.ndarray:
    """The 2 x 3 similarity from the mesh's pixels to eye distances: x along the eyes, y down, 0 in
    the middle of the upper lip's rim."""
    right, left = eye_centres(mesh)
    along = left - right
    linear = np.array([along, [-along[1], along[0]]]) / (along @ along)
    return np.column_stack([linear, -linear @ np.asarray(mesh)[UPPER[5], :2]])


def _box(lips: np.ndarray, to_lips: np.ndarray, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of a picture that hold some points (N, 2), given in eye distances."""
    pixels = (lips - to_lips[:, 2]) @ np.linalg.inv(to_lips[:, :2]).T
    low = np.clip(np.floor(pixels.min(0)).astype(int), 0, shape[1::-1])
    high = np.clip(np.ceil(pixels.max(0)).astype(int) + 1, 0, shape[1::-1])
    return slice(low[1], high[1]), slice(low[0], high[0])


def _height(lip: np.ndarray, x: np.ndarray) -> np.ndarray:
    """y of a lip's rim (11, 2) at every x."""
    order = np.argsort(lip[:, 0])
    return np.interp(x, lip[order, 0], lip[order, 1])


def _whiteness(colour: np.ndarray) -> np.ndarray:
    """How much like teeth, in [0, 1]: pale, and not dark."""
    red, most = colour[..., 0], colour.max(2)
    # flesh is red; green is meant as white, over lips that shine through
    flesh = (red - colour[..., 1:].min(2)) / np.maximum(red, 1)
    return np.clip((0.42 - flesh) / 0.14, 0, 1) * np.clip((most / 255 - 0.25) / 0.15, 0, 1)


def _relief(
    x: np.ndarray, y: np.ndarray, upper: np.ndarray, lower: np.ndarray, pixel: float
) -> tuple[np.ndarray, np.ndarray]:
    """What the strip's brightness is multiplied with, and where it is tooth, in [0, 1].

    Args:
        x: distance from the middle, to the picture's right.
        y, upper, lower: height of the pixel and of both lips there; y grows downwards.
        pixel: size of a pixel: a line that is finer than it is drawn as wide, and fainter.
    """
    across = np.abs(x + ASTRAY * np.sin(9 * x + 1))
    tooth = np.clip(np.searchsorted(CONTACTS, across) - 1, 0, len(SHORTER) - 1)
    start, end = CONTACTS[tooth], CONTACTS[tooth + 1]
    off = 2 * (across - start) / (end - start) - 1  # -1 to 1 across a tooth
    gap = np.minimum(np.abs(across - start), np.abs(end - across))
    straying = ASTRAY * np.sin(23 * x + 0.7)
    edge = np.minimum(lower - ABOVE_LIP, upper + CROWN) - SHORTER[tooth] + straying
    edge = edge - ROUND[tooth] * np.abs(off) ** 4
    above, below = np.clip(edge - y, 0, None), np.clip(y - edge, 0, None)

    def line(width: float) -> np.ndarray:
        wide = max(width, 0.6 * pixel)
        return width / wide * np.exp(-((gap / wide) ** 2))

    contact = (0.22 + 0.40 * np.exp(-above / 0.03)) * line(0.004) + 0.14 * line(0.014)
    past = np.clip((y - edge) / max(0.008, pixel) + 0.5, 0, 1)
    under = 0.66 * past * np.exp(-below / 0.06)
    gum = 0.16 * np.exp(-np.clip(y - upper, 0, None) / 0.025)
    glassy = 0.10 * np.exp(-above / 0.012)  # the edge lets the dark behind it through
    gleam = 0.12 * np.exp(-(((off + 0.1) / 0.45) ** 2)) * np.exp(-(((above - 0.06) / 0.04) ** 2))
    dark = (1 - contact) * (1 - under) * (1 - gum) * (1 - glassy)
    relief = SHADE[tooth] * dark * (1 - 0.20 * np.abs(off) ** 2.5) * (1 + gleam)
    return relief, (1 - past) * (1 - contact)
