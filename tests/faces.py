"""A drawn face that the detector takes for one: tests need faces, but no person's photo.

Places are shares of the picture's side, so that a test knows where the eyes and the mouth are.
"""

import cv2
import numpy as np

RIGHT_EYE, LEFT_EYE = (0.385, 0.45), (0.615, 0.45)  # centres; the person's own right is on the left
MOUTH_CENTRE = (0.5, 0.735)
SKIN = (214, 170, 145)


def draw_face(
    size: int = 512,
    smile: float = 0.0,
    colour: tuple[int, int, int] = SKIN,
    background: tuple[int, int, int] = (120, 130, 140),
    seed: int = 0,
) -> np.ndarray:
    """A frontal face on a plain ground, uint8 RGB (size, size, 3).

    Args:
        size: side in pixels; the face is 0.56 of it wide.
        smile: 0 closed and straight, 1 wide; the corners rise and the lips part.
        colour: of the skin, RGB.
        background: RGB.
        seed: of the skin's grain.
    """
    side = max(512, size)  # small ones are shrunk: their features would be too coarse to draw
    rng = np.random.default_rng(seed)
    skin = np.array(colour, np.float32)
    picture = np.empty((side, side, 3), np.float32)
    picture[:] = background

    def point(x: float, y: float) -> tuple[int, int]:
        return round(x * side), round(y * side)

    def paint(
        mask: np.ndarray, tone: np.ndarray | tuple, blur: float, strength: float = 1.0
    ) -> None:
        margin = round(4 * blur * side) + 1  # only where the paint goes: drawing stays quick
        where = tuple(
            slice(max(0, places.min() - margin), places.max() + margin + 1)
            for places in np.nonzero(mask)
        )
        soft = cv2.GaussianBlur(mask[where], (0, 0), blur * side)[..., None] * strength
        tone = np.asarray(tone, np.float32)
        picture[where] = (
            picture[where] * (1 - soft) + (tone[where] if tone.ndim == 3 else tone) * soft
        )

    def ellipse(x: float, y: float, a: float, b: float) -> np.ndarray:
        mask = np.zeros((side, side), np.float32)
        return cv2.ellipse(mask, point(x, y), point(a, b), 0, 0, 360, 1.0, -1)

    def shape(points: list[tuple[float, float]]) -> np.ndarray:
        mask = np.zeros((side, side), np.float32)
        return cv2.fillPoly(mask, [np.array([point(*p) for p in points])], 1.0)

    def arc(x: float, y: float, a: float, rise: float, n: int = 24) -> list[tuple[float, float]]:
        t = np.linspace(-1, 1, n)
        return [(x + a * u, y - rise * (1 - u * u)) for u in t]

    # hair, neck, head with light from above left
    paint(ellipse(0.5, 0.44, 0.33, 0.40), (52, 38, 30), 0.008)
    paint(shape([(0.38, 0.75), (0.62, 0.75), (0.66, 1.0), (0.34, 1.0)]), skin * 0.72, 0.01)
    head = ellipse(0.5, 0.53, 0.275, 0.37)
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float32) / side
    light = 1.05 - 1.4 * ((columns - 0.47) ** 2) / 0.275 - 0.35 * (rows - 0.45) ** 2 / 0.37
    paint(head, skin * light[..., None], 0.006)
    paint(shape([*arc(0.5, 0.27, 0.24, 0.10), (0.74, 0.2), (0.26, 0.2)]), (52, 38, 30), 0.01)

    for x, y in (RIGHT_EYE, LEFT_EYE):
        paint(ellipse(x, y - 0.01, 0.075, 0.05), skin * 0.72, 0.016, 0.7)  # socket
        brow = [*arc(x, y - 0.07, 0.078, 0.025), *reversed(arc(x, y - 0.052, 0.078, 0.025))]
        paint(shape(brow), (58, 42, 34), 0.004)
        opening = [*arc(x, y, 0.052, 0.028), *reversed(arc(x, y, 0.052, -0.02))]
        inside = shape(opening)
        paint(inside, (238, 232, 228), 0.002)
        paint(inside * ellipse(x, y - 0.003, 0.024, 0.024), (88, 62, 44), 0.002)
        paint(inside * ellipse(x, y - 0.003, 0.011, 0.011), (15, 12, 12), 0.002)
        paint(ellipse(x + 0.006, y - 0.01, 0.004, 0.004), (250, 250, 250), 0.001)
        lid = [*arc(x, y - 0.004, 0.056, 0.030), *reversed(arc(x, y, 0.054, 0.026))]
        paint(shape(lid), (40, 28, 24), 0.002)
        paint(
            shape([*arc(x, y + 0.003, 0.05, -0.021), *reversed(arc(x, y, 0.05, -0.019))]),
            skin * 0.55,
            0.002,
        )

    # nose: a lit ridge, dark sides, wings and nostrils
    paint(shape([(0.49, 0.45), (0.51, 0.45), (0.52, 0.61), (0.48, 0.61)]), skin * 1.13, 0.012, 0.7)
    paint(ellipse(0.5, 0.612, 0.028, 0.022), skin * 1.15, 0.01, 0.7)
    for way in (-1, 1):
        paint(
            shape(
                [
                    (0.5 + way * 0.028, 0.47),
                    (0.5 + way * 0.04, 0.47),
                    (0.5 + way * 0.06, 0.61),
                    (0.5 + way * 0.04, 0.61),
                ]
            ),
            skin * 0.76,
            0.012,
            0.6,
        )
        paint(ellipse(0.5 + way * 0.05, 0.617, 0.016, 0.02), skin * 0.82, 0.007, 0.8)
        paint(ellipse(0.5 + way * 0.026, 0.634, 0.014, 0.007), skin * 0.32, 0.004)
    paint(ellipse(0.5, 0.65, 0.05, 0.012), skin * 0.75, 0.012, 0.7)

    # mouth: corners rise with the smile, lips part and show teeth
    half, rise, gap = 0.085 + 0.03 * smile, 0.035 * smile, 0.035 * smile
    mx, my = MOUTH_CENTRE
    t = np.linspace(-1, 1, 33)
    line = my - rise * t * t
    dip = 0.006 * np.exp(-((t / 0.12) ** 2))
    upper = line - 0.024 * (1 - t**2) + dip
    lower = line + (0.032 + gap) * (1 - t**2)
    inner_low = line + gap * (1 - t**2)
    xs = mx + half * t

    def between(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
        return shape([*zip(xs, top, strict=True), *reversed([*zip(xs, bottom, strict=True)])])

    paint(between(upper, line + 0.001), skin * (0.80, 0.58, 0.58), 0.003)
    paint(between(inner_low, lower), skin * (0.90, 0.66, 0.66), 0.003)
    if smile > 0:
        paint(between(line, inner_low), (70, 28, 28), 0.002)
        paint(between(line, line + 0.7 * (inner_low - line)), (236, 230, 220), 0.003)
    paint(between(line - 0.003, line + 0.003), skin * (0.45, 0.28, 0.28), 0.003)
    paint(ellipse(mx, my + gap + 0.052, 0.05, 0.012), skin * 0.74, 0.012, 0.7)
    for way in (-1, 1):  # folds beside the mouth
        fold = cv2.line(
            np.zeros((side, side), np.float32),
            point(0.5 + way * 0.072, 0.63),
            point(0.5 + way * (0.115 + 0.02 * smile), 0.71),
            1.0,
            side // 85,
        )
        paint(fold, skin * 0.7, 0.008, 0.3 + 0.4 * smile)

    picture += cv2.GaussianBlur(rng.normal(0, 14, (side, side, 1)), (0, 0), 1.5)[..., None]
    shrunk = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
    return np.clip(np.round(shrunk), 0, 255).astype(np.uint8)


def draw_two_faces() -> np.ndarray:
    """Two people in one photo, the larger one on the left, uint8 RGB (400, 800, 3)."""
    two = np.full((400, 800, 3), (120, 130, 140), np.uint8)
    two[:, :400] = draw_face(400)
    two[30:370, 430:770] = draw_face(340)
    return two
