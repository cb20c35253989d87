"""Any set, a folder of one's own too -> the prepared set that our generator learns from.

    python -m train.prepare_pairs own --data PEOPLE --out data/own
    python -m train.train --preset london-synthesis --data data/own --run runs/own-synthesis
    python -m train.train --preset london-removal --data data/own --run runs/own-removal
    python -m train.export --run runs/own-synthesis --run runs/own-removal --data data/own --out OUT

Each expressed picture makes a pair with its neutral one; an expression that the set names is one
that the model can be asked for. What cannot be used is said and left out.
"""

import argparse
import shutil
from collections import Counter
from pathlib import Path

import cv2
from tqdm import tqdm

from g2gan.landmarks import LandmarkDetector
from train.command import mistakes_are_said
from train.files import write_json
from train.paper_prepare import SOURCES, SPLIT, landmark_detector
from train.prepare import MORPHS, prepare, read_meshes
from train.sources import DataError, Pair, Sequence, Skipped, Still, skipped_list, usable

FRAMES = "frames"  # folder of what is taken out of clips
FEWEST = 2  # people: guesses of the neutral face come from somebody else


def prepare_pairs(name: str, folder: Path, out: Path, split_file: Path | None = None) -> str:
    """Prepare the training people of the set `name` of `SOURCES`; what was left out, as a list.

    Raises:
        DataError: the set is missing, or too little of it is usable.
    """
    source = SOURCES[name]
    reading = source.read(folder, None, landmark_detector())
    split = source.divide(reading, split_file)
    wanted = [one for one in reading.sequences if one.person in split["train"]]
    skipped = list(reading.skipped)
    pairs = usable_pairs(wanted, LandmarkDetector(), out / FRAMES, skipped)
    people = {pair.person for pair in pairs}
    if len(people) < FEWEST:
        raise DataError(
            f"{folder} has {len(people)} usable people who train, {FEWEST} are needed"
            f"{skipped_list(skipped)}"
        )
    morphs = min(MORPHS, 3 * len(pairs), len(pairs) * (len(pairs) - 1))
    prepare(pairs, out, source.licence, morphs)
    shutil.rmtree(out / FRAMES, ignore_errors=True)
    write_json(out / SPLIT, split)
    return skipped_list(skipped)


def usable_pairs(
    sequences: list[Sequence], detector: LandmarkDetector, frames: Path, skipped: list[Skipped]
) -> list[Pair]:
    """Every pair of a neutral and an expressed picture in both of which a face is found.

    Args:
        frames: folder for the pictures that lie in clips.
        skipped: grows by what is left out.
    """
    pairs, count = [], Counter[str]()
    for one in tqdm(sequences, desc="looking for faces", unit="sequence"):
        files = usable(one, lambda still: image_file(still, detector, frames), skipped)
        for file in files[1:]:
            pairs.append(Pair(one.person, files[0], file, one.expression, count[one.person]))
            count[one.person] += 1
    return pairs


def image_file(still: Still, detector: LandmarkDetector, frames: Path) -> Path:
    """The still's file, written to `frames` where it lies in a clip.

    Raises:
        DataError: it cannot be read, or there is no face in it.
    """
    picture = still.read()
    try:
        read_meshes(detector, picture, still.path)
    except DataError as error:
        raise DataError("no face is found in it, or not in altered copies of it") from error
    if still.frame is None:
        return still.path
    frames.mkdir(parents=True, exist_ok=True)
    file = frames / f"{still.path.stem}-{still.frame}.png"
    cv2.imwrite(str(file), picture[..., ::-1])
    return file


@mistakes_are_said()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("set", choices=sorted(SOURCES))
    parser.add_argument("--data", type=Path, required=True, help="folder of the set")
    parser.add_argument("--split", type=Path, help="who trains and tests (default: drawn)")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    skipped = prepare_pairs(arguments.set, arguments.data, arguments.out, arguments.split)
    print(f"{arguments.out} is ready{skipped}")


if __name__ == "__main__":
    main()
