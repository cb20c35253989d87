"""The page: removal, synthesis, transfer and interpolation as four tabs over `G2GAN`.

Layout and events only; every picture is the pipeline's work. Start it with `python app.py`; the
environment variable G2GAN_MODEL names another checkpoint, a folder or a Hub id. In a Space, the
file `model.json` beside this one says which.
"""

import functools
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import gradio as gr
from PIL import Image

from g2gan import G2GAN, CheckpointError, FaceIndexError, G2GANError
from space.synthesis import can_be_dragged, synthesis
from space.visits import Visits

HERE = Path(__file__).parent
CHECKPOINT = HERE / "checkpoints" / "g2gan-london"
PIN = HERE / "model.json"  # a Hub id and its revision, written by hub_upload.py
EXAMPLES = HERE / "examples"  # NAME-neutral.jpg and NAME-smiling.jpg

KEPT, CLEANED = 3000, 600  # seconds: age at which files are deleted, and how often that is checked
AT_ONCE = 2  # edits; more would only make each other slow
WAITING = 32  # visitors in the queue before the next is asked to come back
FACES = 8  # to choose from, the largest of a photo
# four tabs side by side
PHONE = "@media (max-width: 480px) { .tab-container button { padding: 0 5px; font-size: 13px } }"
LAUNCH = {
    "theme": gr.themes.Soft(),
    "max_file_size": "50mb",
    "css": PHONE,
    "footer_links": ["api", "gradio"],
    "run_history": False,  # else every visitor's browser would keep a list of edited photos
}

HEADING = """
# Change the expression in a portrait
Take a smile off, put one on, swap expressions between two people. Only the face changes: the rest
of your photo stays as it is, at its full size.
"""
NOTE = """
**Only edit photos of people who agreed to it**, and say that a picture was edited when you
share it. Photos and results are deleted from the server within an hour; nothing else is kept.
"""
NO_PHOTO = "Choose a photo first, or click one of the examples."
GONE = "This photo has been deleted from the server meanwhile. Please choose it again."
NOT_SO_MANY = "There are not that many faces in the photo; 1 is the largest."
UNEXPECTED = "Something went wrong on our side. Please try again, or try another photo."

log = logging.getLogger("g2gan.app")


def build(pipe: G2GAN, examples: Path = EXAMPLES) -> gr.Blocks:
    """The page over a pipeline; `launch(**LAUNCH)` shows it.

    Args:
        pipe: what edits the photos.
        examples: folder of NAME-neutral.jpg and NAME-smiling.jpg; may be empty or missing.
    """
    neutral, smiling = (sorted(examples.glob(f"*-{kind}.jpg")) for kind in ("neutral", "smiling"))
    gr.set_static_paths([examples])  # as temporary copies, they would be deleted with the visitors'
    with gr.Blocks(
        title="G2-GAN: expressions", analytics_enabled=False, delete_cache=(CLEANED, KEPT)
    ) as page:
        gr.Markdown(HEADING)
        with gr.Tab("Removal"):
            _removal(pipe, smiling)
        with gr.Tab("Synthesis"):
            by_hand = can_be_dragged(pipe)
            if by_hand:
                _by_hand(pipe, Visits(pipe), neutral)
            with gr.Column(visible=not by_hand):  # else for the API alone
                _synthesis(pipe, () if by_hand else neutral)
        with gr.Tab("Transfer"):
            _transfer(pipe, smiling, neutral)
        with gr.Tab("Interpolation"):
            _interpolation(pipe, neutral)
        gr.Markdown(NOTE)
    return page.queue(max_size=WAITING)


def _removal(pipe: G2GAN, examples: list[Path]) -> None:
    gr.Markdown("Takes a smile, or another expression, off a face.")
    with gr.Row():
        with gr.Column():
            photo, face = _photo("Your photo", examples)
            button = gr.Button("Remove the expression", variant="primary")
        with gr.Column():
            result = _result("Without the expression")

    def remove(photo: str, face: int) -> Image.Image:
        """Takes the expression off a face in a photo; returns a PNG of the photo's size."""
        return pipe.remove(photo, face=face - 1).images[0]

    _wire(pipe, remove, [photo], [face], [], [result], button)


