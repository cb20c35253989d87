"""A prepared set -> one small archive, to train on a machine that has nothing else.

    python -m train.pack data/london london.zip
    python -m train.train --preset london-synthesis --data london.zip --run runs/synthesis

Photographs, meshes and the rig travel; animated pictures are left behind, since there is a rig to
animate with while training. Nothing that trains needs MediaPipe.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo, is_zipfile

from train.command import mistakes_are_said
from train.prepare import MANIFEST, RIG, SHAPE_MODEL, SHARD
from train.sources import DataError


def pack(folder: Path, archive: Path) -> None:
    """Write a prepared set's archive; the same set gives the same bytes.

    Raises:
        DataError: the folder is not a prepared set.
    """
    _check(folder, folder)
    parts = [folder / MANIFEST, folder / SHARD, folder / RIG, *(folder / SHAPE_MODEL).iterdir()]
    unfinished = archive.with_name(f"{archive.name}.part")
    with ZipFile(unfinished, "w") as packed:
        for path in sorted(path for path in parts if path.is_file()):
            entry = ZipInfo(path.relative_to(folder).as_posix())  # of a fixed date
            packed.writestr(entry, path.read_bytes(), ZIP_DEFLATED, 9)
    unfinished.replace(archive)


@contextmanager
def unpacked(data: Path) -> Iterator[Path]:
    """A prepared set's folder; of an archive, one that lasts as long as it is looked at.

    Raises:
        DataError: the folder, or what is in the archive, is not a prepared set.
    """
    if not is_zipfile(data):
        _check(data, data)
        yield data
        return
    with TemporaryDirectory() as folder, ZipFile(data) as packed:
        packed.extractall(folder)
        _check(Path(folder), data)
        yield Path(folder)


def _check(folder: Path, given: Path) -> None:
    if not (folder / MANIFEST).is_file():
        raise DataError(f"{given} is no prepared set; make one with python -m train.prepare")


@mistakes_are_said()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of the prepared set")
    parser.add_argument("archive", type=Path, help="where to write it, such as london.zip")
    arguments = parser.parse_args()
    pack(arguments.data, arguments.archive)
    print(f"{arguments.archive}: {arguments.archive.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
