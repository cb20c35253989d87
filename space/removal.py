"""The tab that takes an expression off a face, or off everybody's."""

from collections.abc import Iterator

import gradio as gr

from g2gan import G2GAN
from g2gan.shape import PARTS
from space.examples import Examples
from space.photos import (
    Portrait,
    choice_of_parts,
    edit_when_asked,
    result,
    saved,
    shown,
    shrunk,
    small_copy,
)
from space.visits import Visit, Visits


def removal(
    pipe: G2GAN,
    visits: Visits,
    tab: gr.Tab,
    active: gr.State,
    portrait: Portrait,
    examples: Examples,
) -> None:
    """Fills the tab; until there is a photo, it shows one of the examples before and after."""
    gr.Markdown("Takes a smile, or any other expression, off a face.", elem_classes="what")
    edited = result("Before and after")
    with gr.Row(elem_classes="choices"):
        parts = choice_of_parts(pipe, "Becomes neutral", "The rest keeps its expression.")
        everybody = gr.Checkbox(label="Everybody in the photo", visible=False)

    def before_after() -> tuple[str, str]:
        before = shrunk(examples.smiling[0], 800)
        pair = {"before": before, "after": pipe.remove(before).images[0]}
        return tuple(
            small_copy(image, examples.file(f"{name}.jpg")) for name, image in pair.items()
        )

    worked = [examples.add(edited.slider, before_after)] if examples.smiling else []

    def remove(visit: Visit, face: int, parts: list[str], everybody: bool) -> Iterator[tuple]:
        image = visit.photo.to_pil(visit.photo.rgb)
        if not everybody and set(parts) == set(PARTS):
            image = visit.photo.to_pil(visit.neutral(face).rgb)
        elif parts:
            for each in visit.faces if everybody else visit.faces[face : face + 1]:
                image = pipe.remove(image, parts=parts, face=each).images[0]
        yield shown(visit, image)
        yield saved(visit, image, "plain")

    portrait.people.change(
        lambda people: gr.update(visible=len(people["faces"]) > 1, value=False),
        portrait.people,
        everybody,
        queue=False,
        api_visibility="private",
    )
    edit_when_asked(
        tab,
        active,
        visits,
        [portrait],
        [parts, everybody],
        list(edited),
        remove,
        worked,
    )