def _synthesis(pipe: G2GAN, examples: list[Path]) -> None:
    gr.Markdown("Puts an expression on a face; the one that it has is taken off first.")
    with gr.Row():
        with gr.Column():
            photo, face = _photo("Your photo", examples)
            expression = _expression_choice(pipe)
            info = "0 is none, 1 natural, above that exaggerated"
            intensity = gr.Slider(0, 1.5, 1, step=0.05, label="Strength", info=info)
            button = gr.Button("Apply the expression", variant="primary")
        with gr.Column():
            result = _result("With the expression")

    def synthesize(photo: str, face: int, expression: str, intensity: float) -> Image.Image:
        """Puts an expression on a face in a photo; returns a PNG of the photo's size."""
        return pipe.synthesize(photo, expression, intensity=intensity, face=face - 1).images[0]

    _wire(pipe, synthesize, [photo], [face], [expression, intensity], [result], button)


def _by_hand(pipe: G2GAN, visits: Visits, examples: list[Path]) -> None:
    photo, _ = _photo("Your photo", examples)
    key = gr.State(None, time_to_live=KEPT, delete_callback=visits.close)
    synthesis(pipe, visits, key)

    @_in_plain_words
    def begin(photo: dict | None, previous: str | None) -> str | None:
        visits.close(previous)
        return visits.open(_path(photo)) if photo else None

    photo.change(begin, [photo, key], key, preprocess=False, api_visibility="private")


def _transfer(pipe: G2GAN, expressed: list[Path], neutral: list[Path]) -> None:
    gr.Markdown("Two people exchange their expressions.")
    with gr.Row():
        with gr.Column():
            photo_a, face_a = _photo("First person")
        with gr.Column():
            photo_b, face_b = _photo("Second person")
    pairs = zip(expressed, reversed(neutral), strict=False)
    pairs = [(a, b) for a, b in pairs if _person(a) != _person(b)]
    _examples(pairs[:3], [photo_a, photo_b])
    button = gr.Button("Swap the expressions", variant="primary")
    with gr.Row():
        result_a = _result("First person after the swap")
        result_b = _result("Second person after the swap")

    def transfer(
        photo_a: str, photo_b: str, face_a: int, face_b: int
    ) -> tuple[Image.Image, Image.Image]:
        """Exchanges two people's expressions; returns the second person's photo with the first
        one's expression, then the first person's with the second one's."""
        output = pipe.transfer(photo_a, photo_b, face_a=face_a - 1, face_b=face_b - 1)
        return tuple(output.images)

    results = [result_b, result_a]  # in the pipeline's order
    _wire(pipe, transfer, [photo_a, photo_b], [face_a, face_b], [], results, button)


def _interpolation(pipe: G2GAN, examples: list[Path]) -> None:
    gr.Markdown("Shows an expression growing, picture by picture, from none to full strength.")
    with gr.Row():
        with gr.Column():
            photo, face = _photo("Your photo", examples)
            expression = _expression_choice(pipe)
            steps = gr.Slider(3, 12, 6, step=1, label="Number of pictures")
            button = gr.Button("Show the steps", variant="primary")
        with gr.Column():
            result = gr.Gallery(
                label="Growing expression",
                show_label=False,  # it would lie over the first picture
                format="png",
                columns=3,
                object_fit="contain",
                buttons=["download", "download_all", "fullscreen"],
                interactive=False,
            )

    def interpolate(photo: str, face: int, expression: str, steps: int) -> list[Image.Image]:
        """An expression growing on a face, from none; returns 3 to 12 PNGs of the photo's size."""
        if not 3 <= steps <= 12:
            raise _sorry("The number of pictures must be from 3 to 12.")
        return pipe.interpolate(photo, expression, steps=int(steps), face=face - 1).images

    _wire(pipe, interpolate, [photo], [face], [expression, steps], [result], button)


def _photo(label: str, examples: Sequence[Path] = ()) -> tuple[gr.Image, gr.Radio]:
    """An upload, and the choice of a face, which shows where there are several."""
    sources = ["upload", "webcam", "clipboard"]
    photo = gr.Image(label=label, type="filepath", sources=sources, buttons=[], height=400)
    info = "There are several faces in this photo; 1 is the largest."
    face = gr.Radio(list(range(1, FACES + 1)), value=1, label="Face", info=info, visible=False)
    _examples([(path,) for path in examples], [photo])
    return photo, face


def _person(portrait: Path) -> str:
    return portrait.stem.rsplit("-", 1)[0]


def _examples(rows: Sequence[tuple[Path, ...]], photos: list[gr.Image]) -> None:
    """Portraits to click, where there are any; a photo that changes is edited (`_wire`)."""
    if rows:
        paths = [[str(path) for path in row] for row in rows]
        gr.Examples(
            paths,
            photos,
            label="Or try one of these",
            cache_examples=False,
            api_visibility="private",
        )


