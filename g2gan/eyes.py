"""Eyeballs: what lies behind lids that move, laid into their new opening at the photo's resolution.

An eyeball does not follow its lids, and an iris stays round. What the photo hides of it is filled
in, the iris from across its centre and the white from what is near; of an eye that was closed,
both are drawn.
"""

from typing import NamedTuple

import cv2
import numpy as np

from g2gan.mesh import LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS

EYES = ((RIGHT_EYE, RIGHT_IRIS), (LEFT_EYE, LEFT_IRIS))
CHEEKS = (50, 280)  # points of the mesh: skin in the same light as closed eyes

SMALLEST = 4  # pixels of an eye's width: smaller ones are left alone
# Lengths below are in widths of the eye.
# Movement up to which an eye is left to the generator, and from which it is laid in: of the lids
# (a smile's squint is less), and of the gaze.
LIDS_MOVE, GAZE_MOVES = (0.05, 0.12), (0.01, 0.04)
LASHES = (0.01, 0.035)  # along the lower and the upper rim, what is seen is lashes and shadow
SHUT = 0.35  # of the opening: below it lashes hide what is left of it
LINE = 0.018  # half the height of the line that closed lashes make
SHADOW, REACH = 0.3, 0.06  # darkening under the upper lid, and how far down it goes
RADIUS = 0.195  # of an iris whose eye is closed: 11 of 28 mm across
RIM = 1.08  # of the detector's radius: the dark rim belongs to the iris
SEEN = (0.13, 0.165)  # area of the opening, in its width squared: nothing is seen, all is used
KNOWN = (0.3, 0.55)  # share of the iris in sight: all of it is drawn, nothing is
PUPIL = 0.38  # radius of a drawn pupil, of the iris
# Where an iris is looked for: steps of its centre to the side and down and of its radius, each in
# radii as they were read; how many there are each way, and once more, as much finer
STEP, TRIED, FINER = 0.06, (1, 4, 3), 0.33
ANGLES, BESIDE = 48, 0.1  # points on a circle, and how far from it, in radii, light is compared
ALIKE = 0.97  # circles of nearly the best score count alike: their mean is taken
EDGE = 8.0  # levels by which an iris is darker than the white, where it is found
WIDE = 4  # pixels of a blur that is made at full size; wider ones are made on a smaller picture
BROWN = (0.27, 0.19, 0.15)  # a drawn iris, of the white around it


class Eyeball(NamedTuple):
    """An eye as it would be without lids, float32 in [0, 255], in pixels of its patch."""

    white: np.ndarray  # (h, w, 3), without the iris
    iris: np.ndarray  # (h, w, 4), complete; the last channel in [0, 1] says where it is
    lashes: np.ndarray  # (3,), colour of the line that lids make when they close


def put_eyes(
    out: np.ndarray, picture: np.ndarray, mesh: np.ndarray, target: np.ndarray
) -> list[tuple[tuple[slice, slice], np.ndarray]]:
    """Lays both eyeballs into the openings between the target's lids.

    Args:
        out: (H, W, 3) uint8 or float32 in [0, 255], the moved photo; changed in place.
        picture: uint8 (H, W, 3), the photo itself.
        mesh, target: (478, 3) in its pixels, before and after. The irises' difference is the gaze.

    Returns:
        What was changed: rows and columns, and the eyeball's share (h, w) float32 in [0, 1] there.
    """
    found = [
        _put_eye(out, picture, mesh[:, :2], target[:, :2], list(ring), iris) for ring, iris in EYES
    ]
    return [each for each in found if each is not None]


