"""The tab that takes an expression off a face, or off everybody's."""

from collections.abc import Iterator

import gradio as gr

from g2gan import G2GAN
from g2gan.preset import FaceEdit, Preset
from space.photos import Portrait, edit_when_asked, no_result, result, saved, shown
from space.visits import Visit, Visits


def removal(
    pipe: G2GAN,
    visits: Visits,
    tab: gr.Tab,
    active: gr.State,
    portrait: Portrait,
    example: tuple[str, str] | None,
) -> None:
    """Fills the tab.

    Args:
        example: files of a portrait before and after, shown until there is a photo.
    """
    gr.Markdown("Takes a smile, or any other expression, off a face.", elem_classes="what")
    everybody = gr.Checkbox(label="Everybody in the photo", visible=False)
    edited = result("Before and after", example)

    def remove(visit: Visit, face: int, everybody: bool) -> Iterator[tuple]:
        if everybody:
            plain = Preset((FaceEdit("all"),)).apply(pipe, visit.photo.to_pil(visit.photo.rgb))
            image = plain.images[0]
        else:
            image = visit.photo.to_pil(visit.neutral(face).rgb)
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
        [everybody],
        list(edited),
        remove,
        lambda: no_result(example),
    )
