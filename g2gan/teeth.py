"""Teeth: the white strip that a network paints in a smile becomes single teeth.

A network that was trained on few people can tell how bright a mouth is, not where teeth meet. Here
the strip gets upper teeth, at the photo's own resolution: rectangles of real ones, each the mean of
several people's (`train.tooth_pictures`), in the places of a mean adult's teeth, with rounded edges
and the dark gap above the lower lip. The light stays the network's.
"""

from functools import cache
from importlib.resources import files

import cv2
import numpy as np

from g2gan.alignment import eye_centres
from g2gan.mesh import INNER_LIPS
from g2gan.own import own_numbers

# All lengths in eye distances. Where upper teeth touch, seen from the front, from the middle out:
# the teeth of ICT-FaceKit's mean face (MIT).
CONTACTS = np.array([0.0, 0.140, 0.236, 0.317, 0.384, 0.414, 0.457, 0.517])
SHORTER = np.array([0.0, 0.017, 0.008, 0.020, 0.030, 0.038, 0.044])  # each tooth than the first
SHADE = np.array([1.0, 1.0, 1.0, 0.8, 0.68, 0.55, 0.45])  # premolars and molars lie deeper
CROWN = 0.21  # as far below the upper lip as teeth reach: a crown, and some gum above it
ABOVE_LIP = 0.018  # between the edges of the teeth and the lower lip
LEAST_ABOVE = 0.004  # the same, wherever a person's own teeth reach lower
EVEN = 0.02  # sigma over which teeth are together as light as what was painted
ROUND = np.array([0.016, 0.020, 0.026, 0.022, 0.018, 0.018, 0.018])  # depth of a tooth's corners
SOFT = 0.010  # how gradually an edge ends
DARK, FADE = 0.46, 0.30  # the shadow behind the edges; how far below them it gets lighter
GAP = np.array([1.20, 0.92, 0.88], np.float32)  # R, G, B of the shadow behind the teeth's edges
# How light teeth usually are: between dark lips they come out too dark; the most they are lifted by
USUAL, LIFTED = 200.0, 1.2
KNEE = 185.0  # level from which light is compressed
LEAST_LIGHT = 0.2  # of the lightest tooth: what is darker on average is a shadow and stays one
CLOSED = 0.012  # a mouth that opens less shows no teeth
SOLID = 0.2  # share of paint from which teeth hide all that lies behind them

# `teeth.png`: pictures above each other, in them a tile for each kind of tooth from the middle out,
# its first column towards the middle, its last row the tooth's tip.
KINDS, PICTURES = 3, 8  # those that do not count as one of the first two are all like the third
TILE, TILE_REACH = (48, 24), 0.15  # rows and columns; eye distances from its lowest row to its top
LEVELS = 170  # which level is as light as the lightest of a person's teeth
NARROW, OTHER = 8.0, 0.6  # how few pictures a tooth is mixed of; how far neighbours' differ
# Relief that is finer than so many pixels: its shade lies elsewhere in a person's own teeth and is
# made fainter, its lines are crisp, and both have less colour than gums and stains in the pictures.
SHADED, LINES = (6.0, 0.5), (1.5, 1.6)
COLOURED = 0.4

# Nobody has the mean's teeth, and nobody's are the same on both sides: how far a person's stray.
WIDER, ASIDE, NEARER = 0.05, 0.005, 0.004  # widths, the middle, the gap above the lower lip
UNEVEN = np.array([0.006, 0.014, 0.014, 0.014, 0.014, 0.014, 0.014])  # each tooth's length
ASTRAY, PALER = 0.010, 0.07  # its borders; its shade
CANTED, ROUNDER, LATERAL = 0.015, 0.5, 0.7  # slope of all edges; corners; what is `SHORTER`
WHOLE, SIDE = 7, len(SHADE)  # how many numbers concern all teeth; teeth of one side
OWN = WHOLE + 3 * 2 * SIDE
TOPIC = 0  # of `own_numbers`

LOWER, UPPER = INNER_LIPS[:11], (INNER_LIPS[0], *INNER_LIPS[:9:-1])  # corner to corner