def _put_eye(
    out: np.ndarray,
    picture: np.ndarray,
    mesh: np.ndarray,
    target: np.ndarray,
    ring: list[int],
    iris: int,
) -> tuple[tuple[slice, slice], np.ndarray] | None:
    corners = [ring[0], ring[8]]
    width = float(np.hypot(*np.subtract(*mesh[corners])))
    if width < SMALLEST:
        return None
    carried = _similarity(mesh[corners], target[corners])  # the whole eye, with its ball
    gaze = target[iris] - _moved(carried, mesh[iris])
    of_lids = float(np.abs(target[ring] - _moved(carried, mesh[ring])).max()) / width
    of_gaze = float(np.abs(gaze).max()) / width
    laid_in = max(_rise(of_lids, LIDS_MOVE), _rise(of_gaze, GAZE_MOVES))
    if not laid_in:
        return None
    patch = _patch(mesh[ring], width, picture.shape)
    part = _patch(target[ring], width, picture.shape)
    if patch is None or part is None:
        return None
    corner = np.array([patch[1].start, patch[0].start])
    local = mesh - corner
    ball = _eyeball(picture, patch, local, ring, iris, width, mesh)

    # the patch's pixels to the part's
    place = carried.copy()
    place[:, 2] += carried[:, :2] @ corner - [part[1].start, part[0].start]
    size = (part[1].stop - part[1].start, part[0].stop - part[0].start)
    place_of_iris = place.copy()
    place_of_iris[:, 2] += gaze
    white, looking = (
        cv2.warpAffine(layer, to, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        for layer, to in ((ball.white, place), (ball.iris, place_of_iris))
    )
    lids = target[ring] - [part[1].start, part[0].start]
    shown = white + np.clip(looking[..., 3:], 0, 1) * (looking[..., :3] - white)
    shown *= _shadow(lids, size, width)[..., None]
    hole = cv2.GaussianBlur(filled(lids, size[::-1]), (0, 0), max(0.6, 0.024 * width))
    share = hole * np.float32(laid_in)
    new = out[part] + share[..., None] * (np.clip(shown, 0, 255) - out[part])
    closed = 1 - _area(lids) / max(SHUT * _area(mesh[ring]), 1e-6)
    if closed > 0:
        line = np.float32(min(1.0, 2 * closed)) * _line(lids, size[::-1], LINE * width)
        share = np.maximum(share, line)
        new = new + line[..., None] * (ball.lashes - new)
    out[part] = np.rint(new) if out.dtype == np.uint8 else new
    return part, share


def _area(ring: np.ndarray) -> float:
    """What a closed curve (N, 2) encloses, in pixels."""
    return float(cv2.contourArea(ring.astype(np.float32)))


def _line(lids: np.ndarray, size: tuple[int, int], half: float) -> np.ndarray:
    """The line where closed lids meet, (h, w) in [0, 1]; thinner in the corners."""
    line = np.zeros(size, np.uint8)
    upper = lids[[0, *range(15, 8, -1), 8]]
    lower = lids[:9]
    middle = (upper + lower) / 2
    for k, thick in enumerate(np.sin(np.linspace(0.15, np.pi - 0.15, 8))):
        ends = np.rint(middle[k : k + 2] * 16).astype(np.int32)
        cv2.line(line, ends[0], ends[1], 255, max(1, round(2 * half * thick)), cv2.LINE_AA, 4)
    return cv2.GaussianBlur(line, (0, 0), max(0.6, 0.5 * half)).astype(np.float32) / 255


def _eyeball(
    picture: np.ndarray,
    patch: tuple[slice, slice],
    local: np.ndarray,
    ring: list[int],
    iris: int,
    width: float,
    mesh: np.ndarray,
) -> Eyeball:
    """The eye in a patch of the photo, without its lids; `local` is the mesh in its pixels."""
    eye = picture[patch].astype(np.float32)
    size = eye.shape[:2]
    opening = filled(local[ring], size)
    trust = _rise(_area(local[ring]) / width**2, SEEN)
    down = _down(local[ring])
    rim = np.concatenate([[0], np.full(7, -LASHES[0]), [0], np.full(7, LASHES[1])]) * width
    inner = filled(local[ring] + rim[:, None] * down, size)
    seen = (np.minimum(inner, opening) > 0.9).astype(np.uint8)
    # the lid's shadow goes with the lid
    eye = eye / _shadow(local[ring], size[::-1], width)[..., None]

    centre = local[iris]
    read = RIM * float(np.linalg.norm(local[iris + 1 : iris + 5] - centre, axis=1).mean())
    if trust:
        centre, read = iris_circle(eye.mean(2), seen > 0, centre, read)
    radius = trust * read + (1 - trust) * RIM * RADIUS * width
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
    away = np.hypot(columns - centre[0], rows - centre[1])
    disc = np.clip((radius - away) / max(1.0, 0.12 * radius) + 0.5, 0, 1)

    of_white = seen * (away > 1.15 * radius)
    guessed = white_by_skin(picture, mesh)
    round_ball = guessed * (1.0 - 0.3 * np.clip(away / (0.5 * width), 0, 1) ** 2)[..., None]
    near = _spread(eye, of_white, width) if of_white.any() else round_ball
    white = trust * near + (1 - trust) * round_ball
    soft = cv2.GaussianBlur(of_white.astype(np.float32), (0, 0), max(0.5, 0.015 * width))
    own = trust * np.clip(2 * soft - 1, 0, 1)[..., None]
    white = white + own * (eye - white)

    inside = away < 1.15 * radius
    sight = trust * float((seen * (away < radius)).sum()) / (np.pi * radius**2)
    drawn = 1 - _rise(sight, KNOWN)
    whole = np.zeros_like(eye)
    if drawn < 1:
        along = local[ring[0]] - local[ring[8]]
        core = away < 0.85 * radius
        whole = _whole_iris(eye, seen, centre, inside, core, along / np.hypot(*along), width)
    if drawn > 0:
        colour = np.array(BROWN, np.float32) * guessed.mean()
        middle = (seen > 0) & (away < 0.85 * radius) & (away > 0.45 * radius)
        if trust > 0 and middle.sum() > 0.02 * np.pi * radius**2:
            colour = trust * np.median(eye[middle], axis=0) + (1 - trust) * colour
        x, y = (columns - centre[0]) / radius, (rows - centre[1]) / radius
        whole = whole + drawn * (_drawn_iris(x, y, colour, guessed) - whole)
    rims = picture[patch].astype(np.float32)[(opening > 0.5) & (seen == 0)]
    lashes = np.quantile(rims, 0.05, axis=0) if len(rims) else 0.3 * guessed
    return Eyeball(
        white=white.astype(np.float32),
        iris=np.concatenate([whole, disc[..., None]], 2).astype(np.float32),
        lashes=lashes.astype(np.float32),
    )


def iris_circle(
    grey: np.ndarray, seen: np.ndarray, centre: np.ndarray, radius: float
) -> tuple[np.ndarray, float]:
    """Centre (2,) and radius of an iris: the circle along which it gets lightest outwards.

    The detector's is often too low and too large where lids hide a part. Daugman's
    integro-differential operator (1993, "High confidence visual recognition of persons by a test
    of statistical independence", eq. 1), on the arcs in sight.

    Args:
        grey: (h, w) in [0, 255].
        seen: boolean (h, w), what lies between the lids.
        centre, radius: as the detector read them; returned where no circle stands out.
    """
    angles = np.linspace(0, 2 * np.pi, ANGLES, endpoint=False)
    ray = np.stack([np.cos(angles), np.sin(angles)], 1)
    grey = cv2.GaussianBlur(grey, (0, 0), max(0.5, 0.05 * radius))
    limits = np.array(grey.shape[::-1]) - 1
    steps = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in TRIED)), -1).reshape(-1, 3)
    best = np.array([*centre, radius])
    for step in (STEP, STEP * FINER):
        tried = best + step * radius * steps
        light, visible = [], True
        for at in (1 - BESIDE, 1 + BESIDE):
            points = tried[:, None, :2] + at * tried[:, None, 2:] * ray
            x, y = np.rint(np.clip(points, 0, limits)).astype(int).transpose(2, 0, 1)
            light.append(grey[y, x])
            visible = visible & seen[y, x]
        count = visible.sum(1)
        rise = np.where(visible, np.clip(light[1] - light[0], -20, 60), 0).sum(1)
        # an arc shorter than a third of the circle proves less
        score = rise / np.maximum(count, ANGLES / 3)
        if score.max() < EDGE:
            return centre, radius
        best = tried[score > ALIKE * score.max()].mean(0)
    return best[:2], float(best[2])


