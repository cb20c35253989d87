"""The page: removal, synthesis, transfer and interpolation as four tabs over `G2GAN`.

Loads a checkpoint, puts the tabs of `space/` together and serves them. Start it with
`python app.py`; the environment variable G2GAN_MODEL names another checkpoint, a folder or a Hub
id. In a Space, the file `model.json` beside this one says which.
"""

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

# One thread for each edit, edits side by side: the threads of one would wait for each other, busily
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")

if find_spec("spaces"):  # where a graphics card is lent; it changes torch, so it comes first
    import spaces  # noqa: F401

import gradio as gr

from g2gan import G2GAN, CheckpointError
from space.api import endpoints
from space.cleaning import delete_regularly
from space.examples import Examples
from space.hardware import Lend, lent, on_the_card_first
from space.interpolation import interpolation, strip
from space.photos import portrait
from space.removal import removal
from space.synthesis import synthesis
from space.theme import CSS, theme
from space.transfer import transfer
from space.visits import Visits

HERE = Path(__file__).parent
CHECKPOINT = HERE / "checkpoints" / "g2gan-london"
PIN = HERE / "model.json"  # a Hub id and its revision, written by hub_upload.py
EXAMPLES = HERE / "examples"  # NAME-neutral.jpg and NAME-smiling.jpg

TURN = 0.0005  # seconds after which a painting thread lets others at the interpreter: requests wait
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
Take a smile off, put one on, or swap it with somebody else's. Away from the face, nothing changes.
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
    shown = Examples(examples)
    visits = Visits(pipe)
    make_strip = on_the_card_first(strip, pipe, lend)
    with gr.Blocks(title="Change the expression in a portrait", analytics_enabled=False) as page:
        gr.Markdown(HEADING, elem_classes="heading")
        active = gr.State("Removal")
        with gr.Row(elem_classes="desk"):
            with gr.Column(scale=2, min_width=260, elem_classes="side"):
                person = portrait(visits, "Your portrait", shown.portraits)
                gr.Markdown(CONSENT, elem_classes="consent")
            with gr.Column(scale=7, min_width=320), gr.Tabs():
                with gr.Tab("Removal") as tab:
                    removal(pipe, visits, tab, active, person, shown)
                with gr.Tab("Synthesis") as tab:
                    synthesis(pipe, visits, tab, active, person)
                with gr.Tab("Transfer") as tab:
                    transfer(pipe, visits, tab, active, person, shown)
                with gr.Tab("Interpolation") as tab:
                    interpolation(pipe, make_strip, visits, tab, active, person, shown)
        shown.show(page, person.key)
        endpoints(pipe, make_strip)
    return page.queue(max_size=WAITING)


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
    sys.setswitchinterval(TURN)
    try:
        pipe = load()
    except CheckpointError as error:
        sys.exit(" ".join(str(error).split()))
    page = build(pipe, lend=lent())
    delete_regularly(page, CLEANED, KEPT)
    page.launch(**LAUNCH)


if __name__ == "__main__":
    main()