def carve(
    painted: np.ndarray,
    colour: np.ndarray,
    share: np.ndarray,
    mesh: np.ndarray,
    matrix: np.ndarray,
) -> np.ndarray:
    """The painted mouth with teeth in it, (h, w, 3) float32 in [0, 255].

    Args:
        painted: (h, w, 3) float32 in [0, 255], RGB; it says how light the teeth are.
        colour: (h, w, 3), what it was painted with: what is white of it and lies between the lips
            becomes teeth, all else stays.
        share: (h, w) in [0, 1], of paint.
        mesh: (478, 3), the face as it is painted, in crop pixels.
        matrix: 2 x 3, pixels of `painted` to pixels of the crop.
    """
    frame = lips_frame(mesh)
    to_lips = frame[:, :2] @ matrix
    to_lips[:, 2] += frame[:, 2]
    lips = np.asarray(mesh)[:, :2] @ frame[:, :2].T + frame[:, 2]
    if (lips[list(LOWER), 1] - lips[list(UPPER), 1]).max() < CLOSED:
        return painted
    part = _box(lips[list(INNER_LIPS)], to_lips, share.shape)
    if not share[part].size:  # the photo ends above the mouth
        return painted
    rows, columns = (np.arange(each.start, each.stop) for each in part)
    x, y = (axis[0] * columns + axis[1] * rows[:, None] + axis[2] for axis in to_lips)
    pixel = np.hypot(*to_lips[:, 0])  # in eye distances
    upper, lower = (heights(lips[list(lip)], x) for lip in (UPPER, LOWER))
    rim = max(1.5 * pixel, 0.01)
    white = np.clip((lower - y) / rim + 0.5, 0, 1) * np.clip((y - upper) / rim, 0, 1)
    white *= _whiteness(colour[part])
    # lips that are brightened need less paint to be white, and show through no less
    mean = (white * share[part]).sum() / max(float(white.sum()), 1e-6)
    white *= 1 - np.clip(1 - np.maximum(share[part], mean) / SOLID, 0, 1) ** 2
    teeth = _teeth(x, y, upper, lower, pixel, own_numbers(mesh, OWN, TOPIC))
    light, unlit = (_evened(each.mean(2), white, EVEN / pixel) for each in (painted[part], teeth))
    light /= np.maximum(unlit, LEAST_LIGHT)
    light *= np.clip(np.sqrt(USUAL / np.maximum(light, 1)), 1, LIFTED)
    teeth *= light[..., None]
    over = np.clip(teeth - KNEE, 0, None) / (255 - KNEE)  # no gloss is cut off
    teeth = np.minimum(teeth, KNEE) + (255 - KNEE) * (1 - np.exp(-over))
    carved = painted.copy()
    carved[part] += np.float32(white)[..., None] * (teeth - painted[part])
    return carved


def lips_frame(mesh: np.ndarray) -> np.ndarray:
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


def heights(lip: np.ndarray, x: np.ndarray) -> np.ndarray:
    """y of a lip's rim (11, 2) at every x."""
    order = np.argsort(lip[:, 0])
    return np.interp(x, lip[order, 0], lip[order, 1])


def _evened(grey: np.ndarray, white: np.ndarray, sigma: float) -> np.ndarray:
    """The weighted mean (h, w) of what lies round each pixel.

    Args:
        grey: (h, w).
        white: how much each pixel counts, in [0, 1].
        sigma: in pixels.
    """
    sums, weights = (
        cv2.GaussianBlur(np.float32(each), (0, 0), sigma) for each in (grey * white, white)
    )
    return sums / np.maximum(weights, 1e-3)


def _whiteness(colour: np.ndarray) -> np.ndarray:
    """How much like teeth, in [0, 1]: pale, and not dark."""
    red, most = colour[..., 0], colour.max(2)
    # flesh is red; green is meant as white, over lips that shine through
    flesh = (red - colour[..., 1:].min(2)) / np.maximum(red, 1)
    return np.clip((0.42 - flesh) / 0.14, 0, 1) * np.clip((most / 255 - 0.25) / 0.15, 0, 1)


@cache
def tiles() -> np.ndarray:
    """(PICTURES, KINDS, *TILE, 3) float32: real teeth; 1 is the lightest of a person's."""
    data = np.frombuffer(files(__package__).joinpath("teeth.png").read_bytes(), np.uint8)
    sheet = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1].astype(np.float32) / LEVELS
    high, wide = TILE
    return sheet.reshape(PICTURES, high, KINDS, wide, 3).transpose(0, 2, 1, 3, 4)


