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
ABOVE_LIP = 0.014  # between the edges of the teeth and the lower lip
LEAST_ABOVE = 0.004  # the same, wherever a person's own teeth reach lower
BRIGHTER = 1.32  # than the strip, which is part lip on average
ENAMEL = np.array([1.06, 0.99, 0.95], np.float32)  # R, G, B of teeth for each level of their grey
ROUND = np.array([0.030, 0.040, 0.050, 0.040, 0.03, 0.03, 0.03])  # depth of a tooth's corners
GAP = np.array([1.20, 0.92, 0.88], np.float32)  # R, G, B of the shadow behind the teeth's edges
CLOSED = 0.012  # a mouth that opens less shows no teeth

# Nobody has the mean's teeth, and nobody's are the same on both sides: how far a person's stray.
WIDER, ASIDE, NEARER = 0.05, 0.008, 0.005  # widths, the middle, the gap above the lower lip
UNEVEN, ASTRAY, PALER = 0.006, 0.005, 0.05  # each tooth's length and borders; its shade
CANTED, ROUNDER, LATERAL = 0.02, 0.35, 0.5  # slope of all edges; corners; what is `SHORTER`
# Widths whose ratios tell people apart and expressions hardly change: between the eyes' inner and
# outer corners, the temples, the cheekbones, the sides of the forehead.
WIDTHS = ((133, 362), (33, 263), (127, 356), (234, 454), (54, 284))
WHOLE, SIDE = 6, len(SHADE)  # how many numbers concern all teeth; teeth of one side
OWN = WHOLE + 3 * 2 * SIDE
APART = 40.0  # radians for each unit of such a ratio's logarithm, which has a spread of some 0.04
_fixed = np.random.default_rng(0)
DIRECTIONS = APART * _fixed.normal(size=(OWN, len(WIDTHS) - 1)) / np.sqrt(len(WIDTHS) - 1)
PHASES = _fixed.uniform(0, 2 * np.pi, OWN)

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
    inside = np.clip((lower - y) / rim + 0.5, 0, 1) * np.clip((y - upper) / rim, 0, 1)
    part = colour[rows, columns]
    teeth[rows, columns] = inside * _whiteness(part)
    relief, tooth = _relief(x, y, upper, lower, pixel, own_numbers(mesh))
    enamel[rows, columns] = teeth[rows, columns] * tooth
    grey = BRIGHTER * part.mean(2, keepdims=True) * relief[..., None]
    white = np.minimum(grey * (GAP + tooth[..., None] * (1 - GAP)), 255)
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


def own_numbers(mesh: np.ndarray) -> np.ndarray:
    """Numbers (OWN,) in [-1, 1] that are a face's own, whatever its expression.

    They follow the proportions of the skull smoothly: as good as random from person to person, and
    nearly the same in each frame of an animation and in each reading of a photo.

    Args:
        mesh: (478, 3).
    """
    ends = np.asarray(mesh, np.float64)[np.array(WIDTHS)]
    widths = np.log(np.linalg.norm(ends[:, 0] - ends[:, 1], axis=-1))
    return np.sin(DIRECTIONS @ (widths[1:] - widths[0]) + PHASES)


def _relief(
    x: np.ndarray,
    y: np.ndarray,
    upper: np.ndarray,
    lower: np.ndarray,
    pixel: float,
    own: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """What the strip's brightness is multiplied with, and where it is tooth, in [0, 1].

    Args:
        x: distance from the middle, to the picture's right.
        y, upper, lower: height of the pixel and of both lips there; y grows downwards.
        pixel: size of a pixel: a line that is finer than it is drawn as wide, and fainter.
        own: (OWN,), the person's `own_numbers`.
    """
    wider, aside, nearer, canted, rounder, lateral = own[:WHOLE]
    stray, uneven, pale = own[WHOLE:].reshape(3, 2 * SIDE)
    contacts = np.concatenate([-CONTACTS[:0:-1], CONTACTS]) * (1 + WIDER * wider)
    contacts[:-1] += ASTRAY * stray  # the last one is hidden
    contacts += ASIDE * aside
    tooth = np.clip(np.searchsorted(contacts, x) - 1, 0, 2 * SIDE - 1)
    rank = np.where(tooth < SIDE, SIDE - 1 - tooth, tooth - SIDE)  # from the middle
    start, end = contacts[tooth], contacts[tooth + 1]
    off = 2 * (x - start) / (end - start) - 1  # -1 to 1 across a tooth
    gap = np.minimum(np.abs(x - start), np.abs(end - x))
    edge = np.minimum(lower - ABOVE_LIP - NEARER * nearer, upper + CROWN) + CANTED * canted * x
    edge = np.minimum(edge, lower - LEAST_ABOVE)
    edge = edge - (1 + LATERAL * lateral) * SHORTER[rank] + UNEVEN * uneven[tooth]
    edge = edge - (1 + ROUNDER * rounder) * ROUND[rank] * np.abs(off) ** 3
    above, below = np.clip(edge - y, 0, None), np.clip(y - edge, 0, None)

    def line(width: float) -> np.ndarray:
        wide = max(width, 0.6 * pixel)
        return width / wide * np.exp(-((gap / wide) ** 2))

    past = np.clip((y - edge) / max(0.008, pixel) + 0.5, 0, 1)
    contact = (0.16 + 0.44 * np.exp(-above / 0.03)) * line(0.004) + 0.16 * line(0.016)
    contact = contact * (1 - past)
    under = 0.82 * past * np.exp(-below / 0.10)
    gum = 0.20 * np.exp(-np.clip(y - upper, 0, None) / 0.03)
    glassy = 0.10 * np.exp(-above / 0.012)  # the edge lets the dark behind it through
    gleam = np.exp(-(((off + 0.1 + 0.2 * pale[tooth]) / 0.35) ** 2) - ((above - 0.06) / 0.04) ** 2)
    dark = (1 - contact) * (1 - under) * (1 - gum) * (1 - glassy)
    rounded = (1 - 0.24 * np.abs(off) ** 2.5) * (1 + 0.18 * gleam)
    relief = SHADE[rank] * (1 + PALER * pale[tooth]) * dark * rounded
    return relief, (1 - past) * (1 - contact)
