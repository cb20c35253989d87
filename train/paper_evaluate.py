"""The paper's tables 1 and 2 with its own figures beside ours.

Table 1: how near synthesis and removal come to the real pictures of the test people. Table 2: how
well recognition networks know a person again after the expression was removed.

Assumptions: every test pair counts, on the 128 px centre crop, the whole frame, geometry told. The
gallery holds the first picture of each person's first sequence; probes are all other prepared
pictures of the test people (the first and the last half of each sequence), neutral ones included,
all of them through removal. Features are compared by their cosine.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from g2gan.heatmaps import heatmaps
from g2gan.models.unet_generator import UNetGenerator
from train.metrics import psnr, ssim
from train.paper import ASSUMED
from train.paper_data import PaperSet, centre_crop

PAPER = json.loads(Path(__file__).with_name("paper_tables.json").read_text("utf-8"))
ROWS: dict[str, str] = {name: row["title"] for name, row in PAPER["rows"].items()}
MARKS = dict(zip(PAPER["reconstructed"], "¹²³", strict=True))  # what each sign stands for
FALSE_ACCEPTS = (0.01, 0.001)
BATCH = 16
UNKNOWN, DIGITS = "n/a", 3


@dataclass(frozen=True)
class Pictures:
    """Every prepared picture of the test people, centre crops.

    Args:
        images: (N, C, 128, 128) in [0, 1].
        landmarks: (N, 68, 2) in pixels of the crop.
        people: (N,), an index for each person.
        neutral: (N,), the place of the neutral picture of the same sequence; its own for that one.
        gallery: (N,), true for one picture of each person.
        spare: (N,), true for copies of a gallery picture, in sets whose sequences share it.
    """

    images: Tensor
    landmarks: Tensor
    people: np.ndarray
    neutral: np.ndarray
    gallery: np.ndarray
    spare: np.ndarray


def pictures_of(data: PaperSet) -> Pictures:
    """The test part, picture by picture."""
    crops, people, neutral, gallery, spare = [], [], [], [], []
    first: dict[str, np.ndarray] = {}  # each person's gallery picture, encoded
    for sequence in data.sequences:
        start = len(crops)
        for number, encoded in enumerate(sequence.pictures):
            is_first = sequence.person not in first
            known = first.setdefault(sequence.person, encoded)
            crops.append(centre_crop(sequence, number))
            people.append(list(first).index(sequence.person))
            neutral.append(start)
            gallery.append(is_first)
            spare.append(not is_first and np.array_equal(encoded, known))
    images, landmarks = (torch.stack(parts) for parts in zip(*crops, strict=True))
    arrays = (np.array(values) for values in (people, neutral, gallery, spare))
    return Pictures(images, landmarks, *arrays)


@torch.inference_mode()
def edit(network: UNetGenerator, images: Tensor, landmarks: Tensor, sigma: float) -> Tensor:
    """`G(I, H)` of any number of crops (N, C, 128, 128), on the network's device; for the CPU."""
    edited = []
    for faces, points in zip(images.split(BATCH), landmarks.split(BATCH), strict=True):
        drawn = heatmaps(points.to(network.device), ASSUMED.crop_side, sigma)
        edited.append(network(faces.to(network.device), drawn).float().cpu())
    return torch.cat(edited)


def table_1(
    pictures: Pictures, synthesis: UNetGenerator, removal: UNetGenerator, sigma: float
) -> list[float]:
    """[SSIM, PSNR] of synthesis, then of removal: means over every test pair."""
    expressed, neutral = pairs_of(pictures)
    geometry = pictures.landmarks[expressed]  # H(s_E) in both directions
    figures: list[float] = []
    for network, source, target in (
        (synthesis, neutral, expressed),
        (removal, expressed, neutral),
    ):
        made = edit(network, pictures.images[source], geometry, sigma)
        figures += likeness(made, pictures.images[target]).mean(1).tolist()
    return figures


def pairs_of(pictures: Pictures) -> tuple[np.ndarray, np.ndarray]:
    """The places of all expressed pictures, and of their neutral ones."""
    expressed = np.flatnonzero(pictures.neutral != np.arange(len(pictures.neutral)))
    return expressed, pictures.neutral[expressed]


def likeness(made: Tensor, targets: Tensor) -> np.ndarray:
    """SSIM and PSNR of each pair of pictures (N, C, 128, 128), (2, N)."""
    pairs = list(zip(to_rgb(made), to_rgb(targets), strict=True))
    return np.array([[measure(a, b) for a, b in pairs] for measure in (ssim, psnr)])


