"""Two shapes -> base flow; flow, shading, mask and colour -> picture, at any resolution.

A flow is a backward one, in pixels: `out(x) = photo(x + flow(x))`, (H, W, 2) as x, y. Networks and
base flow live in a *crop*, the working frame's pixels; `matrix` (2 x 3) carries the photo into it.
The base flow reaches `MARGIN` pixels past the crop on every side (chin, neck).
"""

from dataclasses import dataclass
from functools import cache, reduce
from itertools import pairwise

import cv2
import numpy as np

from g2gan.alignment import WORKING, eye_centres, invert, scale_of, transform
from g2gan.mesh import (
    FACE_OVAL,
    INNER_LIPS,
    LEFT_BROW,
    LEFT_EYE,
    NOSE,
    OUTER_LIPS,
    POINTS,
    RIGHT_BROW,
    RIGHT_EYE,
    SKIN_TRIANGLES,
    eye_triangles,
    mouth_triangles,
)
from g2gan.teeth import carve

MARGIN = 64
WIDE = WORKING.side + 2 * MARGIN

# Rings outside the face oval: how far out (share of the radius) and how much of the oval's movement
# they still follow. The last one stays where it is, and with it hair, ears and background.
RINGS = ((0.06, 0.92), (0.15, 0.72), (0.28, 0.46), (0.45, 0.22), (0.65, 0.07), (0.85, 0.0))

# Below these a pixel is left as it was, bit for bit: 1/64 px of flow, a quarter of an 8-bit level.
STILL, UNLIT, UNPAINTED = 1 / 64, 0.25 / 255, 1 / 512

# Gaps between the lips in eye distances: what is asked for counts as shut up to the first and as
# open from the second on; a photo's mouth likewise.
SHUT, OPEN = (0.03, 0.05), (0.03, 0.06)
FINEST = 6  # pixels of a seam's grid, at most, for each of the crop
STEPS = 1.0  # pixels of the photo by which the edge of a jump is softened
AROUND_RIM = 32  # pixels of the crop that its smoothing may reach past the face oval
ROUND_SEAM = 6  # pixels of the crop that a finer flow reaches past lips or eyes

GRAIN = 0.012  # of [0, 1]: the skin's pores differ by less from what surrounds them, lines by more


@dataclass(frozen=True)
class Seam:
    """The flow between the lips, round an eye or at the nose, on a finer grid than the crop's.

    Where lips close or open, and where a brow or a nostril hides what is behind it, the flow jumps.
    Enlarged from the crop's grid, the jump would show as steps, and as a thin line of the teeth
    that it passes over.

    Args:
        exact: (h, w, 2) float32, the base flow on the fine grid, in crop pixels.
        base: (side, side, 2) float32, the base flow whose place it takes.
        origin: (x, y), the crop's pixel at which the first pixel of `exact` lies.
        finer: pixels of the fine grid for each of the crop.
    """

    exact: np.ndarray
    base: np.ndarray
    origin: np.ndarray
    finer: int


@dataclass(frozen=True)
class Edit:
    """What is done to a crop, at the working frame's resolution.

    Args:
        flow: (WIDE, WIDE, 2) float32, base flow and residual, in crop pixels.
        shading: (side, side, 3) float32, added to the warped photo, in [-1, 1].
        mask: (side, side) float32 in [0, 1], where `colour` takes the photo's place.
        colour: (side, side, 3) float32 in [0, 1].
        erased: (side, side) float32 in [-1, 1], the share that goes of lines finer than `even`;
            negative, dark ones grow by it. None where nothing does.
        even: (side, side, 3) float32 in [0, 1], the warped crop without its finest detail.
        seams: the flow where it jumps, finer, where the photo is finer than the crop.
        target: (478, 3), the face as it will be, in crop pixels: where teeth are carved into what
            is painted white between its lips. None leaves the paint as it is.
    """

    flow: np.ndarray
    shading: np.ndarray
    mask: np.ndarray
    colour: np.ndarray
    erased: np.ndarray | None = None
    even: np.ndarray | None = None
    seams: tuple[Seam, ...] = ()
    target: np.ndarray | None = None


