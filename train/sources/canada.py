"""Young adult faces (Canada, CC BY 4.0): neutral photographs, to be animated."""

from pathlib import Path

from train.sources.sequences import DataError


def canada_photos(folder: str | Path) -> dict[str, Path]:
    """Photo of each person; all of them train.

    Reads the set as figshare's archive unpacks (`neutral_front/003f_03.jpg`) or flattened
    (`003f.jpg`).

    Raises:
        DataError: there is no such photo in the folder.
    """
    folder = Path(folder)
    photos = {
        path.stem.split("_")[0]: path
        for pattern in ("[0-9]*.jpg", "neutral_front/[0-9]*.jpg")
        for path in sorted(folder.glob(pattern))
    }
    if not photos:
        raise DataError(f"{folder} holds no photo like 003f.jpg; give the Canada set's folder")
    return photos
