"""The tab in which a face goes from one expression to another, to be scrubbed and taken home."""

from collections.abc import Callable, Iterator
from pathlib import Path

import gradio as gr
import numpy as np
from PIL import Image

from g2gan import G2GAN, Face, FaceIndexError, NoFaceError
from g2gan.images import open_photo
from g2gan.strips import LONGEST, write_strip
from space.examples import Examples
from space.offers import looks
from space.photos import Portrait, being_saved, edit_when_asked, new_file, shrunk, to_download
from space.views import as_data_url
from space.visits import Visit, Visits

OWN, NEUTRAL = "own", "neutral"  # the photo's own expression, and none
FRAMES = 17  # of a strip; odd, so that one lies in the middle
STAGE = 640  # pixels of a frame's longer side on the page
GIF, MP4 = (
    f"Download {kind} ({LONGEST[suffix]} px)"
    for kind, suffix in (("GIF", ".gif"), ("video", ".mp4"))
)
MAKING = "Painting the pictures, a few seconds …"
HERE = Path(__file__).parent


def interpolation(
    pipe: G2GAN,
    make_strip: Callable,
    visits: Visits,
    tab: gr.Tab,
    active: gr.State,
    portrait: Portrait,
    examples: Examples,
) -> None:
    """Fills the tab.

    Args:
        make_strip: `strip` without its first argument.
        examples: a strip of one is shown until there is a photo.
    """
    gr.Markdown("Moves from one expression to another and back.", elem_classes="what")
    choices = choices_of(pipe)
    last = "happiness" if "happiness" in pipe.expressions else choices[-1][1]
    offered = [{"name": name, "label": label} for label, name in choices]
    ends = gr.HTML(
        {"start": NEUTRAL, "end": last, "choices": offered},
        html_template=(HERE / "ends.html").read_text("utf-8"),
        js_on_load=(HERE / "ends.js").read_text("utf-8"),
        elem_classes="ends",
    )
    labels = {name: label for label, name in choices}

    def played(images: list[Image.Image], start: str, end: str) -> dict:
        return {
            "frames": [as_data_url(_stage(image)) for image in images],
            "from": labels[start],
            "to": labels[end],
        }

    player = gr.HTML(
        html_template=(HERE / "player.html").read_text("utf-8"),
        js_on_load=(HERE / "player.js").read_text("utf-8"),
        elem_classes="player",
        min_height=120,
    )

    def played_example() -> dict:
        images = strip(pipe, shrunk(examples.neutral[0], 480), 0, NEUTRAL, last, 7)
        return played(images, NEUTRAL, last)

    worked = [examples.add(player, played_example)] if examples.neutral else []
    with gr.Row():
        gif = gr.DownloadButton(GIF, visible=False, elem_classes="save")
        mp4 = gr.DownloadButton(MP4, visible=False, variant="primary", elem_classes="save")

    def interpolate(visit: Visit, face: int, ends: dict) -> Iterator[tuple]:
        start, end = ends["start"], ends["end"]
        photo = visit.photo.to_pil(visit.photo.rgb)
        yield {"making": MAKING}, gr.skip(), gr.skip()
        images = make_strip(photo, visit.faces[face], start, end)
        yield played(images, start, end), being_saved(), being_saved()
        way = f"{labels[start]} to {labels[end]}".lower().replace(",", "").replace(" ", "-")
        name = f"{visit.path.stem}-{way}"
        video = write_strip(images, new_file(f"{name}.mp4"))
        yield gr.skip(), gr.skip(), to_download(video, MP4)
        clip = write_strip(images, new_file(f"{name}.gif"))
        yield gr.skip(), to_download(clip, GIF), gr.skip()

    edit_when_asked(
        tab,
        active,
        visits,
        [portrait],
        [ends],
        [player, gif, mp4],
        interpolate,
        worked,
    )


def choices_of(pipe: G2GAN) -> list[tuple[str, str]]:
    """What a strip can start and end with, as (label, name)."""
    offered = [(look["label"], look["name"]) for look in looks(pipe)]
    return [("As in the photo", OWN), *offered]


def strip(
    pipe: G2GAN,
    photo: Image.Image | Path,
    face: Face | int,
    start: str,
    end: str,
    frames: int = FRAMES,
) -> list[Image.Image]:
    """A face's way from one expression to another, at the size of a clip.

    From or to the photo's own expression it leads over the neutral face.

    Args:
        start: one of `pipe.expressions` or `pipe.looks`, or "own".
        end: likewise.
        frames: how many pictures.

    Raises:
        NoFaceError, FaceIndexError, ImageError, UnknownExpressionError.
    """
    photo, face = _at_clip_size(pipe, photo, face)
    plain = pipe.remove(photo, face=face)
    neutral, calm = plain.images[0], plain.faces[0]

    def painted(shares: dict[str, float]) -> Image.Image:
        shares = {name: share for name, share in shares.items() if share and name != NEUTRAL}
        if not shares:
            return neutral
        return pipe.synthesize(neutral, shares, face=calm, from_neutral=True).images[0]

    def own(share: float) -> Image.Image:
        """The neutral face at 0, the photo at 1."""
        if share in (0, 1):
            return photo if share else neutral
        asked = calm.mesh + share * (face.mesh - calm.mesh)
        return pipe.synthesize(neutral, landmarks=asked, face=calm, from_neutral=True).images[0]

    def growing(name: str, frames: int) -> list[Image.Image]:
        shares = np.linspace(0, 1, frames).tolist()
        return [own(share) if name == OWN else painted({name: share}) for share in shares]

    if start == end:
        return [growing(start, 2)[1]] * 2
    if OWN not in (start, end):
        shares = np.linspace(0, 1, frames).tolist()
        return [painted({start: 1 - share, end: share}) for share in shares]
    other = end if start == OWN else start
    half = frames // 2 + 1
    if other == NEUTRAL:
        pictures = growing(OWN, frames)
    else:
        pictures = growing(other, half)[::-1] + growing(OWN, half)[1:]
    return pictures if end == OWN else pictures[::-1]


def _at_clip_size(
    pipe: G2GAN, photo: Image.Image | Path, face: Face | int
) -> tuple[Image.Image, Face]:
    """The photo no larger than a clip shows it, and the chosen face in it."""
    opened = open_photo(photo)
    if not isinstance(face, Face):
        found = pipe.detect(opened.rgb)
        if not found:
            raise NoFaceError("no face found")
        if not 0 <= face < len(found):
            raise FaceIndexError(f"the photo has {len(found)} faces")
        face = found[face]
    image = opened.to_pil(opened.rgb)
    scale = min(1.0, max(LONGEST.values()) / max(image.size))
    if scale == 1.0:
        return image, face
    size = tuple(max(1, round(side * scale)) for side in image.size)
    small = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3)
    small.info.update(image.info)
    factors = np.divide(size, image.size)
    mesh = face.mesh * (*factors, scale)
    mesh[:, :2] += 0.5 * factors - 0.5  # pixels' centres stay where they are
    return small, Face(mesh, size)


def _stage(image: Image.Image) -> np.ndarray:
    shown = image.copy()
    shown.thumbnail((STAGE, STAGE), reducing_gap=2)
    return open_photo(shown).rgb
