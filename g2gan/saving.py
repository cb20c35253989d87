"""Saving an edit as its photograph was saved: same format and settings, colours, camera data.

And saying in the file that an AI edited it.
"""

from pathlib import Path

from PIL import Image, PngImagePlugin

from g2gan.errors import ImageError
from g2gan.images import SAME_COLOURS, open_file
from g2gan.jpeg import save_jpeg

SUFFIXES = {  # of the formats that edits are saved in; the first is the usual one
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "HEIF": (".heic", ".heif", ".hif"),
    "AVIF": (".avif",),
}
LOSSY = 95  # quality where the photo's own settings cannot be had

# The IPTC's word for a photograph that a trained model has changed in part
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
XMP = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    xmp:CreatorTool="G2-GAN"
    Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>""".encode()

ORIENTATION, EXIF_IFD, GPS_IFD = 0x0112, 0x8769, 0x8825
# What of a file's first EXIF directory describes the picture or the camera; the rest (thumbnail of
# the unedited face, strips, tiles) belongs to the file that it stood in
DESCRIPTIVE = (
    *(0x010E, 0x010F, 0x0110),  # description, make, model
    *(0x011A, 0x011B, 0x0128),  # resolution
    *(0x0131, 0x0132, 0x013B, 0x013C, 0x8298),  # software, date, artist, computer, copyright
    EXIF_IFD,
)
EXIF_WIDTH, EXIF_HEIGHT, MAKER_NOTE = 0xA002, 0xA003, 0x927C
EXIF_ROOM = 65_000  # bytes that a JPEG has for it


def edited_name(original: str | Path, word: str = "edited") -> str:
    """A file's name for an edit: "portrait-edited.jpg", with the `edited_suffix`.

    Raises:
        ImageError: the photo cannot be opened.
    """
    return f"{Path(original).stem}-{word}{edited_suffix(original)}"


def edited_suffix(original: str | Path) -> str:
    """The suffix of the format in which edits of a photo are saved: its own, if that fits.

    JPEG, PNG, WebP, HEIC and AVIF stay what they are; all else becomes PNG, and so does HEIC
    or AVIF where the installed libraries can only read it.

    Raises:
        ImageError: the photo cannot be opened.
    """
    with open_file(original) as photo:
        own = "JPEG" if photo.format == "MPO" else photo.format  # of several views, the first
    suffixes = SUFFIXES[own if own in SUFFIXES and own in Image.SAVE else "PNG"]
    suffix = Path(original).suffix
    return suffix if suffix.lower() in suffixes else suffixes[0]


def save_like(
    original: str | Path,
    image: Image.Image,
    path: str | Path,
    *,
    keep_location: bool = False,
) -> Path:
    """Writes an edit of a photo with the photo's own settings and metadata, whole or not at all.

    A JPEG is written with its own quantisation tables and subsampling, upright. The colour profile
    goes along, and the EXIF without thumbnail and position. XMP says that an AI edited it; what
    other XMP there was is not passed on.

    Args:
        original: the photo's file.
        image: the edit, upright and of the photo's size, as `G2GANOutput.images` holds it.
        path: where to; its suffix tells the format, `edited_name` suggests one.
        keep_location: pass on the position that the camera noted.

    Returns:
        `path`.

    Raises:
        ImageError: `path` is the photo itself or of a format that cannot be written, or the photo
            cannot be opened.
        OSError: the file cannot be written.
    """
    path = Path(path)
    if path.exists() and path.samefile(original):
        raise ImageError(f"{path} is the photo itself; choose another name for the edit")
    with open_file(original) as photo:
        written = _format_for(path)
        options = _metadata(photo, image.size, written, keep_location)
    unfinished = path.with_name(f".{path.name}.part")
    try:
        if written == "JPEG":
            save_jpeg(_on_white(image), unfinished, original, options)
        else:
            image.save(unfinished, written, **_settings(written, original), **options)
        unfinished.replace(path)
    except (ValueError, RuntimeError) as error:  # too wide for WebP, say
        raise ImageError(f"{path.name} cannot be written ({error}); save it as PNG") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def _format_for(path: Path) -> str:
    for name, suffixes in SUFFIXES.items():
        if path.suffix.lower() in suffixes and name in Image.SAVE:
            return name
    raise ImageError(
        f"{path.name}: an edit cannot be written as {path.suffix or 'a file without suffix'}; "
        "choose .jpg, .png or .webp"
    )


def _on_white(image: Image.Image) -> Image.Image:
    """L or RGB, for formats without transparency."""
    if not image.has_transparency_data:
        return image
    ground = Image.new("RGBA", image.size, "white")
    ground.alpha_composite(image.convert("RGBA"))
    return ground.convert(image.mode.removesuffix("A"))


def _settings(written: str, original: str | Path) -> dict:
    if written == "WEBP" and _is_lossless_webp(Path(original)):
        return {"lossless": True, "exact": True}
    finest = {"quality": LOSSY, "subsampling": "4:4:4"}
    return {  # the quick settings: a tenth of the time for the same size and error, or nearly
        "PNG": {"compress_level": 3},
        "WEBP": {"quality": LOSSY},
        "HEIF": finest | {"enc_params": {"preset": "ultrafast"}},
        "AVIF": finest | {"speed": 9},
    }[written]


def _is_lossless_webp(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(64 * 1024)  # a profile may stand before the picture
    lossless, lossy = head.find(b"VP8L"), head.find(b"VP8 ")
    return head[8:12] == b"WEBP" and lossless >= 0 and not 0 <= lossy < lossless


def _metadata(photo: Image.Image, size: tuple[int, int], written: str, keep_location: bool) -> dict:
    """What `Image.save` takes besides the pictures and its compression."""
    options = {}
    profile = photo.info.get("icc_profile")
    if profile and photo.mode in SAME_COLOURS:
        options["icc_profile"] = profile
    exif = _exif(photo, size, keep_location)
    if written == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", XMP.decode())
        options["pnginfo"] = text
    else:
        options["xmp"] = XMP
    if len(exif):
        options["exif"] = exif.tobytes()
    return options


def _exif(photo: Image.Image, size: tuple[int, int], keep_location: bool) -> Image.Exif:
    """What the camera noted, true of the edit: upright, of its size, without its position."""
    kept = Image.Exif()
    try:
        noted = photo.getexif()
        for tag in (*DESCRIPTIVE, *([GPS_IFD] if keep_location else [])):
            if tag in noted:
                kept[tag] = noted.get_ifd(tag) if tag in (EXIF_IFD, GPS_IFD) else noted[tag]
        if EXIF_IFD in kept:
            details = dict(kept[EXIF_IFD])
            details.pop(MAKER_NOTE, None)  # its offsets point into the old file
            for tag, length in ((EXIF_WIDTH, size[0]), (EXIF_HEIGHT, size[1])):
                if tag in details:
                    details[tag] = length
            kept[EXIF_IFD] = details
        if ORIENTATION in noted:
            kept[ORIENTATION] = 1
        fits = len(kept.tobytes()) < EXIF_ROOM
    except Exception:  # on damaged EXIF Pillow raises anything; the picture is whole
        fits = False
    return kept if fits else Image.Exif()
