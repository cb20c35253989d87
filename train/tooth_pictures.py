"""Measures what real teeth look like: composites of several people's, `g2gan/teeth.png`.

    python -m train.tooth_pictures --london ../shared/data/london

In the training people's smiles the teeth's edges and the places where they touch are found by
dynamic programming; every tooth is brought into a rectangle, between its neighbours and up from its
edge. Those of one kind are laid on top of each other until they agree, and what agrees least is
left out. Each picture that is kept is the mean of `TOGETHER` people.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from g2gan.alignment import invert
from g2gan.images import open_photo
from g2gan.landmarks import LandmarkDetector
from g2gan.teeth import (
    CONTACTS,
    KINDS,
    LEVELS,
    LOWER,
    PICTURES,
    TILE,
    TILE_REACH,
    UPPER,
    heights,
    lips_frame,
)
from train.command import mistakes_are_said
from train.files import write_bytes
from train.sources import london_pairs

OUT = Path(__file__).resolve().parents[1] / "g2gan" / "teeth.png"
OPEN = 0.10  # eye distances between the lips from which a smile shows enough of its teeth
PER_UNIT = 400  # pixels of a straightened mouth for each eye distance
WIDE, HIGH, ABOVE = 1.04, 0.34, 0.06  # eye distances: its sides, and what it shows of the upper lip
SHARP = 0.004  # eye distances by which it is blurred before lines are looked for
BESIDE = 0.012  # eye distances above and below an edge by which it is known
FLESH, PALE = (0.20, 0.30), (0.45, 0.60)  # how red teeth are at most; how light they are at least
JUMP, ROUGH = 4, 0.004  # pixels by which an edge steps from column to column at most; the cost
SIZES, MIDDLES = np.linspace(0.85, 1.15, 5), np.linspace(-0.06, 0.06, 21)  # of a row of teeth
ASTRAY = 0.04  # eye distances by which teeth touch elsewhere than the mean's
TIP = 85  # percentile of a tooth's edge that counts as its tip
UNDER_LIP = 0.025  # eye distances below the upper lip where its shadow lies
MARGIN, ROUNDS = 2, 8  # pixels by which a tooth may be shifted on the others; rounds of it
AGREE = 0.5  # share of all teeth of a kind that are kept
TOGETHER = 4  # people in each picture
MEAN_SHARE = 0.25  # of one person, by which the mean of all fills what none of them shows
DEEP = 1.7  # what was averaged is less deep than any of them: never laid on top exactly
ALIKE = 0.6  # how far the pictures' own brightness and tint are brought to the mean's


class Row(NamedTuple):
    """One person's upper teeth in the straightened mouth."""

    picture: np.ndarray  # (h, w, 3) float32, 1 is as light as the lightest of the teeth
    white: np.ndarray  # (h, w) in [0, 1], what is tooth
    edge: np.ndarray  # (w,) eye distances below the upper lip, where teeth end
    upper: np.ndarray  # (w,) where the upper lip ends
    contacts: np.ndarray  # (2 * KINDS + 1,) eye distances beside the middle, where teeth touch


@mistakes_are_said()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--london", type=Path, required=True, help="folder of the London set")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()

    detector = LandmarkDetector()
    rows = []
    for pair in tqdm(london_pairs(arguments.london, "train"), unit="person"):
        rgb = open_photo(pair.smiling).rgb
        row = row_of(rgb, detector.detect(rgb)[0].mesh)
        if row is not None:
            rows.append(row)
    kinds = []
    for kind in range(KINDS):
        teeth = [tooth(row, kind, side) for row in rows for side in (-1, 1)]
        pictures, weights = (np.stack(arrays) for arrays in zip(*teeth, strict=True))
        people = np.repeat(np.arange(len(rows)), 2)
        kinds.append(composites(pictures, weights, people, np.random.default_rng(kind)))
    sheet = np.concatenate([np.concatenate(list(tiles)) for tiles in kinds], axis=1)
    levels = np.clip(np.rint(sheet * LEVELS), 0, 255).astype(np.uint8)
    write_bytes(arguments.out, cv2.imencode(".png", levels[..., ::-1])[1].tobytes())


