"""CREMA-D: 91 actors speak sentences in six expressions (Open Database License).

`VideoFlash/1001_DFA_ANG_XX.flv` is actor, sentence, emotion and level, 480 x 360;
`processedResults/summaryTable.csv` holds what viewers saw in the face alone (`FaceVote`: a letter,
or several joined by colons for a tie). Frames are chosen by their geometry, so faces are detected
here already.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from g2gan.alignment import EVALUATION, crop, eye_centres, transform
from train.sources.sequences import (
    DataError,
    Reading,
    Sequence,
    Skipped,
    Still,
    checked,
    clip_frames,
    needed_folder,
    skipped_list,
    visible,
)
from train.sources.splits import Groups

EXPRESSIONS = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happiness",
    "NEU": "neutral",
    "SAD": "sadness",
}
CLIP = re.compile(r"(\d{4})_[A-Z]{3}_([A-Z]{3})_(?:LO|MD|HI|XX|X)")
TRAINING_SHARE = 0.8
STRIDE = 3  # frames: ten looks a second
CLIPS = 4  # of an actor's expression, those that viewers rated strongest
TARGETS = 3  # frames of a clip, those farthest from neutral
TURNED, MOUTH_OPEN = 0.12, 0.03  # largest asymmetry and lip gap of a neutral frame, eye distances
EYES_OPEN = 0.8  # least lid gap of a neutral frame, as a share of the actor's median
LFS_POINTER = b"version https://git-lfs"
REMEDY = "give the folder of CREMA-D's repository"

Detect = Callable[[np.ndarray], np.ndarray | None]  # RGB -> the largest face's 68 landmarks


class Look(NamedTuple):
    """A face in a frame of a clip."""

    still: Still
    shape: np.ndarray  # (68, 2) by the eyes: unit the eye distance, origin between the eyes
    sharpness: float  # variance of the Laplacian in the evaluation frame


class Vote(NamedTuple):
    """What viewers saw in a clip's face."""

    letter: str  # N, A, D, F, H, S; a tie has several
    level: float  # mean rated strength, 0 to 100; 0 where it is not one number


def crema_sequences(folder: str | Path, detect: Detect) -> Reading:
    """A sequence for each actor's clip in which viewers saw the expression that was acted.

    The neutral frame is the actor's sharpest among those that are frontal, with closed mouth and
    open eyes, of clips acted neutrally; the targets are each clip's farthest from it.

    Raises:
        DataError: a folder or table is missing, clips are Git LFS pointers, or nothing is left.
    """
    acted, votes, skipped = crema_clips(folder)
    sequences = []
    for actor, by_emotion in tqdm(sorted(acted.items()), desc="choosing frames", unit="actor"):
        at_rest = by_emotion.pop("NEU", [])
        neutral = choose_neutral(
            [look for clip in at_rest for look in _looks(clip, detect, skipped)]
        )
        if neutral is None:
            skipped.append(Skipped(actor, "no sharp, frontal neutral frame with a closed mouth"))
            continue
        for emotion, acted_clips in sorted(by_emotion.items()):
            acted_clips.sort(key=lambda clip: (-votes[clip.stem].level, clip.stem))
            for clip in acted_clips[:CLIPS]:
                targets = choose_targets(_looks(clip, detect, skipped), neutral)
                if targets:
                    name = clip.stem.removeprefix(f"{actor}_")
                    sequences.append(
                        Sequence(actor, name, neutral.still, targets, EXPRESSIONS[emotion])
                    )
    return checked(Path(folder), sequences, skipped)


def crema_clips(
    folder: str | Path,
) -> tuple[dict[str, dict[str, list[Path]]], dict[str, Vote], list[Skipped]]:
    """Actor -> emotion -> the clips in which viewers saw it; all votes; what cannot be used.

    Raises:
        DataError: a folder or table is missing, or clips are Git LFS pointers.
    """
    folder = Path(folder)
    clips = visible(needed_folder(folder, "VideoFlash", remedy=REMEDY), "*.flv")
    if clips and clips[0].read_bytes()[: len(LFS_POINTER)] == LFS_POINTER:
        raise DataError(f"{clips[0]} is a Git LFS pointer; run git lfs pull in {folder}")
    votes = read_votes(folder / "processedResults" / "summaryTable.csv")
    acted: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    skipped = []
    for clip in clips:
        found = CLIP.fullmatch(clip.stem)
        if not found or found[2] not in EXPRESSIONS:
            skipped.append(Skipped(clip.name, "not named as actor, sentence, emotion, level"))
        elif clip.stem not in votes:
            skipped.append(Skipped(clip.name, "not in summaryTable.csv"))
        elif votes[clip.stem].letter == found[2][0]:  # else viewers saw something different
            acted[found[1]][found[2]].append(clip)
    return acted, votes, skipped


