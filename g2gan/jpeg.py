"""A JPEG's own tables and subsampling, so that saving an edit leaves the rest of it as it was."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, JpegImagePlugin

from g2gan.images import open_file

FACTORS = {1: (2, 1), 2: (2, 2)}  # Pillow's subsampling -> pixels of one chroma value, across, down
ORIENTATION, TURNED = 0x0112, (5, 6, 7, 8)  # EXIF orientations that exchange width and height
LOSSY = 95  # quality where the photo is no JPEG, or one whose settings cannot be had
SHARPENINGS = 12  # rounds; what is left of chroma's finest detail is 0.75 ** 12, 3%


def like_jpeg(original: str | Path, edit: Image.Image) -> tuple[Image.Image, dict]:
    """The picture to be saved as JPEG, and the settings with which it is.

    Where the edit is the photo, its values are those that the file was decoded to before they
    became RGB, and its chroma is as coarse as the file's: so the same coefficients come out.

    Args:
        original: the photo's file.
        edit: upright, of the photo's size, L or RGB.
    """
    with open_file(original) as photo:
        known = photo.format in ("JPEG", "MPO") and photo.mode == edit.mode
        if not known or photo.info.get("adobe_transform") == 0:  # 0: it holds RGB
            return edit, {"quality": LOSSY, "subsampling": 0}
        turned = photo.getexif().get(ORIENTATION) in TURNED
        sampling = JpegImagePlugin.get_sampling(photo) if photo.mode == "RGB" else 0
        if sampling < 0 or (turned and sampling == 1):
            sampling = 0  # what Pillow cannot write; nothing gets coarser
        settings = {
            "qtables": _tables(photo, turned),
            "subsampling": sampling,
            "progressive": "progressive" in photo.info,
        }
        if photo.mode == "L":
            return edit, settings
        rgb = np.asarray(ImageOps.exif_transpose(photo))
    with open_file(original) as photo:
        photo.draft("YCbCr", photo.size)
        values = np.array(ImageOps.exif_transpose(photo))
    touched = (np.asarray(edit) != rgb).any(2)
    values[touched] = np.asarray(edit.convert("YCbCr"))[touched]
    if sampling:
        for channel in (1, 2):
            values[..., channel] = _as_coarse(values[..., channel], *FACTORS[sampling])
    return Image.fromarray(values, "YCbCr"), settings


def _tables(photo: Image.Image, turned: bool) -> list[list[int]]:
    """The quantisation table of each component; Pillow repeats the last."""
    tables = [photo.quantization[layer[3]] for layer in photo.layer]
    if turned:
        tables = [np.reshape(table, (8, 8)).T.ravel().tolist() for table in tables]
    return tables[:2] if len(tables) == 3 and tables[1] == tables[2] else tables


def _as_coarse(chroma: np.ndarray, across: int, down: int) -> np.ndarray:
    """Chroma (H, W) that was decoded to full size, with the values it had in the file, repeated.

    Decoders spread each value over its neighbours, with weights 3 and 1; encoders average. What
    that blurs is undone here, by repeated comparison.
    """
    height, width = chroma.shape
    padded = np.pad(chroma, ((0, -height % down), (0, -width % across)), "edge")
    shape = (padded.shape[0] // down, down, padded.shape[1] // across, across)
    average = padded.reshape(shape).mean((1, 3), dtype=np.float32)
    blurs = [np.array([1, 6, 1] if n == 2 else [8], np.float32) / 8 for n in (across, down)]
    coarse = average.copy()
    for _ in range(SHARPENINGS):
        coarse += average - cv2.sepFilter2D(coarse, -1, *blurs, borderType=cv2.BORDER_REPLICATE)
    coarse = np.clip(np.round(coarse), 0, 255).astype(np.uint8)
    return coarse.repeat(down, 0).repeat(across, 1)[:height, :width]
