"""Young adult faces (Canada, CC BY 4.0): neutral photographs, to be animated."""

import json
from pathlib import Path

from train.sources.london import LONDON_SPLIT
from train.sources.sequences import DataError


def canada_people() -> list[str]:
    """Who of the set trains; the others are kept apart."""
    return json.loads(LONDON_SPLIT.read_text("utf-8"))["canada"]


def canada_photos(folder: str | Path) -> dict[str, Path]:
    """Photo of each person who trains, as far as they are there.

    Reads the set as figshare's archive unpacks (`neutral_front/003f_03.jpg`) or flattened
    (`003f.jpg`).

    Raises:
        DataError: there is no such photo in the folder.
    """
    folder, people = Path(folder), set(canada_people())
    photos = {
        path.stem.split("_")[0]: path
        for pattern in ("[0-9]*.jpg", "neutral_front/[0-9]*.jpg")
        for path in sorted(folder.glob(pattern))
        if path.stem.split("_")[0] in people
    }
    if not photos:
        raise DataError(f"{folder} holds no photo like 003f.jpg; give the Canada set's folder")
    return photos
