"""Sequences -> the paper's prepared set: aligned pictures and landmarks, a split, a shape model.

    python -m train.paper_prepare ck --data /path/to/CK+ --out data/ck

The set needs no detector afterwards and travels to a bare machine. What could not be used is listed
in its manifest.
"""

import argparse
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import save_file
from tqdm import tqdm

from g2gan.alignment import crop, transform
from g2gan.landmarks import LandmarkDetector
from train.command import mistakes_are_said
from train.files import digest, write_json
from train.paper import ASSUMED
from train.paper_data import MANIFEST, SHAPE_MODEL, AlignedSequence, shard_file
from train.paper_shape import fit_paper_shape_model
from train.sources import (
    DataError,
    Reading,
    Sequence,
    Skipped,
    Split,
    Still,
    ck_groups,
    ck_sequences,
    crema_groups,
    crema_report,
    crema_sequences,
    draw_split,
    london_sequences,
    oulu_groups,
    oulu_sequences,
    own_groups,
    own_sequences,
    read_split,
    skipped_list,
    split_people,
    usable,
)
from train.sources.crema import Detect

SPLIT = "split.json"


@dataclass(frozen=True)
class PaperSource:
    """How a set is read and prepared.

    Args:
        read: folder, folder of landmark files or `None`, detector → what is on disk.
        split: people, seed → who trains and who tests.
        channels: 1 for grey, 3 for colour.
        licence: of the photographs.
    """

    read: Callable[[Path, Path | None, Detect], Reading]
    split: Callable[[list[str], int], Split]
    channels: int
    licence: str

    def divide(self, reading: Reading, split_file: Path | None, seed: int = 0) -> Split:
        """Who trains and who tests, by the file or drawn.

        Raises:
            DataError: too few people are usable, or the file does not fit them.
        """
        try:
            if split_file:
                return read_split(split_file, reading.people)
            return self.split(reading.people, seed)
        except DataError as error:  # because of what could not be used, perhaps
            raise DataError(f"{error}{skipped_list(reading.skipped)}") from error


SOURCES = {
    "ck": PaperSource(
        read=lambda folder, _points, _detect: ck_sequences(folder),
        split=lambda people, seed: draw_split(ck_groups(people), seed),
        channels=1,
        licence="CK+ user agreement",
    ),
    "oulu": PaperSource(
        read=lambda folder, points, _detect: oulu_sequences(folder, points),
        split=lambda people, seed: draw_split(oulu_groups(people), seed),
        channels=3,
        licence="Oulu-CASIA user agreement",
    ),
    "crema": PaperSource(
        read=lambda folder, _points, detect: crema_sequences(folder, detect),
        split=lambda people, seed: draw_split(crema_groups(people), seed),
        channels=3,
        licence="Open Database License 1.0",
    ),
    "london-paper": PaperSource(
        read=lambda folder, _points, _detect: london_sequences(folder),
        split=lambda _people, _seed: split_people(),
        channels=3,
        licence="CC BY 4.0",
    ),
    "own": PaperSource(
        read=lambda folder, _points, _detect: own_sequences(folder),
        split=lambda people, seed: draw_split(own_groups(people), seed),
        channels=3,
        licence="your own",
    ),
}


def landmark_detector() -> Detect:
    """MediaPipe's 68 landmarks of the largest face, `None` where there is no face."""
    detector = LandmarkDetector()

    def detect(picture: np.ndarray) -> np.ndarray | None:
        faces = detector.detect(picture)
        return faces[0].landmarks if faces else None

    return detect


def look_at(name: str, folder: Path, landmarks: Path | None = None) -> str:
    """What of the set `name` of `SOURCES` is on disk, and what cannot be used; opens no picture.

    Raises:
        DataError: the set is missing, or nothing of it is usable.
    """
    if name == "crema":  # which frames to use is chosen by looking at them
        return crema_report(folder)
    return SOURCES[name].read(folder, landmarks, lambda picture: None).report()


def prepare_source(
    name: str,
    folder: Path,
    out: Path,
    landmarks: Path | None = None,
    split_file: Path | None = None,
    seed: int = 0,
) -> list[Skipped]:
    """Read the set `name` of `SOURCES` from its folder and prepare it; what was left out.

    Args:
        landmarks: folder of precomputed landmark files (Oulu-CASIA).
        split_file: who trains and who tests; drawn with `seed` where it is not given.

    Raises:
        DataError: the set is missing, or too little of it is usable.
    """
    source, detect = SOURCES[name], landmark_detector()
    reading = source.read(folder, landmarks, detect)
    split = source.divide(reading, split_file, seed)
    given = landmarks is not None
    return prepare(reading, split, out, source.channels, source.licence, detect, given)