def _rise(value: float, ends: tuple[float, float]) -> float:
    """0 up to the first end, 1 from the second on."""
    return float(np.clip((value - ends[0]) / (ends[1] - ends[0]), 0, 1))


def _similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The similarity (2 x 3) in the plane that carries two points to two others."""
    before, after = (complex(*(pair[1] - pair[0])) for pair in (source, target))
    turn = after / before
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return np.column_stack([linear, target.mean(0) - linear @ source.mean(0)])


def _moved(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ matrix[:, :2].T + matrix[:, 2]


def _patch(ring: np.ndarray, width: float, shape: tuple[int, ...]) -> tuple[slice, slice] | None:
    """Rows and columns round an eye; None where it lies outside the picture."""
    limits = np.array(shape[1::-1])
    reach = np.array([0.2, 0.3]) * width
    low = np.clip(np.floor(ring.min(0) - reach).astype(int), 0, limits)
    high = np.clip(np.ceil(ring.max(0) + reach).astype(int) + 1, 0, limits)
    if (high - low < 2).any():
        return None
    return slice(low[1], high[1]), slice(low[0], high[0])


def _shadow(lids: np.ndarray, size: tuple[int, int], width: float) -> np.ndarray:
    """What the upper lid leaves of the light, (h, w), for a ring of lids (16, 2)."""
    down = _down(lids)
    along = np.array([down[1], -down[0]])
    rows, columns = np.mgrid[: size[1], : size[0]].astype(np.float32)
    across = along[0] * columns + along[1] * rows
    height = down[0] * columns + down[1] * rows
    upper = np.concatenate([lids[8:], lids[:1]])
    x, y = upper @ along, upper @ down
    order = np.argsort(x)
    below = np.clip(height - np.interp(across, x[order], y[order]), 0, None)
    return (1 - SHADOW * np.exp(-below / (REACH * width))).astype(np.float32)


def _down(lids: np.ndarray) -> np.ndarray:
    """The unit vector (2,) from the upper to the lower lid of a ring (16, 2)."""
    along = lids[8] - lids[0]
    down = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-6)
    return down if down @ (lids[1:8].mean(0) - lids[9:].mean(0)) >= 0 else -down


def filled(ring: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(h, w) float32 in [0, 1]: inside a closed curve (N, 2)."""
    inside = np.zeros(size, np.uint8)
    cv2.fillPoly(inside, [np.rint(ring * 16).astype(np.int32)], 255, lineType=cv2.LINE_AA, shift=4)
    return inside.astype(np.float32) / 255


