"""The paper's prepared set -> its batches: I_N, I_E and s_E, cropped and flipped alike.

Batches are seeded and found again after a stop by their number alone, as in `train.data`.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from train.config import Direction
from train.files import digest
from train.paper import ASSUMED
from train.sources import DataError

MANIFEST = "manifest.json"
SHAPE_MODEL = "shape_model"

# Each of the 68 landmarks' twin across the face: jaw, brows, nose, eyes, outer and inner lips.
# fmt: off
MIRROR_68 = (
    16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0,
    26, 25, 24, 23, 22, 21, 20, 19, 18, 17,
    27, 28, 29, 30, 35, 34, 33, 32, 31,
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55,
    64, 63, 62, 61, 60, 67, 66, 65,
)
# fmt: on


def shard_file(part: str) -> str:
    """Name of the file that holds one part's pictures."""
    return f"{part}.safetensors"


class PaperBatch(NamedTuple):
    """Crops of side 128 of one direction; all float32.

    `H` is always drawn from the expressed face's landmarks: the target's in synthesis, the source's
    in removal.
    """

    source: Tensor  # (B, C, 128, 128) in [0, 1]
    target: Tensor  # (B, C, 128, 128) in [0, 1]
    source_landmarks: Tensor  # (B, 68, 2)
    target_landmarks: Tensor  # (B, 68, 2)

    def back(self, edited: Tensor) -> "PaperBatch":
        """The way back from `edited` (B, C, 128, 128) to the source, for the cycle loss."""
        return PaperBatch(edited, self.source, self.target_landmarks, self.source_landmarks)


@dataclass(frozen=True, eq=False)
class AlignedSequence:
    """A sequence of aligned pictures; number 0 is neutral, the others are expressed.

    Args:
        person: who.
        name: which of the person's.
        expression: its name, `None` where nobody annotated it.
        pictures: encoded, each uint8 (bytes,).
        landmarks: (pictures, 68, 2) in pixels of the aligned picture.
    """

    person: str
    name: str
    expression: str | None
    pictures: tuple[np.ndarray, ...]
    landmarks: np.ndarray

    def picture(self, number: int) -> np.ndarray:
        """One aligned picture, uint8 (144, 144, C), RGB or grey."""
        decoded = cv2.imdecode(self.pictures[number], cv2.IMREAD_UNCHANGED)
        return decoded[..., None] if decoded.ndim == 2 else decoded[..., ::-1]


@dataclass(frozen=True, eq=False)
class PaperSet:
    """One part of a prepared set, in memory.

    Args:
        sequences: all of that part.
        channels: of the pictures: 1 for grey, 3 for colour.
        digest: of the set's manifest, where it was read from files.
    """

    sequences: tuple[AlignedSequence, ...]
    channels: int
    digest: str = ""

    @cached_property
    def pairs(self) -> list[tuple[int, int]]:
        """(index of a sequence, number of an expressed picture in it), all of them."""
        return [
            (index, number)
            for index, sequence in enumerate(self.sequences)
            for number in range(1, len(sequence.pictures))
        ]

    @classmethod
    def load(cls, folder: str | Path, part: str = "train") -> "PaperSet":
        """One part, "train" or "test", of what `train.paper_prepare` wrote.

        Raises:
            DataError: the folder is not a prepared set.
        """
        folder = Path(folder)
        if not (folder / MANIFEST).is_file():
            raise DataError(
                f"{folder} is no prepared set; make one with python -m train.paper_prepare"
            )
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        tensors = load_file(folder / shard_file(part))
        sequences = []
        for entry in manifest["parts"][part]:
            name = f"{entry['person']}/{entry['name']}"
            numbers = range(entry["pictures"])
            pictures = tuple(tensors[f"{name}/{number}"].numpy() for number in numbers)
            landmarks = tensors[f"{name}/landmarks"].double().numpy()
            sequences.append(
                AlignedSequence(
                    entry["person"], entry["name"], entry["expression"], pictures, landmarks
                )
            )
        return cls(tuple(sequences), manifest["channels"], digest(folder / MANIFEST))


def paper_batch_at(
    data: PaperSet,
    direction: Direction,
    seed: int,
    step: int,
    size: int,
    part: slice = slice(None),
) -> PaperBatch:
    """Batch number `step` of a run, or a part of it: the same whenever it is asked for.

    Both directions see the same pairs, crops and flips. Pairs come in a new order each time round.
    """
    samples = []
    for place in range(step * size, (step + 1) * size)[part]:
        lap, index = divmod(place, len(data.pairs))
        order = np.random.default_rng((seed, lap)).permutation(len(data.pairs))
        sequence, number = data.pairs[order[index]]
        rng = np.random.default_rng((seed, 1 + step, place))
        room = ASSUMED.aligned_side - ASSUMED.crop_side
        corner, flip = rng.integers(0, room + 1, 2), rng.random() < 0.5
        samples.append(
            [
                crop_of(data.sequences[sequence], which, corner, flip)
                for which in ((0, number) if direction == "synthesis" else (number, 0))
            ]
        )
    (source, source_landmarks), (target, target_landmarks) = (
        (torch.stack(arrays) for arrays in zip(*side, strict=True))
        for side in zip(*samples, strict=True)
    )
    return PaperBatch(source, target, source_landmarks, target_landmarks)


def centre_crop(sequence: AlignedSequence, number: int) -> tuple[Tensor, Tensor]:
    """What is tested: picture (C, 128, 128) in [0, 1] and landmarks (68, 2) of the centre crop."""
    return crop_of(sequence, number, np.array([ASSUMED.margin, ASSUMED.margin]), flip=False)


def crop_of(
    sequence: AlignedSequence, number: int, corner: np.ndarray, flip: bool
) -> tuple[Tensor, Tensor]:
    """One picture's crop (C, 128, 128) in [0, 1] and its landmarks (68, 2), both float32.

    Args:
        corner: x, y of the crop's first pixel in the aligned picture.
        flip: mirror it; left and right landmarks change places, and with them their heatmaps.
    """
    side, (x, y) = ASSUMED.crop_side, corner
    picture = sequence.picture(number)[y : y + side, x : x + side]
    landmarks = sequence.landmarks[number] - corner
    if flip:
        picture = picture[:, ::-1]
        landmarks = landmarks[list(MIRROR_68)] * [-1, 1] + [side - 1, 0]
    picture = np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32) / 255
    return torch.from_numpy(picture), torch.from_numpy(landmarks.astype(np.float32))
