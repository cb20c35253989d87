"""Measures the folds of real smiles that the generator leaves out: `g2gan/folds.json`.

    python -m train.fold_profiles checkpoints/g2gan-london --london ../shared/data/london

The training people's neutral photos are given the smile of their other photo. The real smile's
brightness over the made one's, along the lines of `g2gan.folds.SMILE`, shows every person's folds a
little beside the line; laid on top of each other they give the profile. Folds that the pipeline
already lays in are taken out first, so that the weights alone decide.
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from g2gan import G2GAN
from g2gan.alignment import WORKING, crop, eye_centres, invert, transform
from g2gan.folds import ACROSS, MOST, REACH, SMILE, Fold, folds, line, movement
from g2gan.images import open_photo
from g2gan.paste import luminance
from train.command import mistakes_are_said
from train.files import write_text
from train.sources import Pair, london_pairs

PROFILES = Path(__file__).resolve().parents[1] / "g2gan" / "folds.json"
SHARP = 0.5  # pixels of the crop by which brightness is blurred: grain is no fold
BROAD = 10.0  # pixels: what is broader than this is light, and the generator's
DARK = 8  # levels, added before the logarithm
SMILES = (
    0.10  # eye distances that the mouth's corner moves, from which a smile's folds are averaged
)
ASTRAY = 0.04  # eye distances that a fold may lie beside its line
STIFF = 0.3  # cost of a step sideways from one sample along the fold to the next
HOME = 0.5  # cost of lying `ASTRAY` beside the line; both in shares of a perfect match
ROUNDS = 12
DIGITS = 4


@mistakes_are_said()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--london", type=Path, required=True, help="folder of the London set")
    parser.add_argument("--out", type=Path, default=PROFILES)
    arguments = parser.parse_args()

    pipe = G2GAN.from_pretrained(str(arguments.checkpoint))
    pairs = tqdm(london_pairs(arguments.london, "train"), unit="person")
    seen = [half for pair in pairs for half in strips_of(pipe, pair)]
    pulls = np.array([pulled for pulled, _ in seen])
    told = {}
    for name in SMILE:
        strips = np.stack([strips[name] for _, strips in seen])
        told[name] = profile(strips, pulls)
        light = told[name]["light"]
        print(f"{name}: {np.min(light):.3f} to {np.max(light):.3f}, {told[name]['growth']:.2f}")
    write_text(arguments.out, json.dumps(told) + "\n")


def strips_of(pipe: G2GAN, pair: Pair) -> list[tuple[float, dict[str, np.ndarray]]]:
    """Both halves of a face: how far the smile pulls the mouth's corner, and the light along folds.

    Returns:
        For each half the corner's movement and, by name, (ALONG, wider than ACROSS) float32, the
        logarithm of the real smile's brightness over the made one's.
    """
    neutral, smiling = (open_photo(path).rgb for path in (pair.neutral, pair.smiling))
    before, after = pipe.detect(neutral)[0], pipe.detect(smiling)[0]
    to_crop, from_smile = WORKING.matrix(before.mesh), WORKING.matrix(after.mesh)
    source, target = transform(to_crop, before.mesh), transform(from_smile, after.mesh)
    asked = transform(invert(to_crop), target)[:, :2]
    made = pipe.synthesize(neutral, landmarks=asked, face=before, from_neutral=True).images[0]
    ratio = _log_light(smiling, from_smile) - _log_light(np.asarray(made), to_crop)
    ratio += np.log(folds(source, target)).mean(2)
    ratio -= cv2.GaussianBlur(ratio, (0, 0), BROAD)
    return [
        (
            movement(SMILE["beside the nose"], source, target, mirrored),
            {name: _strip(ratio, target, fold, mirrored) for name, fold in SMILE.items()},
        )
        for mirrored in (False, True)
    ]


def _log_light(rgb: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Logarithm of the crop's brightness, (side, side) float32."""
    light = luminance(crop(rgb, matrix, WORKING.side)).astype(np.float32).squeeze()
    return np.log(cv2.GaussianBlur(light, (0, 0), SHARP) + DARK)


def _strip(ratio: np.ndarray, mesh: np.ndarray, fold: Fold, mirrored: bool) -> np.ndarray:
    """The picture along a fold, `ASTRAY` wider than a profile on either side."""
    points, normals = line(fold, mesh, mirrored)
    right, left = eye_centres(mesh)
    columns = (np.arange(ACROSS + 2 * margin()) - margin()) / (ACROSS - 1) * 2 - 1
    steps = columns * REACH * np.hypot(*(left - right))
    at = (points[:, None] + steps[:, None] * normals[:, None]).astype(np.float32)
    return cv2.remap(ratio, at, None, cv2.INTER_LINEAR)


def margin() -> int:
    """Columns by which a fold may lie beside its line."""
    return round(ASTRAY / REACH * (ACROSS - 1) / 2)


def profile(strips: np.ndarray, pulls: np.ndarray) -> dict:
    """The mean fold of those who smile, and how it grows with the smile.

    Args:
        strips: (N, ALONG, ACROSS + 2 * margin()), everybody's.
        pulls: (N,), how far each smile pulls the mouth's corner.

    Returns:
        `light` and `growth` of a `g2gan.folds.Profile`.
    """
    mean = aligned(strips[pulls > SMILES])
    every = laid_over(strips, mean)
    depths = (every * mean).sum((1, 2)) / (mean**2).sum()
    reached = np.clip(pulls, 0, MOST)
    growth = (reached * depths).sum() / (reached**2).sum()
    light = mean * np.outer(_fade(len(mean)), _fade(ACROSS))
    return {"light": light.round(DIGITS).tolist(), "growth": round(float(growth), 2)}


def _fade(count: int) -> np.ndarray:
    """0 at both ends, soon 1."""
    return np.sin(np.pi * np.linspace(0, 1, count)) ** 0.5


def aligned(strips: np.ndarray) -> np.ndarray:
    """The mean of strips (N, T, wide) laid on top of each other, (T, ACROSS)."""
    mean = strips.mean(0)[:, margin() : -margin()]
    for _ in range(ROUNDS):
        mean = laid_over(strips, mean).mean(0)
    return mean


def laid_over(strips: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Every strip where it matches the mean best, (N, T, ACROSS).

    Each sample along a fold is shifted sideways as a whole; the shifts that match best, and change
    little from sample to sample, are found by dynamic programming.
    """
    shifts = np.arange(2 * margin() + 1)
    windows = np.stack([strips[..., s : s + ACROSS] for s in shifts], 2)  # (N, T, shifts, ACROSS)
    match = (windows * mean[:, None]).sum(-1) / (mean**2).sum(1).clip(min=1e-9)[:, None]
    match -= HOME * (shifts / margin() - 1) ** 2
    best, came_from = match[:, 0], []
    for sample in range(1, match.shape[1]):
        wide = np.pad(best, ((0, 0), (1, 1)), constant_values=-np.inf)
        ways = np.stack([wide[:, :-2] - STIFF, best, wide[:, 2:] - STIFF])
        came_from.append(ways.argmax(0) - 1)
        best = match[:, sample] + ways.max(0)
    chosen = [best.argmax(1)]
    everybody = np.arange(len(strips))
    for step in reversed(came_from):
        chosen.append(chosen[-1] + step[everybody, chosen[-1]])
    path = np.stack(chosen[::-1], 1)  # (N, T)
    return np.take_along_axis(windows, path[..., None, None], 2)[:, :, 0]


if __name__ == "__main__":
    main()