def base_flow(source: np.ndarray, target: np.ndarray, margin: int = MARGIN) -> np.ndarray:
    """Piecewise affine flow that moves the mesh `source` to `target`.

    Args:
        source, target: (478, 3) meshes in crop pixels.
        margin: pixels by which the flow reaches past the crop on every side; 0 gives the crop's
            own part of it.

    Returns:
        (side + 2 * margin, side + 2 * margin, 2) float32; pixel (margin, margin) is the crop's
        first. Zero where the meshes agree and outside the rings round the face.
    """
    side = WORKING.side + 2 * margin
    moved = _draw(source, target, np.array([-margin, -margin]), (side, side))
    if moved.any():
        moved = _smooth_rim(moved, target, margin)
    if margin:
        moved *= border_ramp(side, min(24, margin))[..., None]
    return moved


def _smooth_rim(flow: np.ndarray, target: np.ndarray, margin: int) -> np.ndarray:
    """The flow without jumps along the face oval, where triangles are seen edge-on."""
    oval = np.asarray(target)[list(FACE_OVAL), :2] + margin
    low = np.clip(np.floor(oval.min(0)).astype(int) - AROUND_RIM, 0, flow.shape[1::-1])
    high = np.clip(np.ceil(oval.max(0)).astype(int) + AROUND_RIM, low, flow.shape[1::-1])
    part = flow[low[1] : high[1], low[0] : high[0]]  # the rest is not touched
    if not part.size:
        return flow
    rim = np.zeros(part.shape[:2], np.uint8)
    outline = np.rint((oval - low) * 16).astype(np.int32)
    cv2.polylines(rim, [outline], True, 255, thickness=12, shift=4)
    share = cv2.GaussianBlur(rim, (0, 0), 3).astype(np.float32)[..., None] / 255
    part += share * (cv2.GaussianBlur(part, (0, 0), 2) - part)
    return flow


def seams(
    source: np.ndarray, target: np.ndarray, base: np.ndarray, scale: float
) -> tuple[Seam, ...]:
    """The seams of a base flow, mouth first; none where the photo is no finer than the crop.

    Args:
        source, target: (478, 3) meshes in crop pixels.
        base: their base flow (side, side, 2), without margin.
        scale: pixels of the crop for each of the photo.
    """
    finer = min(FINEST, int(np.ceil(1 / scale)))
    if finer == 1:
        return ()
    found, kept = [], base.copy()
    for ring in (OUTER_LIPS, RIGHT_EYE + RIGHT_BROW, LEFT_EYE + LEFT_BROW, NOSE):
        outline = np.asarray(target)[list(ring), :2]
        if (
            ring is not OUTER_LIPS
            and np.abs(outline - np.asarray(source)[list(ring), :2]).max() < 1
        ):
            continue  # nothing folds there
        low = np.clip(np.floor(outline.min(0) - ROUND_SEAM).astype(int), 0, WORKING.side - 2)
        high = np.clip(np.ceil(outline.max(0) + ROUND_SEAM).astype(int), low + 1, WORKING.side - 1)
        width, height = finer * (high - low) + 1
        exact = _draw(source, target, low, (height, width), finer)
        found.append(Seam(exact, kept, low, finer))
    return tuple(found)