def table_2(
    pictures: Pictures, removal: UNetGenerator | None, recognizer: nn.Module, sigma: float
) -> list[float | None]:
    """[rank-1, TAR at FAR 1%, at 0.1%] in percent; `None` where there are too few impostors.

    Args:
        removal: takes the expression off the probes; `None` for the pictures as they are.
        recognizer: from (B, C, 128, 128) in [0, 1] to features (B, D).
    """
    probes = probes_of(pictures)
    images = pictures.images[probes]
    if removal is not None:
        images = edit(removal, images, pictures.landmarks[probes], sigma)
    return recognised(pictures, images, recognizer)


def probes_of(pictures: Pictures) -> np.ndarray:
    """The places of the pictures that are compared with the gallery."""
    return np.flatnonzero(~pictures.gallery & ~pictures.spare)


def recognised(pictures: Pictures, images: Tensor, recognizer: nn.Module) -> list[float | None]:
    """A row of table 2: `images` are what was made of the probes, in their order."""
    known, seen = (_features(recognizer, x) for x in (pictures.images[pictures.gallery], images))
    people = pictures.people[probes_of(pictures)]
    return recognition(seen @ known.T, people, pictures.people[pictures.gallery])


def recognition(scores: np.ndarray, probes: np.ndarray, gallery: np.ndarray) -> list[float | None]:
    """Rank-1 and the true accept rates, in percent, from similarities (probes, gallery).

    A threshold accepts at most the given share of impostor pairs; with fewer pairs than one in
    that share there is no such figure.
    """
    same = probes[:, None] == gallery[None]
    figures: list[float | None] = [100 * float((gallery[scores.argmax(1)] == probes).mean())]
    impostors = np.sort(scores[~same])[::-1]
    for rate in FALSE_ACCEPTS:
        allowed = int(rate * len(impostors))
        accepted = scores[same] > impostors[allowed] if allowed else None
        figures.append(None if accepted is None else 100 * float(accepted.mean()))
    return figures


def to_rgb(images: Tensor) -> Iterator[np.ndarray]:
    """Pictures (N, C, H, W) in [0, 1] as uint8 RGB (H, W, 3), grey ones with equal channels."""
    for image in images:
        levels = (image.clamp(0, 1) * 255).round().to(torch.uint8)
        yield np.ascontiguousarray(levels.expand(3, -1, -1).permute(1, 2, 0).numpy())


@torch.inference_mode()
def _features(recognizer: nn.Module, images: Tensor) -> np.ndarray:
    """Features of length 1, (N, D)."""
    place = next(recognizer.parameters()).device
    found = torch.cat([recognizer(faces.to(place)).cpu() for faces in images.split(BATCH)])
    return nn.functional.normalize(found, dim=1).numpy()


def tables(name: str, results: dict) -> str:
    """Both tables as Markdown, ours and the paper's side by side, and what was reconstructed.

    Args:
        name: "ck" or "oulu"; of another set the paper has no figures.
        results: `table_1`: row → figures; `table_2`: row → network → figures. What is missing was
            not measured.
    """
    first, second = PAPER["table_1"], PAPER["table_2"]
    lines = [["", *(f"{column}{end}" for column in first["columns"] for end in ("", " (paper)"))]]
    for row in ROWS:
        if row != "original":  # is not a way to edit
            ours, paper = results["table_1"].get(row), first.get(name, {}).get(row)
            lines.append([_marked(row), *_beside(ours, paper, 4)])
    blocks = [f"Table 1, {name}{_signs(first['marks'])}", _markdown(lines)]
    measured = {network for row in results["table_2"].values() for network in row}
    stand_ins = sorted(measured - set(second["networks"]))
    for number, network in enumerate([*second["networks"], *stand_ins]):
        lines = [[network, *(f"{c}{end}" for c in second["columns"] for end in ("", " (paper)"))]]
        for row in ROWS:
            ours = results["table_2"].get(row, {}).get(network)
            paper = second.get(name, {}).get(row, [])[3 * number : 3 * number + 3]
            lines.append([_marked(row), *_beside(ours, paper, 3)])
        said = " (stands in: not one of the paper's networks)" if network in stand_ins else ""
        signs = "" if said else _signs(second["marks"])
        blocks += [f"Table 2, {name}, {network}{said}{signs}", _markdown(lines)]
    notes = [f"{MARKS[key]} {text}" for key, text in PAPER["reconstructed"].items()]
    blocks += [f"Paper: {PAPER['source']}.", *notes]
    return "\n\n".join(blocks) + "\n"


def _beside(ours: list | None, paper: list | None, count: int) -> list[str]:
    cells = []
    for place in range(count):
        for figures in (ours, paper):
            value = figures[place] if figures else None
            cells.append(UNKNOWN if value is None else f"{value:.{DIGITS}f}")
    return cells


def _marked(row: str) -> str:
    return ROWS[row] + _signs(PAPER["rows"][row]["marks"])


def _signs(marks: list[str]) -> str:
    return "".join(MARKS[mark] for mark in marks)


def _markdown(lines: list[list[str]]) -> str:
    lines = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
