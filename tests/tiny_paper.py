"""A prepared set of the paper's kind in miniature, without a detector: noise with landmarks."""

from functools import cache
from pathlib import Path

import numpy as np
import tiny
import torch
from PIL import Image
from torch import nn

from g2gan.landmarks import LANDMARKS_68
from g2gan.models.unet_generator import UNetGenerator
from g2gan.pipeline import G2GAN
from g2gan.shape import ShapeModel
from train.paper_data import AlignedSequence
from train.paper_prepare import prepare
from train.paper_shape import fit_paper_shape_model
from train.sources import Reading, Sequence, Still

EXPRESSIONS = ("happiness", "surprise", None)


def landmarks(rng: np.random.Generator, strength: float = 0.0) -> np.ndarray:
    """68 points with eyes on a level; the strength opens the mouth."""
    points = rng.uniform(40, 160, (68, 2))
    points[36:48, 1] = 80
    points[[36, 39, 42, 45], 0] = 60, 80, 120, 140
    points[48:, 1] = 130 + 20 * strength
    return points


def reading(folder: Path, people: int = 4, pictures: int = 3) -> Reading:
    """Everybody has one sequence for each of `EXPRESSIONS`; pictures of 200 x 200 px."""
    rng = np.random.default_rng(0)
    sequences = []
    for person in range(people):
        face = landmarks(rng)
        for index, expression in enumerate(EXPRESSIONS):
            stills = []
            for number in range(pictures):
                path = folder / f"{person}-{index}-{number}.png"
                noise = rng.integers(0, 256, (25, 25, 3), dtype=np.uint8)
                Image.fromarray(noise).resize((200, 200)).save(path)
                moved = face + [0, 4 * (index + 1) * number] * (np.arange(68) >= 48)[:, None]
                stills.append(Still(path, landmarks=moved))
            sequences.append(
                Sequence(f"{person}", f"{index}", stills[0], tuple(stills[1:]), expression)
            )
    return Reading(tuple(sequences), ())


def prepared(folder: Path, channels: int = 1) -> Path:
    """Three people train, the fourth tests."""
    split = {"train": ["0", "1", "2"], "test": ["3"]}
    prepare(reading(folder), split, folder / "set", channels, "drawn", lambda picture: None)
    return folder / "set"


class TinyRecognizer(nn.Module):
    """Features of grey or colour pictures of any size."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 4, 3, stride=4), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten()
        )

    def forward(self, faces):
        return self.layers(faces)


def recognizer(channels: int) -> TinyRecognizer:
    """One and the same, whatever was drawn before."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return TinyRecognizer(channels)


@cache
def shape_model() -> ShapeModel:
    """The paper's, fitted to the drawn face's people, neutral and smiling; shared between tests."""
    neutral, smiling = (meshes[:, 0][..., list(LANDMARKS_68), :2] for meshes in tiny.people())
    return fit_paper_shape_model(
        [
            AlignedSequence(str(number), "0", "happiness", (), np.stack(pair))
            for number, pair in enumerate(zip(neutral, smiling, strict=True))
        ]
    )


def pipeline(channels: int = 3) -> G2GAN:
    """A new pipeline of the paper's kind: two narrow U-Nets and its shape model."""
    networks = []
    for seed in (0, 1):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            networks.append(UNetGenerator(image_channels=channels, width=4).eval())
    return G2GAN(synthesis=networks[0], removal=networks[1], shape_model=shape_model())
