"""Who trains and who tests: drawn once, written in a file, or given as one."""

import json
from pathlib import Path

import numpy as np

from train.sources.sequences import DataError

Split = dict[str, list[str]]  # {"train": [...], "test": [...]}
Groups = list[tuple[list[str], float]]  # people, and the share of them that trains


def draw_split(groups: Groups, seed: int = 0) -> Split:
    """Draws the training people of each group; the others test. At least one of each remains.

    The same people and seed give the same split, in whatever order the people are named.

    Raises:
        DataError: a group has only one person.
    """
    split: Split = {"train": [], "test": []}
    for number, (people, share) in enumerate(groups):
        if len(people) < 2:
            raise DataError(f"a split needs two people at least, there is only {people}")
        order = np.random.default_rng((seed, number)).permutation(sorted(people)).tolist()
        count = min(max(1, round(share * len(people))), len(people) - 1)
        split["train"] += order[:count]
        split["test"] += order[count:]
    return {part: sorted(people) for part, people in split.items()}


def read_split(path: Path, people: list[str]) -> Split:
    """A split from a file, {"train": [...], "test": [...]}.

    Raises:
        DataError: it is no such file, names somebody twice or somebody who is not there.
    """
    try:
        split = json.loads(path.read_text("utf-8"))
        train, test = ([str(person) for person in split[part]] for part in ("train", "test"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f'{path} is no split: {{"train": [...], "test": [...]}}') from error
    if len({*train, *test}) < len(train) + len(test):
        raise DataError(f"{path} names a person twice")
    if not train or not test:
        raise DataError(f"{path} leaves nobody to train or to test")
    if strangers := sorted({*train, *test} - {*people}):
        raise DataError(f"{path} names people without a usable sequence: {', '.join(strangers)}")
    return {"train": sorted(train), "test": sorted(test)}