def _result(label: str) -> gr.Image:
    buttons = ["download", "fullscreen"]
    return gr.Image(label=label, format="png", buttons=buttons, interactive=False, height=360)


def _expression_choice(pipe: G2GAN) -> gr.Radio:
    names = [name for name in pipe.expressions if name != "neutral"]
    first = "happiness" if "happiness" in names else next(iter(names), None)
    return gr.Radio([(name.capitalize(), name) for name in names], value=first, label="Expression")


def _wire(
    pipe: G2GAN,
    edit: Callable,
    photos: list[gr.Image],
    faces: list[gr.Radio],
    options: list[gr.Radio | gr.Slider],
    results: list[gr.Image | gr.Gallery],
    button: gr.Button,
) -> None:
    """Calls `edit(*photos, *faces, *options)` on the button and whenever one of these changes.

    The button's event is the public one of the API, under the name of `edit`.
    """
    nothing = [None] * len(results) if len(results) > 1 else None

    @_in_plain_words
    @functools.wraps(edit)
    def edit_or_ask(*values: object) -> object:
        paths = [_path(photo) for photo in values[: len(photos)]]
        if not all(paths):
            raise _sorry(NO_PHOTO)
        return edit(*paths, *values[len(photos) :])

    def edit_if_chosen(*values: object) -> object:
        return edit_or_ask(*values) if all(values[: len(photos)]) else nothing

    @_in_plain_words
    def look(photo: dict | None) -> dict:
        """Offers a choice where there are several faces."""
        count = min(len(pipe.detect(_path(photo))), FACES) if photo else 0
        choices = list(range(1, max(count, 1) + 1))
        return gr.update(choices=choices, value=1, visible=count > 1)

    # Gradio's preprocessing would open the photos before us, and fail without a helpful word on
    # what it cannot read; without it they are dictionaries, with paths that Gradio has checked
    call = {
        "inputs": [*photos, *faces, *options],
        "outputs": results,
        "preprocess": False,
        "concurrency_id": "edits",
        "concurrency_limit": AT_ONCE,
    }
    hidden = {"api_visibility": "private"}
    button.click(edit_or_ask, api_name=edit.__name__, scroll_to_output=True, **call)
    for photo, face in zip(photos, faces, strict=True):
        cleared = photo.change(lambda: nothing, outputs=results, queue=False, **hidden)
        looked = cleared.then(look, photo, face, preprocess=False, show_progress="hidden", **hidden)
        looked.success(edit_if_chosen, **call, **hidden)
    changes = [x.release if isinstance(x, gr.Slider) else x.input for x in (*faces, *options)]
    gr.on(changes, edit_if_chosen, trigger_mode="always_last", **call, **hidden)


def _path(photo: dict | None) -> str | None:
    path = photo["path"] if photo else None
    if path and not Path(path).is_file():
        raise _sorry(GONE)
    return path


def _in_plain_words(function: Callable) -> Callable:
    """`function`, whose errors reach the page as one line."""

    @functools.wraps(function)
    def guarded(*values: object) -> object:
        try:
            return function(*values)
        except gr.Error:
            raise
        except FaceIndexError:
            message = NOT_SO_MANY
        except G2GANError as error:
            message = " ".join(str(error).split())
        except Exception as error:  # without its message, which may hold a file's name
            stack = "".join(traceback.format_tb(error.__traceback__))
            log.error("%s in %s\n%s", type(error).__name__, function.__name__, stack)
            message = UNEXPECTED
        raise _sorry(message)

    return guarded


def _sorry(message: str) -> gr.Error:
    return gr.Error(message, print_exception=False)


def load() -> G2GAN:
    """The pipeline: G2GAN_MODEL's, else a Space's own, else the one of a clone."""
    named = os.environ.get("G2GAN_MODEL")
    if not named and PIN.is_file():
        pin = json.loads(PIN.read_text("utf-8"))
        return G2GAN.from_pretrained(pin["model"], revision=pin["revision"])
    return G2GAN.from_pretrained(named or CHECKPOINT)


def main() -> None:
    """Load the checkpoint and serve the page (GRADIO_SERVER_NAME, GRADIO_SERVER_PORT)."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    try:
        pipe = load()
    except CheckpointError as error:
        sys.exit(" ".join(str(error).split()))
    build(pipe).launch(**LAUNCH)


if __name__ == "__main__":
    main()