def row_of(rgb: np.ndarray, mesh: np.ndarray) -> Row | None:
    """The teeth of a smile, (H, W, 3) uint8 with its mesh; None where it shows too little."""
    frame = lips_frame(mesh)
    lips = mesh[:, :2] @ frame[:, :2].T + frame[:, 2]
    if (lips[list(LOWER), 1] - lips[list(UPPER), 1]).max() < OPEN:
        return None
    size = (round(WIDE * PER_UNIT), round(HIGH * PER_UNIT))
    x, y = (np.arange(size[0]) - size[0] / 2) / PER_UNIT, np.arange(size[1]) / PER_UNIT - ABOVE
    back = invert(frame)
    matrix = np.column_stack([back[:, :2] / PER_UNIT, back[:, :2] @ [x[0], y[0]] + back[:, 2]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    picture = cv2.warpAffine(rgb, matrix, size, flags=flags).astype(np.float32)
    upper, lower = (heights(lips[list(lip)], x) for lip in (UPPER, LOWER))
    red, light = picture[..., 0], picture.mean(2)
    flesh = (red - picture[..., 1:].min(2)) / np.maximum(red, 1)
    inside = (y[:, None] > upper - 0.02) & (y[:, None] < lower + 0.03) & (lower - upper > 0.02)
    found = light[inside & (flesh < np.mean(FLESH))]
    if len(found) < 200:
        return None
    picture /= np.percentile(found, 90)
    light = picture.mean(2)
    white = 1 - np.clip((flesh - FLESH[0]) / (FLESH[1] - FLESH[0]), 0, 1)
    white *= np.clip((light - PALE[0]) / (PALE[1] - PALE[0]), 0, 1) * inside
    allowed = (y[:, None] > upper + 0.02) & (y[:, None] < lower + 0.03)
    edge = y[_edge(light, flesh, white, allowed)]
    return Row(picture, white, edge, upper, _contacts(light, x, y, upper, edge))


def _edge(
    light: np.ndarray, flesh: np.ndarray, white: np.ndarray, allowed: np.ndarray
) -> np.ndarray:
    """The row (w,) at which each column's upper tooth ends: darker or redder below, white above."""
    sigma, step = SHARP * PER_UNIT, round(BESIDE * PER_UNIT)
    light, flesh, white = (
        cv2.GaussianBlur(np.float32(field), (0, 0), sigma) for field in (light, flesh, white)
    )
    match = np.zeros_like(light)
    falls = np.clip(light[: -2 * step] - light[2 * step :], 0, 0.4)
    reddens = np.clip(flesh[2 * step :] - flesh[: -2 * step], 0, 0.3)
    match[step:-step] = (falls + 0.5 * reddens) * white[: -2 * step]
    match[~allowed] = 0
    best, came_from = match[:, 0], []
    jumps = np.arange(-JUMP, JUMP + 1)
    for column in match.T[1:]:
        padded = np.pad(best, JUMP, constant_values=-np.inf)
        ways = np.stack([padded[JUMP + j : JUMP + j + len(best)] - ROUGH * abs(j) for j in jumps])
        came_from.append(jumps[ways.argmax(0)])
        best = column + ways.max(0)
    path = [int(best.argmax())]
    for step_back in reversed(came_from):
        path.append(path[-1] + step_back[path[-1]])
    return np.array(path[::-1])


def _contacts(
    light: np.ndarray, x: np.ndarray, y: np.ndarray, upper: np.ndarray, edge: np.ndarray
) -> np.ndarray:
    """Where teeth touch: dark lines and notches of the edge, near where the mean's teeth do."""
    above = edge - y[:, None]
    band = (above > 0.008) & (above < 0.07) & (y[:, None] > upper + 0.012)
    profile = (light * band).sum(0) / np.maximum(band.sum(0), 1)

    def blurred(line: np.ndarray, sigma: float) -> np.ndarray:
        return cv2.GaussianBlur(np.float32(line)[None], (0, 0), sigma * PER_UNIT)[0]

    broad = blurred(profile, 0.03)
    dark = np.clip((broad - blurred(profile, SHARP)) / np.maximum(broad, 0.1), -0.1, 0.3)
    notch = np.clip(blurred(edge, 0.035) - blurred(edge, SHARP), -0.02, 0.04)
    places = np.concatenate([-CONTACTS[KINDS:0:-1], CONTACTS[: KINDS + 1]])
    counts = 1 / (1 + 0.6 * np.abs(np.arange(-KINDS, KINDS + 1)))  # the middle's is seen best
    found, most = places, -np.inf
    for size in SIZES:
        for middle in MIDDLES:
            away = np.abs(x - (size * places + middle)[:, None])
            match = dark + 1.5 * notch - 0.16 * (away / 0.05) ** 2
            match[away > ASTRAY] = -np.inf
            if counts @ match.max(1) > most:
                found, most = x[match.argmax(1)], counts @ match.max(1)
    return found


def tooth(row: Row, kind: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """One tooth in its rectangle, `MARGIN` wider on every side, from the middle outwards.

    Returns:
        Its picture (h, w, 3), and how much it counts there, (h, w) in [0, 1].
    """
    ends = row.contacts[KINDS + side * kind], row.contacts[KINDS + side * (kind + 1)]
    high, wide = (length + 2 * MARGIN for length in TILE)
    x = ends[0] + (np.arange(wide) - MARGIN + 0.5) / TILE[1] * (ends[1] - ends[0])
    columns = (x * PER_UNIT + row.picture.shape[1] / 2).astype(np.float32)
    edge, upper = (np.interp(columns, np.arange(len(y)), y) for y in (row.edge, row.upper))
    tip = np.percentile(edge[MARGIN:-MARGIN], TIP)
    y = tip - TILE_REACH * (1 - (np.arange(high) - MARGIN + 0.5) / TILE[0])[:, None]
    y = np.repeat(y, wide, 1)
    where = np.stack([np.broadcast_to(columns, y.shape), (y + ABOVE) * PER_UNIT], -1)
    picture, white = (
        cv2.remap(field, where.astype(np.float32), None, cv2.INTER_LINEAR)
        for field in (row.picture, row.white)
    )
    counts = white * np.clip((y - upper - UNDER_LIP) / UNDER_LIP, 0, 1) * (y < edge)
    return picture, counts.astype(np.float32)


def composites(
    pictures: np.ndarray, weights: np.ndarray, people: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """`PICTURES` means of several people's teeth of one kind, (PICTURES, *TILE, 3).

    Args:
        pictures: (N, h, w, 3), `MARGIN` wider than a tile.
        weights: (N, h, w), how much each counts.
        people: (N,), whose they are.
    """
    inner = (slice(MARGIN, -MARGIN),) * 2
    shifts = [(r, c) for r in range(2 * MARGIN + 1) for c in range(2 * MARGIN + 1)]
    placed = np.stack([picture[inner] for picture in pictures])
    counted = np.stack([weight[inner] for weight in weights])
    kept = np.arange(len(pictures))
    for _ in range(ROUNDS):
        mean, seen = _mean(placed[kept], counted[kept])
        matches = []
        for n, (picture, weight) in enumerate(zip(pictures, weights, strict=True)):
            parts = [(slice(r, r + TILE[0]), slice(c, c + TILE[1])) for r, c in shifts]
            match = [_agreement(picture[p], mean, weight[p] * seen) for p in parts]
            best = parts[int(np.argmax(match))]
            placed[n], counted[n] = picture[best], weight[best]
            matches.append(max(match))
        kept = np.argsort(matches)[::-1][: round(AGREE * len(matches))]
    mean, seen = _mean(placed[kept], counted[kept])
    mean = _spread(mean, seen)
    made = []
    for _ in range(PICTURES):
        of_each = {people[n]: n for n in rng.permutation(kept)}  # never two teeth of one person
        chosen = rng.permutation(list(of_each.values()))[:TOGETHER]
        if len(chosen) < TOGETHER:
            raise ValueError(f"a picture needs the teeth of {TOGETHER} people")
        total = counted[chosen].sum(0)[..., None] + MEAN_SHARE
        light = (placed[chosen] * counted[chosen][..., None]).sum(0) + MEAN_SHARE * mean
        light /= total
        own = light.mean((0, 1))
        made.append(own * (light / own) ** DEEP * (mean.mean((0, 1)) / own) ** ALIKE)
    return np.stack(made)


def _mean(pictures: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The weighted mean, and how well it is known, in [0, 1]."""
    total = weights.sum(0)
    mean = (pictures * weights[..., None]).sum(0) / np.maximum(total, 1e-6)[..., None]
    return mean, np.clip(total / 3, 0, 1)


def _agreement(picture: np.ndarray, mean: np.ndarray, weight: np.ndarray) -> float:
    """The weighted correlation of two pictures' light."""
    weight = weight / max(float(weight.sum()), 1e-6)
    one, other = picture.mean(2), mean.mean(2)
    one, other = one - (weight * one).sum(), other - (weight * other).sum()
    spread = (weight * one**2).sum() * (weight * other**2).sum()
    return float((weight * one * other).sum() / np.sqrt(max(spread, 1e-12)))


def _spread(mean: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The mean, with what hardly anybody shows filled in from beside it."""
    levels = np.clip(np.rint(mean * LEVELS), 0, 255).astype(np.uint8)
    filled = cv2.inpaint(levels, np.uint8(seen < 1), 3, cv2.INPAINT_TELEA)
    return filled.astype(np.float32) / LEVELS


if __name__ == "__main__":
    main()