def prepare(
    reading: Reading,
    split: Split,
    out: Path,
    channels: int,
    licence: str,
    detect: Detect,
    precomputed: bool = False,
) -> list[Skipped]:
    """Write the prepared set to the folder `out`; the manifest comes last and makes it whole.

    Pictures and landmarks are brought into `ASSUMED.frame` by the eyes. Pictures are PNG.

    Args:
        precomputed: whether the user gave landmarks of their own; kept in the manifest.

    Returns:
        Everything that the reader and this left out.

    Raises:
        DataError: nothing of a part is usable.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / MANIFEST).unlink(missing_ok=True)
    skipped = list(reading.skipped)
    manifest = {"channels": channels, "licence": licence, "assumed": asdict(ASSUMED)}
    manifest |= {"precomputed_landmarks": precomputed, "parts": {}, "shards": {}}
    for part, people in split.items():
        wanted = [sequence for sequence in reading.sequences if sequence.person in people]
        aligner = _Aligner(channels, detect)
        bar = tqdm(wanted, desc=f"aligning {part}", unit="sequence")
        found = [_align_sequence(sequence, aligner, skipped) for sequence in bar]
        aligned = [one for one in found if one is not None]
        if not aligned:
            raise DataError(f"nothing of the {part} part is usable{skipped_list(skipped)}")
        if part == "train":
            fit_paper_shape_model(aligned).save_pretrained(out / SHAPE_MODEL)
        _write_shard(out / shard_file(part), aligned)
        manifest["shards"][part] = digest(out / shard_file(part))
        manifest["parts"][part] = [
            {
                "person": one.person,
                "name": one.name,
                "expression": one.expression,
                "pictures": len(one.pictures),
            }
            for one in aligned
        ]
    manifest["skipped"] = [asdict(one) for one in skipped]
    write_json(out / SPLIT, split)
    write_json(out / MANIFEST, manifest)
    return skipped


def _write_shard(path: Path, sequences: list[AlignedSequence]) -> None:
    tensors = {}
    for one in sequences:
        name = f"{one.person}/{one.name}"
        for number, picture in enumerate(one.pictures):
            # a copy: sequences may share their neutral picture, safetensors no memory
            tensors[f"{name}/{number}"] = torch.tensor(picture)
        tensors[f"{name}/landmarks"] = torch.from_numpy(one.landmarks.astype(np.float32))
    unfinished = path.with_name(f"{path.name}.part")
    save_file(tensors, unfinished)
    unfinished.replace(path)


class _Aligner:
    """Still -> encoded picture and landmarks in the paper's frame.

    Neutral stills that several sequences share are read once.
    """

    def __init__(self, channels: int, detect: Detect) -> None:
        self.channels, self.detect = channels, detect
        self.last: tuple[Still, tuple[np.ndarray, np.ndarray]] | None = None

    def neutral(self, still: Still) -> tuple[np.ndarray, np.ndarray]:
        if not self.last or (self.last[0].path, self.last[0].frame) != (still.path, still.frame):
            self.last = (still, self(still))
        return self.last[1]

    def __call__(self, still: Still) -> tuple[np.ndarray, np.ndarray]:
        """PNG bytes (n,) and (68, 2); DataError where the still has no readable face."""
        picture = still.read()
        landmarks = still.landmarks
        if landmarks is None:
            landmarks = self.detect(picture)
        if landmarks is None:
            raise DataError("no face is found in it")
        matrix = ASSUMED.frame.matrix(landmarks)
        aligned = crop(picture, matrix, ASSUMED.aligned_side)
        if self.channels == 1:
            aligned = cv2.cvtColor(aligned, cv2.COLOR_RGB2GRAY)
        else:
            aligned = aligned[..., ::-1]
        return cv2.imencode(".png", aligned)[1].ravel(), transform(matrix, landmarks)


def _align_sequence(
    sequence: Sequence, aligner: _Aligner, skipped: list[Skipped]
) -> AlignedSequence | None:
    """`None` where the neutral picture or every expressed one is unusable."""
    found = usable(
        sequence,
        lambda still: (aligner.neutral if still is sequence.neutral else aligner)(still),
        skipped,
    )
    if len(found) < 2:
        return None
    pictures, points = zip(*found, strict=True)
    return AlignedSequence(
        sequence.person, sequence.name, sequence.expression, pictures, np.stack(points)
    )


@mistakes_are_said()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("set", choices=sorted(SOURCES))
    parser.add_argument("--data", type=Path, required=True, help="folder of the set")
    parser.add_argument("--landmarks", type=Path, help="folder of precomputed points (oulu)")
    parser.add_argument("--split", type=Path, help="who trains and tests (default: drawn)")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    skipped = prepare_source(
        arguments.set, arguments.data, arguments.out, arguments.landmarks, arguments.split
    )
    print(f"{arguments.out} is ready{skipped_list(skipped)}")


if __name__ == "__main__":
    main()
