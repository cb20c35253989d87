"""The tab where a face is edited by hand."""

import gradio as gr

from g2gan import G2GAN
from g2gan.mesh import POINTS
from space.editor import editor
from space.visits import Visits


def can_be_dragged(pipe: G2GAN) -> bool:
    """Whether a checkpoint moves single points: ours do, the paper's do not."""
    return pipe.shape_model.config.points == POINTS


def synthesis(pipe: G2GAN, visits: Visits, key: gr.State, people: gr.HTML) -> gr.HTML:
    """Builds the tab's content: the editor, which opens the photo that is chosen elsewhere.

    Args:
        pipe: what edits; `can_be_dragged`.
        visits: the photos that are being edited.
        key: of the visit, or `None`; its `change` tells of another photo.
        people: where a face is chosen; its value's "chosen" is 0 for the largest, its `input` tells
            of another.
    """
    stage = editor(pipe, visits)

    def show(key: str | None, people: dict) -> dict | None:
        return {"key": key, "face": int(people["chosen"])} if key else None

    gr.on(
        [key.change, people.input],
        show,
        [key, people],
        stage,
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )
    return stage