def _draw(
    source: np.ndarray,
    target: np.ndarray,
    origin: np.ndarray,
    size: tuple[int, int],
    finer: int = 1,
) -> np.ndarray:
    """The base flow (h, w, 2) on a grid whose first pixel lies at `origin` (x, y) of the crop."""
    moved = np.zeros((*size, 2), np.float32)
    if np.array_equal(source[:, :2], target[:, :2]):
        return moved
    target = _sealed(source, target)
    source_all, target_all = _with_rings(source, target)
    triangles = drawing_order(target)
    corners = finer * (target_all[triangles] - origin)
    a, b, c = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0]
    seen = (corners.max(1) > -1).all(1) & (corners.min(1) < size[::-1]).all(1)
    solid = seen & (np.abs(area) > 1e-3)
    triangles, corners, a, b, c = (each[solid] for each in (triangles, corners, a, b, c))
    area = area[solid, None]

    shift = (source_all - target_all)[triangles]
    to_b, to_c = c[:, ::-1] * [1, -1] / area, b[:, ::-1] * [-1, 1] / area
    table = np.hstack(
        [a, to_b, to_c, shift[:, 0], shift[:, 1] - shift[:, 0], shift[:, 2] - shift[:, 0]]
    )
    nowhere = len(table)  # its row is zero: no flow
    table = np.ascontiguousarray(np.vstack([table, np.zeros(12)]).T, np.float32)

    labels = np.full(size, nowhere, np.int32)
    for index, triangle in enumerate(np.rint(corners * 256).astype(np.int32)):
        cv2.fillConvexPoly(labels, triangle, index, lineType=cv2.LINE_8, shift=8)
    near = np.take(table, labels.ravel(), axis=1, mode="clip")  # unchecked: twice as fast
    near = near.reshape(-1, *size)
    # Barycentric coordinates, clipped: a drawn triangle covers pixels just outside itself, where a
    # sliver's affine map would fling them far away. In place: large temporary arrays are slow.
    x = np.subtract(np.arange(size[1], dtype=np.float32), near[0], out=near[0])
    y = np.subtract(np.arange(size[0], dtype=np.float32)[:, None], near[1], out=near[1])
    weight_b, weight_c = near[2], near[4]
    for weight, of_y in ((weight_b, near[3]), (weight_c, near[5])):
        weight *= x
        weight += np.multiply(of_y, y, out=of_y)
    np.clip(weight_b, 0, 1, out=weight_b)
    np.clip(weight_c, 0, np.subtract(1, weight_b, out=near[5]), out=weight_c)
    for axis in (0, 1):
        flow = near[6 + axis]
        flow += np.multiply(weight_b, near[8 + axis], out=near[8 + axis])
        flow += np.multiply(weight_c, near[10 + axis], out=near[10 + axis])
        moved[..., axis] = flow
    return moved


def _sealed(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The target with lips that touch, where open ones are to close.

    A detector leaves a small gap between closed lips. In a photo of closed lips it holds their dark
    line; in one of an open mouth, all the teeth would be squeezed into it.
    """
    lower, upper = list(INNER_LIPS[1:10]), list(INNER_LIPS[:10:-1])
    unit = float(np.hypot(*np.subtract(*eye_centres(target))))

    def gap(mesh: np.ndarray) -> np.ndarray:
        return (mesh[lower, 1] - mesh[upper, 1]) / unit

    stays = np.clip((gap(target) - SHUT[0]) / (SHUT[1] - SHUT[0]), 0, 1)
    was_open = np.clip((gap(source) - OPEN[0]) / (OPEN[1] - OPEN[0]), 0, 1)
    closing = (was_open * (1 - stays))[:, None]
    sealed = np.array(target, np.float64)
    middle = (sealed[lower] + sealed[upper]) / 2
    for lip in (lower, upper):
        sealed[lip] += closing * (middle - sealed[lip])
    return sealed


def _with_rings(source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both meshes' x, y with the fading rings behind their 478 points."""
    source, target = (np.asarray(mesh, np.float64)[:, :2] for mesh in (source, target))
    oval = source[list(FACE_OVAL)]
    centre, movement = oval.mean(0), (target - source)[list(FACE_OVAL)]
    rings = [centre + (oval - centre) * (1 + reach) for reach, _ in RINGS]
    moved = [ring + follow * movement for ring, (_, follow) in zip(rings, RINGS, strict=True)]
    return np.concatenate([source, *rings]), np.concatenate([target, *moved])


@cache
def ring_triangles() -> np.ndarray:
    """Triangles (432, 3) between the face oval and the rings, outermost first."""
    count = len(FACE_OVAL)
    circles = [np.array(FACE_OVAL)] + [
        POINTS + k * count + np.arange(count) for k in range(len(RINGS))
    ]
    triangles = []
    for inner, outer in reversed(list(pairwise(circles))):
        after_inner, after_outer = np.roll(inner, -1), np.roll(outer, -1)
        triangles += [np.stack([inner, after_inner, outer], 1)]
        triangles += [np.stack([after_inner, after_outer, outer], 1)]
    return np.concatenate(triangles).astype(np.int32)


def drawing_order(target: np.ndarray) -> np.ndarray:
    """All triangles, what lies farther from the camera first: rings, eyes and mouth, then skin."""
    depth = np.asarray(target)[:, 2][SKIN_TRIANGLES].mean(1)
    skin = SKIN_TRIANGLES[np.argsort(-depth, kind="stable")]
    return np.concatenate([ring_triangles(), eye_triangles(), mouth_triangles(), skin])


@cache
def border_ramp(side: int, width: int) -> np.ndarray:
    """(side, side) float32: 0 on the border, rising smoothly to 1 within `width` pixels."""
    edge = np.minimum(np.arange(side), np.arange(side)[::-1])
    rise = np.clip(edge / width, 0, 1)
    rise = rise * rise * (3 - 2 * rise)
    ramp = np.minimum.outer(rise, rise).astype(np.float32)
    ramp.setflags(write=False)
    return ramp


def paint_gate(target: np.ndarray) -> np.ndarray:
    """Where painting is allowed: mouth and lids as they will be, soft at the rim.

    Args:
        target: (478, 3) mesh in crop pixels.

    Returns:
        (side, side) float32 in [0, 1].
    """
    side = WORKING.side
    gate = np.zeros((side, side), np.uint8)
    for ring in (OUTER_LIPS, RIGHT_EYE, LEFT_EYE):
        outline = np.rint(np.asarray(target)[list(ring), :2] * 16).astype(np.int32)
        cv2.fillPoly(gate, [outline], 255, shift=4)
    wide = cv2.dilate(gate, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)))
    return cv2.GaussianBlur(wide, (0, 0), 2.5).astype(np.float32) / 255


