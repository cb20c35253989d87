"""The page: removal, synthesis, transfer and interpolation as four tabs over `G2GAN`.

Loads a checkpoint, puts the tabs of `space/` together and serves them. Start it with
`python app.py`; the environment variable G2GAN_MODEL names another checkpoint, a folder or a Hub
id. In a Space, the file `model.json` beside this one says which.
"""

import json
import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

if find_spec("spaces"):  # where a graphics card is lent; it changes torch, so it comes first
    import spaces  # noqa: F401

import gradio as gr

from g2gan import G2GAN, CheckpointError
from space.api import endpoints
from space.cleaning import delete_regularly
from space.hardware import Lend, lent, on_the_card_first
from space.interpolation import interpolation, strip
from space.photos import (
    Portrait,
    edit_when_asked,
    no_result,
    portrait,
    result,
    saved,
    shown,
    shrunk,
    small_copy,
)
from space.removal import removal
from space.synthesis import can_be_dragged, synthesis
from space.theme import CSS, theme
from space.transfer import transfer
from space.visits import Visit, Visits

HERE = Path(__file__).parent
CHECKPOINT = HERE / "checkpoints" / "g2gan-london"
PIN = HERE / "model.json"  # a Hub id and its revision, written by hub_upload.py
EXAMPLES = HERE / "examples"  # NAME-neutral.jpg and NAME-smiling.jpg

KEPT, CLEANED = 3000, 600  # seconds: age at which files are deleted, and how often that is checked
WAITING = 32  # visitors in the queue before the next is asked to come back
LAUNCH = {
    "theme": theme(),
    "css": CSS,
    "max_file_size": "50mb",
    "footer_links": ["api", "gradio"],
    "mcp_server": find_spec("mcp") is not None,  # the endpoints as tools; comes with gradio[mcp]
    "run_history": False,  # else every visitor's browser would keep a list of edited photos
}

HEADING = """
# Change the expression in a portrait
Take a smile off, put one on, or swap it with somebody else's. Only the face changes.
"""
CONSENT = """
**Only photos of people who agreed to it.** Say that a picture was edited when you share it. Photos
are deleted from the server within an hour.
"""


def build(pipe: G2GAN, examples: Path = EXAMPLES, lend: Lend | None = None) -> gr.Blocks:
    """The page over a pipeline; `launch(**LAUNCH)` shows it.

    Args:
        pipe: what edits the photos.
        examples: folder of NAME-neutral.jpg and NAME-smiling.jpg; may be empty or missing.
        lend: makes a function run on a lent graphics card, where there is one.
    """
    neutral, smiling = (sorted(examples.glob(f"*-{kind}.jpg")) for kind in ("neutral", "smiling"))
    visits = Visits(pipe)
    make_strip = on_the_card_first(strip, pipe, lend)
    with gr.Blocks(
        title="Change the expression in a portrait",
        analytics_enabled=False,
        delete_cache=(CLEANED, KEPT),
    ) as page:
        gr.Markdown(HEADING, elem_classes="heading")
        active = gr.State("Removal")
        with gr.Row(elem_classes="desk"):
            with gr.Column(scale=4, min_width=280, elem_classes="side"):
                person = portrait(visits, "Your portrait", _mixed(smiling, neutral)[:8])
                gr.Markdown(CONSENT, elem_classes="consent")
            with gr.Column(scale=7, min_width=320), gr.Tabs():
                with gr.Tab("Removal") as tab:
                    removal(pipe, visits, tab, active, person, _before_after(pipe, smiling))
                with gr.Tab("Synthesis") as tab:
                    if can_be_dragged(pipe):
                        synthesis(pipe, visits, person.key, person.people)
                    else:
                        _synthesis(pipe, visits, tab, active, person)
                with gr.Tab("Transfer") as tab:
                    pair = (smiling[0], neutral[-1]) if smiling and neutral else None
                    others = _mixed(neutral, smiling)[-8:]
                    transfer(pipe, visits, tab, active, person, others, pair)
                with gr.Tab("Interpolation") as tab:
                    first = neutral[0] if neutral else None
                    interpolation(pipe, make_strip, visits, tab, active, person, first)
        endpoints(pipe, make_strip)
    return page.queue(max_size=WAITING)


def _mixed(some: list[Path], others: list[Path]) -> list[Path]:
    """Portraits of different people, those of `some` first."""
    known = {_person(path) for path in some}
    return [*some, *(path for path in others if _person(path) not in known)]


def _person(path: Path) -> str:
    return path.stem.rsplit("-", 1)[0]


def _before_after(pipe: G2GAN, portraits: list[Path]) -> tuple[str, str] | None:
    if not portraits:
        return None
    before = shrunk(portraits[0], 800)
    return small_copy(before), small_copy(pipe.remove(before).images[0])


def _synthesis(
    pipe: G2GAN, visits: Visits, tab: gr.Tab, active: gr.State, person: Portrait
) -> None:
    gr.Markdown("Puts an expression on a face; its own is taken off first.", elem_classes="what")
    names = [name for name in pipe.expressions if name != "neutral"]
    first = "happiness" if "happiness" in names else next(iter(names), None)
    choices = [(name.capitalize(), name) for name in names]
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
    edit_when_asked(tab, active, visits, [person], options, list(edited), synthesize, no_result)


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
    page = build(pipe, lend=lent())
    delete_regularly(page, CLEANED, KEPT)
    page.launch(**LAUNCH)


if __name__ == "__main__":
    main()