def _row_of_teeth(own: float, strays: np.ndarray) -> np.ndarray:
    """A person's teeth side by side, from the picture's left, (TILE[0], 2 * SIDE * TILE[1], 3).

    Args:
        own: in [-1, 1], which of the pictures they are like.
        strays: (2 * SIDE,) in [-1, 1], how each of them differs.
    """
    row = []
    for place, stray in enumerate(strays):
        right = place >= SIDE
        kind = min(place - SIDE if right else SIDE - 1 - place, KINDS - 1)
        angles = np.pi * (own + OTHER * stray) - 2 * np.pi * np.arange(PICTURES) / PICTURES
        shares = np.exp(NARROW * np.cos(angles))  # it changes smoothly with the number
        tile = np.tensordot(np.float32(shares / shares.sum()), tiles()[:, kind], 1)
        row.append(tile if right else tile[:, ::-1])
    teeth = np.concatenate(row, 1)
    blurred = [cv2.GaussianBlur(teeth, (0, 0), sigma) for sigma, _ in (SHADED, LINES)]
    relief = SHADED[1] * (blurred[1] - blurred[0]) + LINES[1] * (teeth - blurred[1])
    grey = relief.mean(2, keepdims=True)
    return blurred[0] + grey + COLOURED * (relief - grey)


def _teeth(
    x: np.ndarray,
    y: np.ndarray,
    upper: np.ndarray,
    lower: np.ndarray,
    pixel: float,
    own: np.ndarray,
) -> np.ndarray:
    """Teeth and the dark behind them, (h, w, 3) float32; 1 is as light as the lightest tooth.

    Args:
        x: distance from the middle, to the picture's right.
        y, upper, lower: height of the pixel and of both lips there; y grows downwards.
        pixel: size of a pixel: a line that is finer than it is drawn as wide, and fainter.
        own: (OWN,), the person's `own_numbers`.
    """
    wider, aside, nearer, canted, rounder, lateral, alike = own[:WHOLE]
    stray, uneven, pale = own[WHOLE:].reshape(3, 2 * SIDE)
    contacts = np.concatenate([-CONTACTS[:0:-1], CONTACTS]) * (1 + WIDER * wider)
    contacts[:-1] += ASTRAY * stray  # the last one is hidden
    contacts += ASIDE * aside
    tooth = np.clip(np.searchsorted(contacts, x) - 1, 0, 2 * SIDE - 1)
    rank = np.where(tooth < SIDE, SIDE - 1 - tooth, tooth - SIDE)  # from the middle
    start, end = contacts[tooth], contacts[tooth + 1]
    off = 2 * (x - start) / (end - start) - 1  # -1 to 1 across a tooth
    tip = np.minimum(lower - ABOVE_LIP - NEARER * nearer, upper + CROWN) + CANTED * canted * x
    tip = np.minimum(tip, lower - LEAST_ABOVE)
    tip = tip - (1 + LATERAL * lateral) * SHORTER[rank] + UNEVEN[rank] * uneven[tooth]
    edge = tip - (1 + ROUNDER * rounder) * ROUND[rank] * np.abs(off) ** 3
    below = np.clip(y - edge, 0, None)
    past = np.clip((y - edge) / max(SOFT, pixel) + 0.5, 0, 1)
    under = DARK * np.exp(-below / FADE)
    lip = 0.25 * np.exp(-np.clip(y - upper, 0, None) / 0.03)
    row, size = _row_of_teeth(alike, pale), TILE_REACH / TILE[0]
    if pixel > size:  # the picture is coarser than the tiles
        row = cv2.GaussianBlur(row, (0, 0), 0.4 * pixel / size)
    across = TILE[1] * np.clip((x - start) / (end - start), 0, 1) - 0.5
    column = tooth * TILE[1] + np.clip(across, 0, TILE[1] - 1)
    where = np.stack([column, TILE[0] - 0.5 - np.clip(tip - y, 0, TILE_REACH) / size], -1)
    tile = cv2.remap(row, np.float32(where), None, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
    shade = SHADE[rank] * (1 + PALER * pale[tooth])
    seen = tile * np.float32(shade)[..., None]
    behind = np.float32(1 - under)[..., None] * GAP
    seen += np.float32(past)[..., None] * (behind - seen)
    return seen * np.float32(1 - lip)[..., None]