def _whole_iris(
    eye: np.ndarray,
    seen: np.ndarray,
    centre: np.ndarray,
    disc: np.ndarray,
    core: np.ndarray,
    along: np.ndarray,
    width: float,
) -> np.ndarray:
    """The eye, its iris complete: from across its centre, else from what is near.

    Args:
        disc, core: boolean (h, w), the iris with and without its rim.
        along: (2,), unit vector from corner to corner: what the upper lid hides is mirrored at it.
    """
    mirror = 2 * np.outer(along, along) - np.eye(2)
    flip = np.column_stack([mirror, centre - mirror @ centre])
    size = eye.shape[1::-1]
    across = cv2.warpAffine(eye, flip, size, borderMode=cv2.BORDER_REPLICATE)
    seen_across = cv2.warpAffine(seen, flip, size, flags=cv2.INTER_NEAREST)
    known = ((seen > 0) | (seen_across > 0)) & disc
    of_iris = known & core
    border = cv2.GaussianBlur((seen > 0).astype(np.float32), (0, 0), max(0.5, 0.012 * width))
    own = np.clip(2 * border - 1, 0, 1)[..., None]  # no line where the two halves meet
    own = np.where((seen_across > 0)[..., None], own, 1.0)
    whole = np.where((seen > 0)[..., None], own * eye + (1 - own) * across, across)
    if not of_iris.any():
        return whole
    return np.where((disc & ~known)[..., None], _spread(whole, of_iris, width), whole)


