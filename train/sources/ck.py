"""The Extended Cohn-Kanade set (CK+), as its archives unpack.

`cohn-kanade-images/S005/001/S005_001_00000001.png`, 640 x 490 or 640 x 480, grey or colour;
`Landmarks/S005/001/S005_001_00000001_landmarks.txt`, 68 points a frame;
`Emotion/S005/001/S005_001_00000011_emotion.txt`, the peak's code, for 327 of 593 sequences.
(`FACS/` is not read.)
"""

import re
from pathlib import Path

from train.sources.sequences import (
    DataError,
    Reading,
    Sequence,
    Skipped,
    Still,
    checked,
    last_half,
    needed_folder,
    numbered,
    read_landmarks,
    visible,
)
from train.sources.splits import Groups

# Codes of the emotion files, from 1; 0, neutral, never occurs.
EXPRESSIONS = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
TRAINING_SHARE = 100 / 123  # the paper's 100 people to train, 23 to test
FRAME = re.compile(r"S\d{3}_\d{3}_(\d{8})\.png")
REMEDY = "give the folder that holds CK+'s cohn-kanade-images, Landmarks and Emotion"


def ck_sequences(folder: str | Path) -> Reading:
    """Every sequence: the first frame is neutral, the last half of the frames are targets.

    Sequences without an emotion file are used too (an assumption), without a name.

    Raises:
        DataError: a folder is missing, or nothing usable is left.
    """
    folder = Path(folder)
    images = needed_folder(folder, "cohn-kanade-images", remedy=REMEDY)
    landmarks = _by_name(needed_folder(folder, "Landmarks", remedy=REMEDY), "_landmarks.txt")
    emotions = _by_name(needed_folder(folder, "Emotion", remedy=REMEDY), "_emotion.txt")
    sequences, skipped = [], []
    for place in visible(images, "S???/???"):
        if not place.is_dir():
            continue
        person, name = place.parts[-2:]
        prefix = f"{person}_{name}_"
        annotated = {stem: path for stem, path in emotions.items() if stem.startswith(prefix)}
        where = f"{person}/{name}"
        try:
            frames = numbered(place, FRAME, first=1)
            _check_end(frames, prefix, {*landmarks, *annotated})
            stills = _stills(frames, landmarks, where, skipped)
        except DataError as error:
            skipped.append(Skipped(where, str(error)))
            continue
        expression = None
        for path in annotated.values():
            try:
                expression = read_emotion(path)
            except DataError as error:
                skipped.append(Skipped(path.relative_to(folder).as_posix(), str(error)))
        sequences.append(Sequence(person, name, stills[0], tuple(stills[1:]), expression))
    return checked(folder, sequences, skipped)


def ck_groups(people: list[str]) -> Groups:
    """The paper's 100 and 23 people, in proportion where some are missing."""
    return [(people, TRAINING_SHARE)]


def read_emotion(path: Path) -> str:
    """The expression that an emotion file names.

    Raises:
        DataError: it holds no code from 1 to 7.
    """
    try:
        code = float(path.read_text("ascii"))
        if code in range(1, len(EXPRESSIONS) + 1):
            return EXPRESSIONS[int(code) - 1]
    except (OSError, ValueError):
        pass
    raise DataError("not a code from 1 to 7; the sequence is used without a name")


def _by_name(folder: Path, ending: str) -> dict[str, Path]:
    """Files by their frame's name, wherever they lie below the folder."""
    return {path.name.removesuffix(ending): path for path in visible(folder, f"**/*{ending}")}


def _check_end(frames: list[Path], prefix: str, described: set[str]) -> None:
    """Raise DataError where landmarks or an emotion file tell of frames after the last one."""
    last = max((stem for stem in described if stem.startswith(prefix)), default="")
    if last > frames[-1].stem:
        raise DataError(f"half-copied: {last}.png is described, but missing")


def _stills(
    frames: list[Path], landmarks: dict[str, Path], where: str, skipped: list[Skipped]
) -> list[Still]:
    """The neutral frame and the targets; a target with bad landmarks is skipped.

    Raises:
        DataError: the neutral frame, or every target, lacks landmarks.
    """
    stills = []
    for index in (0, *last_half(len(frames))):
        frame = frames[index]
        try:
            if frame.stem not in landmarks:
                raise DataError("its landmark file is missing")
            stills.append(Still(frame, landmarks=read_landmarks(landmarks[frame.stem])))
        except DataError as error:
            if index == 0:
                raise DataError(f"neutral frame {frame.name}: {error}") from error
            skipped.append(Skipped(f"{where}/{frame.name}", str(error)))
    if len(stills) == 1:
        raise DataError("no target frame has landmarks")
    return stills
