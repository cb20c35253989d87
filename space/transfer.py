"""The tab in which two people swap expressions, with both neutral faces in between."""

from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import numpy as np

from g2gan import G2GAN, Face
from space.examples import Examples
from space.photos import (
    Portrait,
    Result,
    before_and_after,
    choice_of_parts,
    download_button,
    edit_when_asked,
    face_crop,
    portrait,
    saved,
    shown,
    shrunk,
)
from space.views import as_data_url
from space.visits import Visit, Visits

DOWNLOADS = ("Download the first person", "Download the second person")
CROP = 320  # pixels of a face in the overview
HERE = Path(__file__).parent


def transfer(
    pipe: G2GAN,
    visits: Visits,
    tab: gr.Tab,
    active: gr.State,
    first: Portrait,
    examples: Examples,
) -> None:
    """Fills the tab.

    Args:
        first: the visitor's portrait; the second one is chosen here.
        examples: second people to click; two of them swap until there are two photos.
    """
    gr.Markdown("Two people swap expressions. Choose a second portrait.", elem_classes="what")
    with gr.Row(elem_classes="second"):
        second = portrait(visits, "Second portrait", examples.others)
    overview = gr.HTML(
        html_template=(HERE / "overview.html").read_text("utf-8"),
        js_on_load=None,
        elem_classes="overview",
    )
    worked = []
    if examples.smiling and examples.neutral:
        pair = examples.smiling[0], examples.neutral[-1]
        worked = [examples.add(overview, lambda: _overview(pipe, *pair))]
    with gr.Row():
        download_a, download_b = map(download_button, DOWNLOADS)
    parts = choice_of_parts(pipe, "Swap", "For the rest, everyone keeps their own.")
    with gr.Row(visible=False) as row:
        edits = [
            Result(before_and_after(label), download)
            for label, download in (("First person", download_a), ("Second person", download_b))
        ]

    def swap(visit_a: Visit, visit_b: Visit, a: int, b: int, parts: list[str]) -> Iterator[tuple]:
        photos = [visit.photo.to_pil(visit.photo.rgb) for visit in (visit_a, visit_b)]
        faces = visit_a.faces[a], visit_b.faces[b]
        a_on_b, b_on_a = photos[::-1]
        if parts:
            swapped = pipe.transfer(*photos, parts=parts, face_a=faces[0], face_b=faces[1])
            a_on_b, b_on_a = swapped.images
        visible = gr.update(visible=True)
        rows = [
            _row(visit.photo.rgb, visit.neutral(index).rgb, np.asarray(image.convert("RGB")), face)
            for visit, index, image, face in zip(
                (visit_a, visit_b), (a, b), (b_on_a, a_on_b), faces, strict=True
            )
        ]
        yield {"rows": rows}, visible, *shown(visit_a, b_on_a), *shown(visit_b, a_on_b)
        yield (
            gr.skip(),
            gr.skip(),
            *saved(visit_a, b_on_a, "swapped", DOWNLOADS[0]),
            *saved(visit_b, a_on_b, "swapped", DOWNLOADS[1]),
        )

    edit_when_asked(
        tab,
        active,
        visits,
        [first, second],
        [parts],
        [overview, row, *edits[0], *edits[1]],
        swap,
        worked,
    )


def _overview(pipe: G2GAN, path_a: Path, path_b: Path) -> dict:
    """Both people's faces as they are, without expression, and with the other's."""
    photos = [np.asarray(shrunk(path, 600)) for path in (path_a, path_b)]
    faces = [pipe.detect(rgb)[0] for rgb in photos]
    neutral = [
        np.asarray(pipe.remove(rgb, face=face).images[0])
        for rgb, face in zip(photos, faces, strict=True)
    ]
    swapped = pipe.transfer(*photos, face_a=faces[0], face_b=faces[1]).images[::-1]
    rows = zip(photos, neutral, map(np.asarray, swapped), faces, strict=True)
    return {"rows": [_row(*each) for each in rows]}


def _row(photo: np.ndarray, neutral: np.ndarray, swapped: np.ndarray, face: Face) -> list[str]:
    crops = (face_crop(rgb, face.box, CROP) for rgb in (photo, neutral, swapped))
    return [as_data_url(crop) for crop in crops]