def _drawn_iris(x: np.ndarray, y: np.ndarray, colour: np.ndarray, white: np.ndarray) -> np.ndarray:
    """An iris with its pupil, (h, w, 3), at places in its radii."""
    away, angle = np.hypot(x, y), np.arctan2(y, x)
    fibres = 0.05 * np.sin(31 * angle) + 0.05 * np.sin(17 * angle + 2) + 0.04 * np.sin(53 * angle)
    lighter = np.clip(1.25 - 0.35 * away, 0.6, 1.3) * (1 + fibres * np.clip(away - PUPIL, 0, 1))
    rim = 1 - 0.55 * np.clip((away - 0.78) / 0.22, 0, 1) ** 1.5
    iris = colour * (lighter * rim)[..., None]
    pupil = np.clip((PUPIL - away) / 0.2 + 0.5, 0, 1)[..., None]
    iris = iris + pupil * (0.08 * white - iris)
    gleam = 0.75 * np.exp(-((((x + 0.25) ** 2 + (y + 0.3) ** 2) / 0.12**2) ** 2))[..., None]
    return iris + gleam * (np.maximum(white, 200) - iris)


def white_by_skin(picture: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """The colour (3,) that an eye's white would have in the light of the cheeks."""
    x, y = np.rint(mesh[list(CHEEKS)]).astype(int).T
    skin = picture[y.clip(0, picture.shape[0] - 1), x.clip(0, picture.shape[1] - 1)]
    skin = skin.astype(np.float32).mean(0)
    grey = 0.55 * skin.max() + 0.45 * max(skin.max(), 150)
    return 0.85 * grey + 0.15 * skin


def _spread(picture: np.ndarray, known: np.ndarray, width: float) -> np.ndarray:
    """The known pixels' colours, carried softly to all others: the nearest count most."""
    weight = known.astype(np.float32)[..., None]
    layer = np.concatenate([picture * weight, weight], 2)
    total = np.zeros_like(picture)
    found = np.zeros_like(weight)
    for reach in (0.03, 0.1, 0.3, 1.0, 3.0):
        layer_near = _blurred(layer, reach * width / 4)
        amount = layer_near[..., 3:]
        share = (1 - found) * np.clip(amount / 0.05, 0, 1)
        total += share / np.maximum(amount, 1e-6) * layer_near[..., :3]
        found += share
    return total / np.maximum(found, 1e-3)


def _blurred(layer: np.ndarray, sigma: float) -> np.ndarray:
    """A layer (h, w, C) under a Gaussian, nothing lying past its border; a wide one made small."""
    size = layer.shape[1::-1]
    coarser = max(1.0, sigma / WIDE)
    shrunk = tuple(max(1, round(n / coarser)) for n in size)
    small = layer if shrunk == size else cv2.resize(layer, shrunk, interpolation=cv2.INTER_AREA)
    side = 2 * round(2 * sigma / coarser) + 3
    small = cv2.GaussianBlur(small, (side, side), sigma / coarser, borderType=cv2.BORDER_CONSTANT)
    return small if shrunk == size else cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)
