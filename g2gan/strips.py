"""An interpolation as a moving picture: GIF, or MP4 that browsers and telephones play."""

import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageCms

from g2gan.errors import ImageError

PACE = 12  # pictures a second
PAUSE = 0.5  # seconds at either end
LONGEST = {".gif": 640, ".mp4": 1280}  # pixels of the longer side; photos are larger than clips
BT709 = "colorprim=bt709:transfer=bt709:colormatrix=bt709"  # said, players need not guess
EDITED = "Edited by an AI (G2-GAN)"


def write_strip(images: Sequence[Image.Image], path: str | Path, *, pace: float = PACE) -> Path:
    """Writes pictures there and back again, with a pause at either end: a GIF repeats that forever.

    Args:
        images: of one size, as `G2GAN.interpolate` returns them; larger ones are shrunk. Colours
            become sRGB: neither format holds a colour profile.
        path: to a ".gif" or ".mp4".
        pace: pictures a second.

    Returns:
        `path`.

    Raises:
        ImageError: there is no image, or the path has another suffix.
        OSError: the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in LONGEST:
        raise ImageError(f"{path.name}: a strip is written as .gif or .mp4; choose one of these")
    if not images:
        raise ImageError("there is no picture to make a strip of")
    frames = [_frame(image, LONGEST[suffix]) for image in images]
    unfinished = path.with_name(f".{path.stem}.part{suffix}")
    write = _write_gif if suffix == ".gif" else _write_mp4
    try:
        write(frames, unfinished, pace)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def _frame(image: Image.Image, longest: int) -> np.ndarray:
    """uint8 sRGB (H, W, 3), of even sides: video halves them."""
    scale = min(1.0, longest / max(image.size))
    size = tuple(max(2, round(side * scale / 2) * 2) for side in image.size)
    profile = image.info.get("icc_profile")
    if image.has_transparency_data:
        ground = Image.new("RGBA", image.size, "white")
        ground.alpha_composite(image.convert("RGBA"))
        image = ground
    image = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    return np.asarray(_as_srgb(image, profile))


def _as_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if not profile:
        return image
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"))
    except (ImageCms.PyCMSError, OSError):  # a grey's or a damaged profile: shown as most do
        return image


def _write_gif(frames: list[np.ndarray], path: Path, pace: float) -> None:
    """One palette for all; what does not move is dithered once, or it would flicker.

    Its colours cover what occurs, however seldom: by their frequency, lips would turn to skin.
    """
    longest = max(1, len(frames) // 4)
    sample = Image.fromarray(np.concatenate(frames[::longest]))
    palette = sample.quantize(256, Image.Quantize.MAXCOVERAGE)
    shown: list[Image.Image] = []
    for frame in frames:
        picture = Image.fromarray(frame).quantize(palette=palette)
        if shown:
            still = (frame == frames[0]).all(2)
            indices = np.where(still, np.asarray(shown[0]), np.asarray(picture))
            picture = Image.fromarray(indices.astype(np.uint8), "P")
            picture.putpalette(palette.getpalette())
        shown.append(picture)
    step = round(1000 / pace)
    hold = step + round(1000 * PAUSE)
    back = shown[-2:0:-1]
    lengths = [hold, *[step] * (len(shown) - 2), hold, *[step] * len(back)][: len(shown + back)]
    first, *others = [*shown, *back]
    first.save(
        path,
        save_all=True,
        append_images=others,
        duration=lengths,
        loop=0,
        disposal=1,
        comment=EDITED,
    )


def _write_mp4(frames: list[np.ndarray], path: Path, pace: float) -> None:
    """H.264 where PyAV is installed; else VP9, which OpenCV brings and browsers play."""
    hold = [frames[0]] * round(PAUSE * pace), [frames[-1]] * round(PAUSE * pace)
    frames = [*hold[0], *frames, *hold[1], *frames[-2:0:-1]]
    height, width = frames[0].shape[:2]
    try:
        import av
    except ImportError:
        _write_vp9(frames, path, pace)
        return
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        container.metadata["comment"] = EDITED
        stream = container.add_stream("libx264", rate=round(pace))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": "18", "x264-params": BT709}
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, "rgb24")
            picture = picture.reformat(format="yuv420p", dst_colorspace="ITU709")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def _write_vp9(frames: list[np.ndarray], path: Path, pace: float) -> None:
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"vp09"), pace, (width, height))
    if not writer.isOpened():
        raise OSError(f"{path.parent} cannot be written to, or MP4 needs PyAV: pip install av")
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