def skin_gate(target: np.ndarray) -> np.ndarray:
    """Where detail may be strengthened or weakened: the face without eyes and brows, soft.

    Args:
        target: (478, 3) mesh in crop pixels.

    Returns:
        (side, side) float32 in [0, 1].
    """
    side = WORKING.side
    target = np.asarray(target, np.float32)[:, :2]
    gate = np.zeros((side, side), np.uint8)
    cv2.fillPoly(gate, [np.rint(target[list(FACE_OVAL)] * 16).astype(np.int32)], 255, shift=4)
    gate = cv2.erode(gate, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)))
    kept = np.zeros_like(gate)
    for part in (RIGHT_EYE + RIGHT_BROW, LEFT_EYE + LEFT_BROW):
        outline = cv2.convexHull(np.rint(target[list(part)] * 16).astype(np.int32))
        cv2.fillPoly(kept, [outline], 255, shift=4)
    kept = cv2.dilate(kept, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)))
    return cv2.GaussianBlur(gate - cv2.min(gate, kept), (0, 0), 2.5).astype(np.float32) / 255


def gates(target: np.ndarray) -> np.ndarray:
    """Both gates (2, side, side), as `WarpGenerator` takes them."""
    return np.stack([paint_gate(target), skin_gate(target)])


def apply(photo: np.ndarray, matrix: np.ndarray, edit: Edit) -> tuple[np.ndarray, np.ndarray]:
    """The edit in the photo, at the photo's own resolution.

    `out = mask * colour + (1 - mask) * (moved + shading - erased * lines(moved - even))` with
    `moved = photo(x + flow(x))` and lines being what exceeds `GRAIN`, dark ones alone where they
    grow; pixels that neither move nor change colour are copied bit for bit.

    Args:
        photo: (H, W, 3) uint8.
        matrix: 2 x 3, photo to crop.
        edit: what to do, in crop pixels.

    Returns:
        The new photo (H, W, 3) uint8 and a map of what was done (H, W) uint8: 0 untouched, else 1
        to 255 for a share of 0 to 1 that is painted.
    """
    result, touched = photo.copy(), np.zeros(photo.shape[:2], np.uint8)
    window = _window(edit, matrix, photo.shape)
    if window is None:
        return result, touched
    x0, y0, x1, y1 = window
    scale = scale_of(matrix)

    whole = (slice(0, y1 - y0), slice(0, x1 - x0))

    def at_photo(field: np.ndarray, margin: int, part: tuple[slice, slice] = whole) -> np.ndarray:
        """A field that reaches `margin` past the crop, at the pixels of the window's part."""
        if scale > 1.5:  # the photo is coarser than the crop
            field = cv2.GaussianBlur(field, (0, 0), 0.4 * scale)
        rows, columns = part
        to_field = matrix.copy()
        to_field[:, 2] += matrix[:, :2] @ [x0 + columns.start, y0 + rows.start] + margin
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = (columns.stop - columns.start, rows.stop - rows.start)
        return cv2.warpAffine(field, to_field, size, flags=flags)

    in_photo = edit.flow @ np.linalg.inv(matrix[:, :2]).T.astype(np.float32)
    x, y = (at_photo(np.ascontiguousarray(in_photo[..., axis]), MARGIN) for axis in (0, 1))
    jumps = [_put_seam(x, y, seam, matrix, (x0, y0)) for seam in edit.seams]
    shading, mask = at_photo(edit.shading * 255, 0), at_photo(edit.mask, 0)
    lit = at_photo(_lit(edit).astype(np.float32), 0) > 0
    touches = (cv2.magnitude(x, y) > STILL) | lit | (mask > UNPAINTED)

    x += np.arange(x0, x1, dtype=np.float32)
    y += np.arange(y0, y1, dtype=np.float32)[:, None]
    warped = _remap(photo, x, y)
    for part, jumping in jumps:
        _smooth_steps(warped[part], jumping)
    if edit.erased is not None:
        erased = at_photo(edit.erased, 0)
        part = _where(np.abs(erased) > UNPAINTED)
        if erased[part].size:
            lines = _lines(
                cv2.subtract(warped[part], at_photo(edit.even * 255, 0, part), dtype=cv2.CV_32F)
            )
            share = cv2.merge([erased[part]] * 3)
            shading[part] -= np.where(share < 0, np.minimum(lines, 0), lines) * share
    new = cv2.add(warped, shading, dtype=cv2.CV_8U)  # rounds and saturates
    part = _where(mask > 0)
    if mask[part].size:
        share, colour = mask[part][..., None], at_photo(edit.colour * 255, 0, part)
        unpainted = warped[part] + shading[part]
        painted = unpainted + share * (colour - unpainted)
        if edit.target is not None:
            to_crop = matrix.copy()
            to_crop[:, 2] += matrix[:, :2] @ [x0 + part[1].start, y0 + part[0].start]
            painted = carve(painted, colour, mask[part], edit.target, to_crop)
        new[part] = np.clip(np.rint(painted), 0, 255)
    inside = (slice(y0, y1), slice(x0, x1))
    cv2.copyTo(new, touches.astype(np.uint8), result[inside])
    touched[inside] = touches * (1 + np.rint(mask * 254)).astype(np.uint8)
    return result, touched


