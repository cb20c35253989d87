"""Saving a JPEG's edit so that the rest of it stays as it was: own tables, own coefficients."""

from functools import reduce
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, JpegImagePlugin

from g2gan.images import open_file

ORIENTATION = 0x0112  # the EXIF tag
TURNED = (5, 6, 7, 8)  # its values that exchange width and height
FACTORS = {0: (1, 1), 1: (2, 1), 2: (2, 2)}  # Pillow's subsampling -> pixels across, down, a value
BLOCK = 8  # values a side
LOSSY = 95  # quality where the photo is no JPEG, or one whose settings cannot be had
SHARPENINGS = 12  # rounds; what is left of chroma's finest detail is 0.75 ** 12, 3%


def save_jpeg(edit: Image.Image, path: Path, original: str | Path, metadata: dict) -> None:
    """Writes an edit with the quantisation tables and the subsampling of the original JPEG.

    Untouched blocks get the coefficients that they had, where jpeglib is installed. Where it is
    not, they are encoded from what the file was decoded to before it became RGB, with chroma as
    coarse as the file's: up to quality 92 or so, nearly the same coefficients come out.

    Args:
        edit: upright, of the photo's size, L or RGB.
        path: where to.
        original: the photo's file, of any format.
        metadata: further arguments of `Image.save`.
    """
    with open_file(original) as photo:
        like = photo.format in ("JPEG", "MPO") and photo.mode == edit.mode
        if not like or photo.info.get("adobe_transform") == 0:  # 0: it holds RGB
            edit.save(path, "JPEG", quality=LOSSY, subsampling=0, **metadata)
            return
        orientation = photo.getexif().get(ORIENTATION, 1)
        sampling = JpegImagePlugin.get_sampling(photo) if photo.mode == "RGB" else 0
        if sampling < 0 or (orientation in TURNED and sampling == 1):
            sampling = 0  # what Pillow cannot write; nothing gets coarser
        settings = {
            "qtables": _tables(photo, orientation),
            "subsampling": sampling,
            "progressive": "progressive" in photo.info,
        }
        before = np.asarray(ImageOps.exif_transpose(photo))
    touched = cv2.absdiff(np.asarray(edit), before)
    if edit.mode == "RGB":
        touched = reduce(cv2.max, cv2.split(touched))  # a tenth of the time of any(2)
    part = _in_blocks(cv2.boundingRect(touched), edit.size)
    if edit.mode == "RGB":
        with open_file(original) as photo:
            photo.draft("YCbCr", photo.size)
            values = np.array(ImageOps.exif_transpose(photo))
        place = (slice(part[1], part[3]), slice(part[0], part[2]))
        edited = np.asarray(edit.crop(part).convert("YCbCr"))
        values[place] = cv2.copyTo(edited, touched[place], values[place])
        edit = Image.fromarray(values, "YCbCr")
    options = settings | metadata
    if not _spliced(edit, path, original, touched, part, orientation, options):
        _with_coarse_chroma(edit, sampling).save(path, "JPEG", **options)


def _tables(photo: Image.Image, orientation: int) -> list[list[int]]:
    """The quantisation table of each component; Pillow repeats the last."""
    tables = [photo.quantization[layer[3]] for layer in photo.layer]
    if orientation in TURNED:
        tables = [np.reshape(table, (BLOCK, BLOCK)).T.ravel().tolist() for table in tables]
    return tables[:2] if len(tables) == 3 and tables[1] == tables[2] else tables


def _with_coarse_chroma(picture: Image.Image, sampling: int) -> Image.Image:
    """L as it is, YCbCr with chroma as the file will hold it."""
    if not sampling:
        return picture
    values = np.array(picture)
    for channel in (1, 2):
        values[..., channel] = _as_coarse(values[..., channel], *FACTORS[sampling])
    return Image.fromarray(values, "YCbCr")