def crema_report(folder: str | Path) -> str:
    """What there is to choose frames from, in a few lines; clips are not opened.

    Raises:
        DataError: as `crema_clips`.
    """
    acted, _, skipped = crema_clips(folder)
    clips = sum(len(clips) for by_emotion in acted.values() for clips in by_emotion.values())
    return f"{len(acted)} actors, {clips} clips that viewers agreed on{skipped_list(skipped)}"


def crema_groups(people: list[str]) -> Groups:
    """Four of five actors train."""
    return [(people, TRAINING_SHARE)]


def read_votes(path: Path) -> dict[str, Vote]:
    """Clip → what viewers of the silent picture saw.

    Raises:
        DataError: the table is missing or lacks a column.
    """
    try:
        with path.open(newline="", encoding="utf-8") as table:
            return {
                row["FileName"]: Vote(row["FaceVote"].strip(), _number(row["FaceLevel"]))
                for row in csv.DictReader(table)
            }
    except (OSError, KeyError, AttributeError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} is missing or lacks FileName, FaceVote or FaceLevel; {REMEDY}"
        ) from error


def choose_neutral(looks: list[Look]) -> Look | None:
    """The sharpest of an actor's looks that are frontal, with closed mouth and open eyes."""
    if not looks:
        return None
    lids = [_lid_gap(look.shape) for look in looks]
    enough = EYES_OPEN * float(np.median(lids))
    calm = [
        look
        for look, gap in zip(looks, lids, strict=True)
        if gap >= enough
        and _asymmetry(look.shape) < TURNED
        and np.linalg.norm(look.shape[62] - look.shape[66]) < MOUTH_OPEN
    ]
    return max(calm, key=lambda look: look.sharpness, default=None)


def choose_targets(looks: list[Look], neutral: Look) -> tuple[Still, ...]:
    """The looks whose landmarks lie farthest from the neutral ones, the farthest last."""
    nearest_first = sorted(looks, key=lambda look: np.abs(look.shape - neutral.shape).mean())
    return tuple(look.still for look in nearest_first[-TARGETS:])


def _looks(clip: Path, detect: Detect, skipped: list[Skipped]) -> list[Look]:
    """Every face that is found in the clip, `STRIDE` frames apart."""
    looks = []
    try:
        for number, picture in clip_frames(clip, STRIDE):
            landmarks = detect(picture)
            if landmarks is not None:
                face = crop(picture, EVALUATION.matrix(landmarks), EVALUATION.side)
                sharpness = cv2.Laplacian(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var()
                looks.append(Look(Still(clip, number, landmarks), _by_eyes(landmarks), sharpness))
        if not looks:
            raise DataError("no face is found in it")
    except DataError as error:
        skipped.append(Skipped(clip.name, str(error)))
    return looks


def _by_eyes(landmarks: np.ndarray) -> np.ndarray:
    """Landmarks with the eyes' middle at 0 and eye distance 1."""
    shape = transform(EVALUATION.matrix(landmarks), landmarks)
    return (shape - np.mean(eye_centres(shape), 0)) / (EVALUATION.eye_distance * EVALUATION.side)


def _lid_gap(shape: np.ndarray) -> float:
    """Mean distance of upper and lower lids."""
    upper, lower = shape[[37, 38, 43, 44]], shape[[41, 40, 47, 46]]
    return float(np.linalg.norm(upper - lower, axis=1).mean())


def _asymmetry(shape: np.ndarray) -> float:
    """How far the nose's tip is from the middle between the jaw's ends: a turned head."""
    return float(abs(shape[30, 0] - (shape[0, 0] + shape[16, 0]) / 2))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:  # a tie has a level for each letter
        return 0.0
