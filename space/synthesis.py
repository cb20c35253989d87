"""The tab where a face is edited by hand, or by name where a checkpoint moves no points."""

from collections.abc import Iterator

import gradio as gr

from g2gan import G2GAN
from space.editor import editor
from space.offers import can_be_dragged, looks
from space.photos import Portrait, edit_when_asked, result, saved, shown
from space.visits import Visit, Visits


def synthesis(
    pipe: G2GAN, visits: Visits, tab: gr.Tab, active: gr.State, portrait: Portrait
) -> None:
    """Fills the tab: with the editor, or with the expressions alone (the paper's checkpoints)."""
    if can_be_dragged(pipe):
        _by_hand(pipe, visits, tab, active, portrait)
    else:
        _by_name(pipe, visits, tab, active, portrait)


def _by_hand(
    pipe: G2GAN, visits: Visits, tab: gr.Tab, active: gr.State, portrait: Portrait
) -> None:
    gr.Markdown("Drag the dots on the face, or pick an expression.", elem_classes="what")
    stage = editor(pipe, visits)
    quietly = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}

    def show(key: str | None, people: dict) -> dict | None:
        return {"key": key, "face": int(people["chosen"])} if key else None

    key, people = portrait.key, portrait.people
    gr.on([key.change, people.input], show, [key, people], stage, **quietly)
    stage.input(
        lambda shown, people: people | {"chosen": shown["face"]}, [stage, people], people, **quietly
    )
    tab.select(lambda: tab.label, None, active, **quietly)


def _by_name(
    pipe: G2GAN, visits: Visits, tab: gr.Tab, active: gr.State, portrait: Portrait
) -> None:
    gr.Markdown("Puts an expression on a face; its own is taken off first.", elem_classes="what")
    choices = [(look["label"], look["name"]) for look in looks(pipe) if look["name"] != "neutral"]
    names = [name for _, name in choices]
    first = "happiness" if "happiness" in names else next(iter(names), None)
    expression = gr.Radio(choices, value=first, label="Expression")
    strength = gr.Slider(0, 1.5, 1, step=0.05, label="Strength")
    edited = result("Before and after")

    def synthesize(visit: Visit, face: int, expression: str, share: float) -> Iterator[tuple]:
        plain = visit.neutral(face)
        image = pipe.synthesize(
            visit.photo.to_pil(plain.rgb),
            expression,
            intensity=share,
            face=plain.face,
            from_neutral=True,
        ).images[0]
        yield shown(visit, image)
        yield saved(visit, image, expression)

    options = [expression, strength]
    edit_when_asked(tab, active, visits, [portrait], options, list(edited), synthesize)
