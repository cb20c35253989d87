"""A folder of one's own: `person/neutral.jpg`, `person/happiness.jpg`, `person/anger-2.png`, ..."""

import re
from itertools import groupby
from pathlib import Path

from g2gan.images import ENDINGS
from train.sources.sequences import (
    Reading,
    Sequence,
    Skipped,
    Still,
    checked,
    needed_folder,
    visible,
)
from train.sources.splits import Groups

TRAINING_SHARE = 0.8
EXPRESSION = re.compile(r"[^\W\d_]+")  # the letters that a file's name begins with


def own_sequences(folder: str | Path) -> Reading:
    """A sequence for each person and expression, its pictures in the order of their names.

    Raises:
        DataError: the folder is missing, or nobody in it has a neutral and another picture.
    """
    folder = needed_folder(Path(folder), remedy="give a folder with one folder a person")
    sequences, skipped = [], []
    for place in visible(folder, "*"):
        if not place.is_dir():
            continue
        pictures = [path for path in visible(place, "*") if path.suffix.lower() in ENDINGS]
        neutral = [path for path in pictures if path.stem.lower() == "neutral"]
        named = {path: EXPRESSION.match(path.stem) for path in pictures if path not in neutral}
        others = sorted((found[0].lower(), path) for path, found in named.items() if found)
        for path in [path for path, found in named.items() if not found]:
            skipped.append(Skipped(f"{place.name}/{path.name}", "named after no expression"))
        for _, path in [other for other in others if other[0] == "neutral"]:
            skipped.append(Skipped(f"{place.name}/{path.name}", "a second neutral picture"))
        others = [other for other in others if other[0] != "neutral"]
        if not neutral or not others:
            lacking = "a picture named neutral" if not neutral else "a picture of an expression"
            skipped.append(Skipped(place.name, f"lacks {lacking}"))
            continue
        for expression, named in groupby(others, key=lambda pair: pair[0]):
            expressed = tuple(Still(path) for _, path in named)
            sequences.append(
                Sequence(place.name, expression, Still(neutral[0]), expressed, expression)
            )
    return checked(folder, sequences, skipped)


def own_groups(people: list[str]) -> Groups:
    """Four of five people train."""
    return [(people, TRAINING_SHARE)]
