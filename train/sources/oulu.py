"""Oulu-CASIA NIR-VIS: visible light, strong illumination, as the paper uses it.

`VL/Strong/P001/Anger/000.jpeg`, 80 people, six expressions each, 320 x 240, colour. It brings no
landmarks: they are detected when the set is prepared, or given in files.
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

EXPRESSIONS = ("Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise")
FRAME = re.compile(r"(\d{3})\.jpe?g")
LAST_FINN = 50  # P001 to P050 are Finnish, P051 to P080 Chinese
FINNS, CHINESE = 37 / 50, 23 / 30  # that train; the paper's printed 13 Chinese is taken for a slip


def oulu_sequences(folder: str | Path, landmarks: str | Path | None = None) -> Reading:
    """Every sequence: the first frame is neutral, the last half of the frames are targets.

    Args:
        folder: what holds `VL`.
        landmarks: folder of precomputed points, `P001/Anger/000.txt` with 68 lines of x y, such as
            those of FAN, which the paper uses; `None` to detect them later.

    Raises:
        DataError: a folder is missing, or nothing usable is left.
    """
    folder = Path(folder)
    strong = needed_folder(
        folder, "VL", "Strong", remedy="give the folder that holds Oulu-CASIA's VL/Strong"
    )
    points = None
    if landmarks is not None:
        points = needed_folder(Path(landmarks), remedy="give the folder of the landmark files")
    sequences, skipped = [], []
    for person in visible(strong, "P[0-9][0-9][0-9]"):
        for expression in EXPRESSIONS:
            where = f"{person.name}/{expression}"
            try:
                if not (person / expression).is_dir():
                    raise DataError("the folder is missing")
                frames = numbered(person / expression, FRAME, first=0)
                neutral = _still(frames[0], points)
            except DataError as error:
                skipped.append(Skipped(where, str(error)))
                continue
            expressed = []
            for index in last_half(len(frames)):
                try:
                    expressed.append(_still(frames[index], points))
                except DataError as error:
                    skipped.append(Skipped(f"{where}/{frames[index].name}", str(error)))
            if expressed:
                sequences.append(
                    Sequence(person.name, expression, neutral, tuple(expressed), expression.lower())
                )
    return checked(folder, sequences, skipped)


def oulu_groups(people: list[str]) -> Groups:
    """37 of 50 Finns and 23 of 30 Chinese train, in proportion where some are missing."""
    finns = [person for person in people if int(person[1:]) <= LAST_FINN]
    chinese = [person for person in people if int(person[1:]) > LAST_FINN]
    return [(group, share) for group, share in ((finns, FINNS), (chinese, CHINESE)) if group]


def _still(frame: Path, points: Path | None) -> Still:
    if points is None:
        return Still(frame)
    person, expression = frame.parts[-3:-1]
    file = points / person / expression / f"{frame.stem}.txt"
    if not file.is_file():
        raise DataError("its landmark file is missing")
    return Still(frame, landmarks=read_landmarks(file))
