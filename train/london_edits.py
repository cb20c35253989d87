"""What our pipeline makes of the London set's test pairs, cut and measured as the paper's pictures.

Synthesis is told the smile's landmarks; removal is told nothing of the neutral face, and once more
its landmarks.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from g2gan import G2GAN
from g2gan.alignment import crop
from g2gan.flow import warp_photo
from g2gan.images import open_photo
from g2gan.landmarks import Face, LandmarkDetector
from train import metrics
from train.paper_evaluate import Pictures, likeness, pairs_of, recognised
from train.recognizers import CROP
from train.sources import Pair

DIGITS = 4


class SeenPair(NamedTuple):
    """A neutral and a smiling photo, uint8 (H, W, 3), and the face in each."""

    photos: tuple[np.ndarray, np.ndarray]
    faces: tuple[Face, Face]


class Yardstick(NamedTuple):
    """What every row is measured by: aligned pictures, the photos they are of, and the judges."""

    pictures: Pictures
    pairs: list[SeenPair]
    judges: dict[str, nn.Module]


class Made(NamedTuple):
    """Crops (N, 3, 128, 128) of what was made of the test pairs, person by person."""

    synthesis: Tensor
    removal: Tensor  # told nothing of the neutral face
    removal_told: Tensor


def seen_pair(pair: Pair, detector: LandmarkDetector) -> SeenPair:
    """Both photos and the largest face in each."""
    photos = tuple(open_photo(path).rgb for path in (pair.neutral, pair.smiling))
    return SeenPair(photos, tuple(detector.detect(photo)[0] for photo in photos))


def make(checkpoint: Path, pairs: list[SeenPair]) -> tuple[Made, Made]:
    """The edits of every pair through the public pipeline, cut as the paper's test pictures.

    Returns:
        What the pipeline made, and what the plain mesh warp makes to the shapes it aimed at.
    """
    pipe = G2GAN.from_pretrained(checkpoint)
    edited, warped = [], []
    for photos, faces in pairs:
        meshes = [face.mesh[: metrics.FACE_POINTS, :2] for face in faces]
        smile, calm = metrics.carry(meshes[1], meshes[0]), metrics.carry(meshes[0], meshes[1])
        outputs = (
            pipe.synthesize(photos[0], landmarks=smile, face=faces[0], from_neutral=True),
            pipe.remove(photos[1], face=faces[1]),
            pipe.remove(photos[1], landmarks=calm, face=faces[1]),
        )
        sources = ((photos[i], faces[i]) for i in (0, 1, 1))
        both = [
            (
                cut(np.asarray(output.images[0]), face),
                cut(warp_photo(photo, face.mesh, output.faces[0].mesh), face),
            )
            for output, (photo, face) in zip(outputs, sources, strict=True)
        ]
        edited.append([made for made, _ in both])
        warped.append([made for _, made in both])
    return tuple(
        Made(*(torch.stack(column) for column in zip(*rows, strict=True)))
        for rows in (edited, warped)
    )


def cut(photo: np.ndarray, face: Face) -> Tensor:
    """The paper's centre crop of a photo, (3, 128, 128) in [0, 1]."""
    picture = crop(photo, CROP.matrix(face.landmarks), CROP.side)
    return torch.from_numpy(picture.astype(np.float32) / 255).permute(2, 0, 1)


def figures(by: Yardstick, made: Made) -> dict:
    """A row of both tables; recognition of what was removed with nothing told."""
    seen = {name: recognised(by.pictures, made.removal, judge) for name, judge in by.judges.items()}
    return {**likenesses(by, made), "table_2": seen}


def likenesses(by: Yardstick, made: Made) -> dict[str, list[float]]:
    """Task → [SSIM, PSNR], means over the pairs."""
    each = _of_each_pair(by, made)
    return {task: np.round(values.mean(1), DIGITS).tolist() for task, values in each.items()}


def differences(by: Yardstick, made: Made, plain: Made) -> dict[str, list[list[float]]]:
    """Task → for SSIM and PSNR: how much more than `plain`, and the 95% interval over people."""
    more, less = _of_each_pair(by, made), _of_each_pair(by, plain)
    return {
        task: [
            np.round(metrics.bootstrap_interval(ours - theirs), DIGITS).tolist()
            for ours, theirs in zip(more[task], less[task], strict=True)
        ]
        for task in more
    }


def _of_each_pair(by: Yardstick, made: Made) -> dict[str, np.ndarray]:
    """Task → SSIM and PSNR (2, N)."""
    expressed, neutral = pairs_of(by.pictures)
    targets = Made(*(by.pictures.images[i] for i in (expressed, neutral, neutral)))
    return {
        task: likeness(made_of, targets_of)
        for task, made_of, targets_of in zip(Made._fields, made, targets, strict=True)
    }
