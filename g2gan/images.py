"""Opening what people upload: any picture in, uint8 RGB out, results in the picture's own mode."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from g2gan.errors import ImageError

MAX_PIXELS = 64_000_000  # width times height
MIN_SIDE = 32  # pixels; no face can be seen in less
# what cameras, telephones and editors write; Pillow's others include some that run programs (EPS)
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "HEIF", "AVIF", "TIFF", "GIF", "BMP", "JPEG2000", "PPM")
# as which they are found in folders; a single file may be called as it likes
ENDINGS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".heic", ".heif", ".hif"),
    *(".avif", ".gif", ".bmp", ".jp2", ".ppm", ".pgm"),
)
SAME_COLOURS = (
    "L",
    "LA",
    "P",
    "PA",
    "RGB",
    "RGBA",
)  # modes whose colour profile stays true in ours


@dataclass(frozen=True, eq=False)
class Photo:
    """An opened photo, upright.

    Args:
        rgb: uint8 (H, W, 3), what the networks see; a grey photo's three channels are equal.
        mode: "L", "LA", "RGB" or "RGBA": the mode in which results are returned.
        alpha: uint8 (H, W) where the mode has transparency, else `None`.
        icc_profile: the file's colour profile, so that a result looks like the photo it came from.
    """

    rgb: np.ndarray
    mode: str
    alpha: np.ndarray | None = None
    icc_profile: bytes | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.rgb.shape[1], self.rgb.shape[0]

    def to_pil(self, rgb: np.ndarray) -> Image.Image:
        """A result in the photo's own mode; `rgb` is uint8 (H, W, 3) of the photo's size.

        Where `rgb` equals the photo's, so does the result, bit for bit: transparency is kept as it
        was, and a grey that has not been touched is the same grey.
        """
        result = Image.fromarray(np.ascontiguousarray(rgb))
        if self.mode in ("L", "LA"):
            result = result.convert("L")  # its weights sum to one: equal channels come out exact
        if self.alpha is not None:
            result.putalpha(Image.fromarray(self.alpha))
        if self.icc_profile:
            result.info["icc_profile"] = self.icc_profile
        return result


def open_photo(
    source: str | Path | Image.Image | np.ndarray, max_pixels: int = MAX_PIXELS
) -> Photo:
    """Opens a photo and turns it upright by its EXIF orientation.

    L, LA, RGB and RGBA keep their mode. A palette becomes RGB, or RGBA where it has transparency;
    CMYK, YCbCr and Lab become RGB; 1 bit becomes L; 16-bit grey is scaled to 8 bits, L. Of a file
    with several pictures (an animation) the first is taken.

    Args:
        source: a path, a PIL image, or a uint8 array: (H, W, 3), (H, W) grey, or (H, W, 4) RGBA.
        max_pixels: a larger photo is refused before it is decoded.

    Raises:
        ImageError: `source` cannot be read as a photo, is too large, or has a side below 32 pixels.
    """
    if isinstance(source, np.ndarray):
        _check_array(source, max_pixels)
        pixels = np.array(source, order="C")
        if pixels.ndim == 3 and pixels.shape[2] == 3:
            return Photo(pixels, "RGB")
        return _to_photo(Image.fromarray(pixels))
    if isinstance(source, Image.Image):
        return _to_photo(_decoded(source, max_pixels))
    if isinstance(source, str | Path):
        with open_file(source) as image:
            return _to_photo(_decoded(image, max_pixels))
    kind = type(source).__name__
    raise ImageError(f"a photo is a path, a PIL image or a uint8 array (H, W, 3), not {kind}")


def _check_array(array: np.ndarray, max_pixels: int) -> None:
    if array.dtype != np.uint8:
        raise ImageError(f"the array holds {array.dtype}; convert it to uint8 (0 to 255) first")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise ImageError(f"the array's shape is {array.shape}; (H, W, 3) is needed")
    _check_size((array.shape[1], array.shape[0]), max_pixels)


def open_file(path: str | Path) -> Image.Image:
    """A photo's file with its header read and no pixel decoded; to be closed.

    Raises:
        ImageError: it is missing, or no photo.
    """
    import pillow_heif

    pillow_heif.register_heif_opener()  # photos of telephones; registering again changes nothing
    Image.init()
    path = Path(path)
    formats = [name for name in FORMATS if name in Image.OPEN]
    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures; ours, which comes next, says what to do
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(path, formats=formats)
    except FileNotFoundError as error:
        raise ImageError(f"{path} does not exist") from error
    except IsADirectoryError as error:
        raise ImageError(f"{path} is a folder, not a photo") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"{path.name} is far too large; make it smaller first") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{path.name} is damaged or no photo; save it as JPEG or PNG") from error
    except Exception as error:  # on damaged headers decoders raise anything
        raise ImageError(
            f"{path.name} cannot be read ({_one_line(error)}); save it as JPEG or PNG"
        ) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if min(size) < MIN_SIDE:
        raise ImageError(
            f"the photo has {width} x {height} pixels; at least {MIN_SIDE} a side are needed"
        )
    if width * height > max_pixels:
        raise ImageError(
            f"the photo has {width * height / 1e6:.1f} megapixels, more than "
            f"{max_pixels / 1e6:.1f}; make it smaller first"
        )


def _decoded(image: Image.Image, max_pixels: int) -> Image.Image:
    """The pixels, upright, in an image of our own."""
    _check_size(image.size, max_pixels)
    try:
        return ImageOps.exif_transpose(image)
    except Exception as error:  # on damaged files decoders raise anything
        raise ImageError(
            f"the photo is damaged ({_one_line(error)}); save it again, as JPEG or PNG"
        ) from error


def _to_photo(image: Image.Image) -> Photo:
    profile = image.info.get("icc_profile") if image.mode in SAME_COLOURS else None
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bits(image)
    grey = image.mode in ("1", "L", "LA", "La")
    mode = ("L" if grey else "RGB") + ("A" if image.has_transparency_data else "")
    pixels = np.array(image.convert(mode))
    if mode == "L":
        return Photo(np.repeat(pixels[..., None], 3, axis=2), mode, None, profile)
    if mode == "LA":
        return Photo(np.repeat(pixels[..., :1], 3, axis=2), mode, pixels[..., 1].copy(), profile)
    if mode == "RGBA":
        return Photo(pixels[..., :3].copy(), mode, pixels[..., 3].copy(), profile)
    return Photo(pixels, mode, None, profile)


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey, scaled to L; Pillow's own conversion would clamp it to white."""
    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > 65535:
        raise ImageError("the photo has more than 16 bits a pixel; save it with 8 bits")
    return Image.fromarray(np.round(values / 257).astype(np.uint8))