def _lines(detail: np.ndarray) -> np.ndarray:
    """What of fine detail (h, w, 3) float32, in 8-bit levels, exceeds the skin's grain."""
    flat, grain = detail.reshape(len(detail), -1), 255 * GRAIN
    return (cv2.max(flat - grain, 0) + cv2.min(flat + grain, 0)).reshape(detail.shape)


def _put_seam(
    x: np.ndarray, y: np.ndarray, seam: Seam, matrix: np.ndarray, corner: tuple[int, int]
) -> tuple[tuple[slice, slice], np.ndarray]:
    """Lay a seam into a window's flow x, y (h, w), in the photo's pixels.

    Returns:
        Rows and columns of the seam in the window, and where the flow jumps there, boolean.
    """
    to_grid = seam.finer * matrix
    to_grid[:, 2] -= seam.finer * seam.origin
    height, width = seam.exact.shape[:2]
    ends = transform(invert(to_grid), np.array([[0, 0], [width, 0], [0, height], [width, height]]))
    low = np.clip(np.floor(ends.min(0)).astype(int) - corner, 0, x.shape[::-1])
    high = np.clip(np.ceil(ends.max(0)).astype(int) + 1 - corner, 0, x.shape[::-1])
    part = (slice(low[1], high[1]), slice(low[0], high[0]))
    if (high <= low).any():
        return part, np.zeros((0, 0), bool)

    def at_photo(field: np.ndarray, to_field: np.ndarray, flags: int) -> np.ndarray:
        shifted = to_field.copy()
        shifted[:, 2] += to_field[:, :2] @ (low + corner)
        size = tuple(int(n) for n in high - low)
        return cv2.warpAffine(field, shifted, size, flags=flags | cv2.WARP_INVERSE_MAP)

    smooth, jumping = (
        at_photo(seam.exact, to_grid, flags) for flags in (cv2.INTER_LINEAR, cv2.INTER_NEAREST)
    )
    jumps = np.abs(smooth - jumping).max(2, keepdims=True) > 0.5
    edge = [np.minimum(np.arange(n), np.arange(n)[::-1]) for n in (height, width)]
    fade = np.clip(np.minimum.outer(*edge) / (seam.finer * ROUND_SEAM), 0, 1).astype(np.float32)
    share = at_photo(fade, to_grid, cv2.INTER_LINEAR)[..., None]
    base = at_photo(seam.base, matrix, cv2.INTER_LINEAR)
    change = share * (np.where(jumps, jumping, smooth) - base)
    change = change @ np.linalg.inv(matrix[:, :2]).T.astype(np.float32)
    x[part] += change[..., 0]
    y[part] += change[..., 1]
    return part, jumps[..., 0]


