"""The tab where a face is edited by hand: a portrait comes, and the editor takes its place."""

from collections.abc import Sequence
from pathlib import Path

import gradio as gr

from g2gan import G2GAN
from g2gan.mesh import POINTS
from space.editor import editor
from space.visits import KEPT, Visits
from space.words import in_one_line

INVITATION = "Choose a portrait, then pull its mouth, brows or eyes where you want them."


def can_be_dragged(pipe: G2GAN) -> bool:
    """Whether a checkpoint moves single points: ours do, the paper's do not."""
    return pipe.shape_model.config.points == POINTS


def synthesis(pipe: G2GAN, visits: Visits, examples: Sequence[Path]) -> None:
    """Builds the tab's content.

    Args:
        pipe: what edits; `can_be_dragged`.
        visits: the photos that are being edited.
        examples: portraits that open at one click.
    """
    key = gr.State(None, time_to_live=KEPT, delete_callback=visits.close)
    with gr.Column() as chooser:
        gr.Markdown(INVITATION)
        photo = gr.Image(
            label="Your photo",
            type="filepath",
            sources=["upload", "webcam", "clipboard"],
            buttons=[],
            height=320,
        )
        if examples:
            gr.Examples(
                [[str(path)] for path in examples],
                [photo],
                label="Or try one of these",
                cache_examples=False,
                api_visibility="private",
            )
    stage = editor(pipe, visits)

    def begin(photo: dict | None, previous: str | None) -> tuple:
        visits.close(previous)
        if not photo:
            return None, None, gr.update(visible=True)
        try:
            opened = visits.open(photo["path"])
        except Exception as error:
            raise gr.Error(in_one_line(error), print_exception=False) from None
        return opened, {"key": opened}, gr.update(visible=False)

    # the photo is opened by `open_photo`, with its limits, not by Gradio
    hidden = {"api_visibility": "private", "show_progress": "minimal"}
    photo.change(
        begin, [photo, key], [key, stage, chooser], preprocess=False, concurrency_limit=2, **hidden
    )
    stage.clear(lambda: None, outputs=photo, queue=False, **hidden)
