"""The Face Research Lab London Set (CC BY 4.0), of which the embedded checkpoint is made."""

import json
from dataclasses import dataclass
from pathlib import Path

from train.sources.sequences import DataError, Reading, Sequence, Still

PAIR = "~"  # stands between a person's name and their pair's number
LONDON_SPLIT = Path(__file__).parents[1] / "london_split.json"


@dataclass(frozen=True)
class Pair:
    """Two photographs of one person.

    Args:
        person: who.
        neutral, smiling: image files; the second shows any `expression`, in this set a smile.
        expression: its name, `None` where nobody annotated it.
        number: which of the person's pairs.
    """

    person: str
    neutral: Path
    smiling: Path
    expression: str | None = "happiness"
    number: int = 0

    @property
    def name(self) -> str:
        """Of the pair: the person's, and from their second pair on its number."""
        return f"{self.person}{PAIR}{self.number}" if self.number else self.person


def person_of(name: str) -> str:
    """Whose pair has this name."""
    person, _, number = name.rpartition(PAIR)
    return person if number.isdecimal() and person else name


def split_people() -> dict[str, list[str]]:
    """The London set's people: {"train": [...], "test": [...]}, never one in both."""
    split = json.loads(LONDON_SPLIT.read_text("utf-8"))
    return {part: split[part] for part in ("train", "test")}


def london_pairs(folder: str | Path, part: str) -> list[Pair]:
    """The neutral and smiling photos of the Face Research Lab London Set (CC BY 4.0).

    Reads the set as figshare's archives unpack (`neutral_front/001_03.jpg`,
    `smiling_front/001_08.jpg`) or flattened (`001_neutral.jpg`, `001_smiling.jpg`).

    Args:
        folder: where the set lies.
        part: "train" or "test", as in `london_split.json`.

    Raises:
        DataError: a person of the split has no such photo there; says which.
    """
    folder = Path(folder)
    layouts = (("{}_neutral.jpg", "{}_smiling.jpg"),)
    layouts += (("neutral_front/{}_03.jpg", "smiling_front/{}_08.jpg"),)
    pairs, missing = [], []
    for person in split_people()[part]:
        found = [
            [folder / name.format(person) for name in layout]
            for layout in layouts
            if all((folder / name.format(person)).is_file() for name in layout)
        ]
        if found:
            pairs.append(Pair(person, *found[0]))
        else:
            missing.append(person)
    if missing:
        raise DataError(
            f"{folder} lacks a neutral or smiling photo of {len(missing)} people of the {part} "
            f"split: {', '.join(missing[:10])}{' ...' if len(missing) > 10 else ''}; give the "
            "folder of the Face Research Lab London Set with --data"
        )
    return pairs


def london_sequences(folder: str | Path) -> Reading:
    """Both parts as sequences of two pictures, for the paper's own configuration.

    Raises:
        DataError: as `london_pairs`.
    """
    pairs = london_pairs(folder, "train") + london_pairs(folder, "test")
    sequences = [
        Sequence(pair.person, "smile", Still(pair.neutral), (Still(pair.smiling),), "happiness")
        for pair in pairs
    ]
    return Reading(tuple(sequences), ())