def _smooth_steps(picture: np.ndarray, jumping: np.ndarray) -> None:
    """Softens a moved picture (h, w, 3) in place where the flow jumps: its edge is a staircase."""
    if jumping.any():
        soft = cv2.GaussianBlur(picture, (0, 0), STEPS)
        share = cv2.GaussianBlur(jumping.astype(np.float32), (0, 0), STEPS)
        share = np.clip(2 * share, 0, 1)[..., None]
        picture[:] = np.rint(picture + share * (soft - picture.astype(np.float32)))


def _where(chosen: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of the smallest rectangle that holds all chosen pixels (H, W)."""
    rows, columns = np.nonzero(chosen.any(1))[0], np.nonzero(chosen.any(0))[0]
    if not len(rows):
        return slice(0, 0), slice(0, 0)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _remap(photo: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The photo at the places x, y (h, w) each, the border repeated."""
    # only the part that is seen: OpenCV's remap stops at 32,767 pixels a side
    height, width = photo.shape[:2]
    left, top = (int(np.clip(v.min() - 4, 0, n - 1)) for v, n in ((x, width), (y, height)))
    right, bottom = (int(np.clip(v.max() + 6, 0, n - 1)) for v, n in ((x, width), (y, height)))
    part = photo[top : bottom + 1, left : right + 1]
    return cv2.remap(part, x - left, y - top, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def _lit(edit: Edit) -> np.ndarray:
    """Where shading or erasing changes the crop, boolean (side, side)."""
    lit = _largest(edit.shading) > UNLIT
    return lit if edit.erased is None else lit | (np.abs(edit.erased) > UNPAINTED)


def _largest(field: np.ndarray) -> np.ndarray:
    """The largest size (H, W) of a field's values (H, W, C), several times faster than `max(2)`."""
    return reduce(cv2.max, cv2.split(cv2.absdiff(field, 0)))


def _window(
    edit: Edit, matrix: np.ndarray, shape: tuple[int, ...]
) -> tuple[int, int, int, int] | None:
    """The photo's rectangle x0, y0, x1, y1 that the edit can touch, or None."""
    active = _largest(edit.flow) > STILL * scale_of(matrix)
    inner = active[MARGIN:-MARGIN, MARGIN:-MARGIN]
    inner |= _lit(edit) | (edit.mask > UNPAINTED)
    rows, columns = _where(active)
    if rows.stop == 0:
        return None
    x0, x1, y0, y1 = columns.start - 2, columns.stop + 1, rows.start - 2, rows.stop + 1
    corners = np.array([[x0, y0], [x1, y0], [x0, y1], [x1, y1]]) - float(MARGIN)
    reach = transform(invert(matrix), corners)
    height, width = shape[:2]
    low = np.clip(np.floor(reach.min(0)).astype(int), 0, [width, height])
    high = np.clip(np.ceil(reach.max(0)).astype(int) + 1, 0, [width, height])
    if (high <= low).any():
        return None
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def warp_photo(photo: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The photo (H, W, 3) uint8 moved from mesh `source` to `target` (478, 3, its own pixels).

    Geometry alone: what the generator starts from, and the baseline that it is measured against.
    """
    matrix = WORKING.matrix(source)
    side = WORKING.side
    edit = Edit(
        flow=base_flow(transform(matrix, source), transform(matrix, target)),
        shading=np.zeros((side, side, 3), np.float32),
        mask=np.zeros((side, side), np.float32),
        colour=np.zeros((side, side, 3), np.float32),
    )
    return apply(photo, matrix, edit)[0]