def _as_coarse(chroma: np.ndarray, across: int, down: int) -> np.ndarray:
    """Chroma (H, W) that was decoded to full size, with the values it had in the file, repeated.

    Decoders spread each value over its neighbours, with weights 3 and 1; encoders average. What
    that blurs is undone here, by repeated comparison.
    """
    height, width = chroma.shape
    padded = np.pad(chroma, ((0, -height % down), (0, -width % across)), "edge").astype(np.float32)
    size = (padded.shape[1] // across, padded.shape[0] // down)
    average = cv2.resize(padded, size, interpolation=cv2.INTER_AREA)
    blurs = [np.array([1, 6, 1] if n == 2 else [8], np.float32) / 8 for n in (across, down)]
    coarse = average.copy()
    for _ in range(SHARPENINGS):
        blurred = cv2.sepFilter2D(coarse, -1, *blurs, borderType=cv2.BORDER_REPLICATE)
        coarse += cv2.subtract(average, blurred, dst=blurred)
    coarse = np.clip(np.round(coarse), 0, 255).astype(np.uint8)
    shown = cv2.resize(coarse, padded.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return shown[:height, :width]


def _spliced(
    edit: Image.Image,
    path: Path,
    original: str | Path,
    touched: np.ndarray,
    part: tuple[int, int, int, int],
    orientation: int,
    options: dict,
) -> bool:
    """Writes the original's coefficients, with those of touched blocks in their places, if it can.

    Only the touched part is encoded; around it lies a flat picture, which takes no time. A photo
    that its EXIF turns must be a whole number of blocks wide and high: its last blocks, which reach
    beyond it, become its first.

    Args:
        edit: L or YCbCr.
        touched: (H, W) uint8, 0 where the edit is as the photo was.
        part: left, top, right, bottom of whole blocks that hold what is touched.
        options: of `Image.save`.
    """
    try:
        import jpeglib
    except ImportError:
        return False
    height, width = touched.shape
    sampling = FACTORS[options["subsampling"]]
    whole = height % (sampling[1] * BLOCK) == width % (sampling[0] * BLOCK) == 0
    if orientation != 1 and not whole:
        return False
    flat = Image.new(edit.mode, edit.size)
    flat.paste(_with_coarse_chroma(edit.crop(part), options["subsampling"]), part)
    flat.save(path, "JPEG", **options)
    try:
        old, new = (jpeglib.read_dct(str(file)) for file in (original, path))
        pairs = {name: (getattr(old, name), getattr(new, name)) for name in ("Y", "Cb", "Cr")}
    except OSError:  # a path or a kind of JPEG that it cannot read
        return False
    for name, (theirs, ours) in pairs.items():
        if theirs is None and ours is None:
            continue  # a grey photo's chroma
        if theirs is None or ours is None:
            return False
        theirs = _upright(theirs, orientation)
        if theirs.shape != ours.shape:
            return False  # chroma that had to be written finer than it was
        side_x, side_y = (BLOCK * n for n in ((1, 1) if name == "Y" else sampling))
        rows, columns = ours.shape[:2]
        room = ((0, rows * side_y - height), (0, columns * side_x - width))
        blocks = np.pad(touched, room).reshape(rows, side_y, columns * side_x)
        changed = blocks.max(1).reshape(rows, columns, side_x).any(2)
        theirs = theirs.astype(ours.dtype)
        theirs[changed] = ours[changed]
        setattr(new, name, theirs)
    new.write_dct(str(path))
    return True


def _in_blocks(
    rectangle: tuple[int, int, int, int], size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """left, top, right, bottom of the blocks round x, y, width, height: one of chroma at least."""
    step = 2 * BLOCK
    low = [start // step * step for start in rectangle[:2]]
    ends = zip(rectangle[:2], rectangle[2:], size, strict=True)
    return *low, *(min(-(-max(start + n, 1) // step) * step, most) for start, n, most in ends)


def _upright(coefficients: np.ndarray, orientation: int) -> np.ndarray:
    """Coefficients (rows, columns, 8, 8), turned as EXIF says: a mirrored wave changes its sign."""
    signs = (-1) ** np.arange(BLOCK)
    if orientation in TURNED:
        coefficients = coefficients.transpose(1, 0, 3, 2)
    if orientation in (2, 3, 6, 7):
        coefficients = coefficients[:, ::-1] * signs
    if orientation in (3, 4, 7, 8):
        coefficients = coefficients[::-1] * signs[:, None]
    return coefficients
