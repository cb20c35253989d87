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
    height, width = photo.shape[:2]
    mask = np.zeros((height + 2, width + 2), np.uint8)
    lab = cv2.GaussianBlur(cv2.cvtColor(photo, cv2.COLOR_RGB2LAB), (0, 0), 1.5)
    flags = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE
    for corner in ((0, 0), (width - 1, 0)):
        cv2.floodFill(lab, mask, corner, 0, BACKDROP, BACKDROP, flags)
    rng = np.random.default_rng(0)
    blots = np.full((height, width, 3), 110, np.float32)
    for cells, size in ((4, 45), (12, 40), (40, 30), (120, 20)):
        coarse = rng.normal(0, size, (cells, cells, 3)).astype(np.float32)
        blots += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    share = cv2.GaussianBlur(mask[1:-1, 1:-1].astype(np.float32), (0, 0), 1.5)[..., None]
    return np.clip(photo + share * (np.clip(blots, 0, 255) - photo), 0, 255).astype(np.uint8)


ALTERATIONS: dict[str, Alteration] = {
    "lit from one side": relit,
    f"{SMALL} px": small,
    "blurred": blurred,
    f"JPEG {JPEG}": compressed,
    f"tilted {TILT:.0f} degrees": tilted,
    "busy background": busy,
}
