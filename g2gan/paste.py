"""A repainted crop -> the photo, at the photo's own resolution and with a soft edge."""

import cv2
import numpy as np

from g2gan.alignment import invert, scale_of, transform

UNPAINTED = 1 / 512  # of a share, below which a pixel is left as it was, bit for bit
SAME = 0.15  # of [0, 1]: repainted by this, a place keeps a third of the photo's finer detail
LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601


def luminance(rgb: np.ndarray) -> np.ndarray:
    """Grey values (H, W, 1) of a picture (H, W, 3), float32 on the same scale."""
    return (rgb.astype(np.float32) @ LUMINANCE)[..., None]


def paste(
    photo: np.ndarray,
    matrix: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    share: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The photo with what a network changed in a crop of it.

    `out = photo + share * (after - before - (1 - stays) * (photo - before))`: what changed is
    enlarged, never the picture, so that detail too fine for the crop stays where little changed; it
    goes (`stays` is 0) where what it belonged to has. Nothing painted anew leaves the photo as it
    was. Grey crops change all three colours alike: luminance is edited and chroma kept.

    Args:
        photo: (H, W, 3) uint8.
        matrix: 2 x 3, photo to crop.
        before: (S, S, 3) or grey (S, S, 1) float32 in [0, 1], the crop as the network saw it.
        after: the same, as the network painted it.
        share: (S, S) float32 in [0, 1], how much of the new picture is taken; 0 at the border.

    Returns:
        The new photo (H, W, 3) uint8 and a map of what was done (H, W) uint8: 0 untouched, else 1
        to 255 for a share of 0 to 1.
    """
    result, touched = photo.copy(), np.zeros(photo.shape[:2], np.uint8)
    x0, y0, x1, y1 = _window(share, matrix, photo.shape)
    if x0 >= x1 or y0 >= y1:
        return result, touched
    scale = scale_of(matrix)
    to_crop = matrix.copy()
    to_crop[:, 2] += matrix[:, :2] @ [x0, y0]

    def at_photo(field: np.ndarray) -> np.ndarray:
        """A crop's field (S, S, C) at the pixels of the window, (h, w, C)."""
        if scale > 1.5:  # the photo is coarser than the crop
            field = cv2.GaussianBlur(field, (0, 0), 0.4 * scale)
        flags, size = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, (x1 - x0, y1 - y0)
        enlarged = cv2.warpAffine(np.ascontiguousarray(field), to_crop, size, flags=flags)
        return enlarged.reshape(y1 - y0, x1 - x0, -1)

    change = after - before
    moved = cv2.GaussianBlur(np.abs(change).max(2), (0, 0), 1)
    stays, weight = at_photo(np.exp(-((moved / SAME) ** 2))), at_photo(share).clip(0, 1)
    inside = (slice(y0, y1), slice(x0, x1))
    part = photo[inside].astype(np.float32)
    seen = luminance(part) if before.shape[2] == 1 else part
    finer = seen - 255 * at_photo(before)
    new = part + np.rint(weight * (255 * at_photo(change) - (1 - stays) * finer))
    touches = weight[..., 0] > UNPAINTED
    result[inside][touches] = new[touches].clip(0, 255)
    touched[inside] = touches * (1 + np.rint(weight[..., 0] * 254)).astype(np.uint8)
    return result, touched


def _window(
    share: np.ndarray, matrix: np.ndarray, shape: tuple[int, ...]
) -> tuple[int, int, int, int]:
    """The photo's rectangle x0, y0, x1, y1 that a share can reach; empty where it lies outside."""
    rows, columns = (np.flatnonzero((share > UNPAINTED).any(axis)) for axis in (1, 0))
    if not len(rows):
        return 0, 0, 0, 0
    x0, x1, y0, y1 = columns[0] - 2, columns[-1] + 2, rows[0] - 2, rows[-1] + 2
    corners = transform(invert(matrix), np.array([[x0, y0], [x1, y0], [x0, y1], [x1, y1]]))
    height, width = shape[:2]
    low = np.clip(np.floor(corners.min(0)).astype(int), 0, [width, height])
    high = np.clip(np.ceil(corners.max(0)).astype(int) + 1, 0, [width, height])
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
