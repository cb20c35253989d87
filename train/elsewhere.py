"""Photographs as they come from outside a studio: what is done to test pairs, both photos alike."""

from collections.abc import Callable

import cv2
import numpy as np

Alteration = Callable[[np.ndarray], np.ndarray]

SMALL = 256  # px, the longer side; a face is then about 110 px wide
BLUR = 3.0  # px of sigma on the 1350 px photographs
JPEG = 40  # quality
TILT = 20.0  # degrees, in the plane
BACKDROP = (90, 6, 6)  # 8-bit Lab by which a studio's grey backdrop differs from its corners
DARKEST = 100  # 8-bit L of a studio's backdrop


def relit(photo: np.ndarray) -> np.ndarray:
    """Light from one side, twice as strong there as on the other, and a warm tint."""
    across = np.linspace(np.sqrt(2), np.sqrt(0.5), photo.shape[1], dtype=np.float32)
    light = across[:, None] * np.float32([1.06, 1.0, 0.9])
    return np.clip(np.rint(photo * light), 0, 255).astype(np.uint8)


def small(photo: np.ndarray) -> np.ndarray:
    """As a thumbnail."""
    scale = SMALL / max(photo.shape[:2])
    return cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def blurred(photo: np.ndarray) -> np.ndarray:
    """Out of focus."""
    return cv2.GaussianBlur(photo, (0, 0), BLUR)


def compressed(photo: np.ndarray) -> np.ndarray:
    """As a messenger sends it."""
    data = cv2.imencode(".jpg", photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG])[1]
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


def tilted(photo: np.ndarray) -> np.ndarray:
    """The camera held askew."""
    height, width = photo.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), TILT, 1)
    return cv2.warpAffine(
        photo, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )


def busy(photo: np.ndarray) -> np.ndarray:
    """The studio's even backdrop replaced with coloured blots of every size."""
    return before(photo, blots(np.random.default_rng(0), photo.shape[:2]))


def blots(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Coloured ones of every size, (H, W, 3) float32 in [0, 255]."""
    height, width = size
    picture = np.full((height, width, 3), 110, np.float32)
    for cells, strength in ((4, 45), (12, 40), (40, 30), (120, 20)):
        coarse = rng.normal(0, strength, (cells, cells, 3)).astype(np.float32)
        picture += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(picture, 0, 255)


def before(photo: np.ndarray, backdrop: np.ndarray, face: np.ndarray | None = None) -> np.ndarray:
    """Who stands in a studio, before another backdrop, uint8 (H, W, 3).

    Args:
        photo: uint8 (H, W, 3); its upper corners show the studio's even backdrop, else hair, which
            is darker and stays.
        backdrop: (H, W, 3) in [0, 255].
        face: (N, 2), an outline in which nothing is replaced, whatever it looks like.
    """
    height, width = photo.shape[:2]
    mask = np.zeros((height + 2, width + 2), np.uint8)
    lab = cv2.GaussianBlur(cv2.cvtColor(photo, cv2.COLOR_RGB2LAB), (0, 0), 1.5)
    flags = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE
    if face is not None:
        cv2.fillPoly(mask, [np.rint(face + 1).astype(np.int32)], 2)  # a wall to the flood
    for x, y in ((0, 0), (width - 1, 0)):
        if lab[y, x, 0] > DARKEST:
            cv2.floodFill(lab, mask, (x, y), 0, BACKDROP, BACKDROP, flags)
    flooded = (mask[1:-1, 1:-1] == 1).astype(np.float32)
    share = cv2.GaussianBlur(flooded, (0, 0), 1.5)[..., None]
    return np.clip(photo + share * (backdrop - photo), 0, 255).astype(np.uint8)


ALTERATIONS: dict[str, Alteration] = {
    "lit from one side": relit,
    f"{SMALL} px": small,
    "blurred": blurred,
    f"JPEG {JPEG}": compressed,
    f"tilted {TILT:.0f} degrees": tilted,
    "busy background": busy,
}
