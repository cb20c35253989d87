"""What every reader yields: sequences of one person, from neutral to expressed, and what is amiss.

A set that was copied by hand is seldom whole. Readers look at the layout before anything is
computed: what can be left out is skipped and listed, what cannot raises at once.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from g2gan.errors import G2GANError, ImageError
from g2gan.images import open_photo

LANDMARKS = 68
Read = TypeVar("Read")
SHOWN = 10  # skipped places that a message names one by one


class DataError(G2GANError):
    """A data set is missing or incomplete."""


@dataclass(frozen=True, eq=False)
class Still:
    """One picture of a set.

    Args:
        path: an image, or a clip.
        frame: number of the clip's frame, from 0; `None` for an image.
        landmarks: (68, 2) x, y in pixels, where the set brings them or a reader has detected them.
    """

    path: Path
    frame: int | None = None
    landmarks: np.ndarray | None = None

    def read(self) -> np.ndarray:
        """The picture, uint8 RGB (H, W, 3); grey ones have three equal channels.

        Raises:
            DataError: it cannot be read.
        """
        if self.frame is not None:
            return read_frame(self.path, self.frame)
        try:
            return open_photo(self.path).rgb
        except ImageError as error:
            raise DataError(str(error)) from error


@dataclass(frozen=True, eq=False)
class Sequence:
    """One person, going from their neutral face to one expression.

    Args:
        person: who; the unit of the split.
        name: which of the person's sequences, unique for them.
        neutral: the neutral picture, `I_N`.
        expressed: the pictures to be reached, `I_E`, the peak last.
        expression: its name, `None` where nobody annotated it.
    """

    person: str
    name: str
    neutral: Still
    expressed: tuple[Still, ...]
    expression: str | None


@dataclass(frozen=True)
class Skipped:
    """What a reader left out: where, below the set's folder, and why."""

    place: str
    reason: str


@dataclass(frozen=True)
class Reading:
    """A set as it was found on disk."""

    sequences: tuple[Sequence, ...]
    skipped: tuple[Skipped, ...]

    @property
    def people(self) -> list[str]:
        """Everybody of whom there is a sequence, sorted."""
        return sorted({sequence.person for sequence in self.sequences})

    def report(self) -> str:
        """What was found, and what was left out, in a few lines."""
        stills = sum(1 + len(sequence.expressed) for sequence in self.sequences)
        named = sum(sequence.expression is not None for sequence in self.sequences)
        return (
            f"{len(self.people)} people, {len(self.sequences)} sequences ({named} annotated), "
            f"{stills} pictures{skipped_list(self.skipped)}"
        )


def usable(sequence: Sequence, read: Callable[[Still], Read], skipped: list[Skipped]) -> list[Read]:
    """What `read` makes of the stills, the neutral one first; nothing where that is unusable.

    Args:
        read: raises DataError of a still that it cannot use.
        skipped: grows by these.
    """
    found = []
    for still in (sequence.neutral, *sequence.expressed):
        try:
            found.append(read(still))
        except DataError as error:
            place = f"{sequence.person}/{sequence.name}/{still.path.name}"
            skipped.append(Skipped(place, str(error)))
            if still is sequence.neutral:
                return []
    return found


def skipped_list(skipped: Iterable[Skipped]) -> str:
    """`; skipped N:` and a line for each of the first, or nothing."""
    skipped = list(skipped)
    if not skipped:
        return ""
    lines = [f"{one.place}: {one.reason}" for one in skipped[:SHOWN]]
    lines += [f"... and {len(skipped) - SHOWN} more"] if len(skipped) > SHOWN else []
    return "\n  ".join([f"; skipped {len(skipped)}:", *lines])


def checked(folder: Path, sequences: list[Sequence], skipped: list[Skipped]) -> Reading:
    """The reading, if anything is left of it.

    Raises:
        DataError: there is no sequence; says what was skipped.
    """
    if not sequences:
        raise DataError(f"{folder} holds no usable sequence{skipped_list(skipped)}")
    return Reading(tuple(sequences), tuple(skipped))


def needed_folder(folder: Path, *names: str, remedy: str) -> Path:
    """The folder `names` below `folder`.

    Raises:
        DataError: it is missing; ends with the remedy.
    """
    wanted = folder.joinpath(*names)
    if not wanted.is_dir():
        raise DataError(f"there is no folder {wanted}; {remedy}")
    return wanted


def visible(folder: Path, pattern: str) -> list[Path]:
    """What matches in a folder, sorted, without the hidden files that macOS leaves behind."""
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))


def numbered(folder: Path, pattern: re.Pattern, first: int) -> list[Path]:
    """A sequence's frames in order; the pattern's group 1 is a file's number.

    Raises:
        DataError: a frame is missing at the start or between two others, or fewer than two exist.
    """
    frames = {}
    for path in visible(folder, "*"):
        if found := pattern.fullmatch(path.name):
            frames[int(found[1])] = path
    if len(frames) < 2:
        raise DataError(f"it has {len(frames)} frames; at least 2 are needed")
    missing = sorted(set(range(first, max(frames))) - frames.keys())
    if missing:
        raise DataError(
            f"half-copied: {len(missing)} frames are missing, the first is {missing[0]}"
        )
    return [frames[number] for number in sorted(frames)]


def last_half(count: int) -> range:
    """The frames of a sequence that are targets: its last `count // 2`, rounded down.

    The paper says "the last half"; the rounding is an assumption. The first frame, the neutral
    one, is never among them.
    """
    return range(count - count // 2, count)


def read_landmarks(path: Path) -> np.ndarray:
    """68 lines of "x y" as (68, 2).

    Raises:
        DataError: it cannot be read, or holds anything else.
    """
    try:
        rows = [line.split() for line in path.read_text("ascii").splitlines() if line.strip()]
        points = np.array(rows, np.float64)
    except (OSError, ValueError) as error:
        raise DataError("its landmark file is unreadable") from error
    if points.shape != (LANDMARKS, 2) or not np.isfinite(points).all():
        raise DataError(f"its landmark file has {len(rows)} lines; {LANDMARKS} of x y are needed")
    return points


def read_frame(path: Path, number: int) -> np.ndarray:
    """One frame of a clip, uint8 RGB (H, W, 3).

    Raises:
        DataError: the clip has no such frame, or cannot be decoded.
    """
    for index, picture in clip_frames(path):
        if index == number:
            return picture
    raise DataError(f"{path.name} has no frame {number}")


def clip_frames(path: Path, stride: int = 1) -> Iterable[tuple[int, np.ndarray]]:
    """Number and picture, uint8 RGB (H, W, 3), of every `stride`-th frame of a clip.

    Decoded from the start: seeking is not exact in Flash video.

    Raises:
        DataError: the clip cannot be decoded.
    """
    clip = cv2.VideoCapture(str(path))
    index = 0
    try:
        while clip.grab():
            if index % stride == 0:
                decoded, picture = clip.retrieve()
                if not decoded:
                    break
                yield index, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
            index += 1
    finally:
        clip.release()
    if index == 0:
        raise DataError("the clip cannot be decoded")
