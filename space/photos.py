"""What the tabs share: the visitor's portrait and whose face it is, and the edit to be taken home.

The server keeps an opened photo as a visit (`space.visits`); the page holds its key. What the page
shows are small pictures; the edit itself is a file of the photo's own size and format.
"""

import functools
import io
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import gradio as gr
import numpy as np
from gradio.utils import get_upload_folder
from PIL import Image, ImageOps

from g2gan import G2GAN
from g2gan.saving import edited_name, save_like
from g2gan.shape import PARTS
from space.examples import Example
from space.hardware import AT_ONCE
from space.offers import can_be_dragged
from space.views import as_data_url
from space.visits import GONE, Visit, Visits
from space.words import in_one_line

SEEN = 1600  # pixels of the longer side of what the page shows
FACES = 8  # to choose from, the largest of a photo
CHIP, THUMBNAIL = 112, 192  # pixels of a face to choose, and of an example
NOBODY = {"faces": [], "chosen": 0}
INVITATION = "Choose a portrait\nupload, camera or clipboard"
CLICKED = """
element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) trigger("click", { index: Number(button.dataset.index) });
});
"""
HERE = Path(__file__).parent
SHOWN = "shown-"  # begins the folder's name of what the page shows; no upload's does
SAVE, SAVING = "Download at full size", "Preparing the download …"


@dataclass(frozen=True)
class Portrait:
    """A photo on the page.

    Args:
        picture: what the visitor chooses; shows a small copy.
        key: of its visit; `None` while there is none. Its `change` tells of another photo.
        people: whose face; its value's "chosen" is 0 for the largest, its `input` tells of another.
    """

    picture: gr.Image
    key: gr.State
    people: gr.HTML


def portrait(visits: Visits, label: str, examples: Sequence[Path] = ()) -> Portrait:
    """Puts an upload on the page, portraits to try it with, and a choice where there are several.

    Args:
        label: of the upload.
        examples: portraits to click; may be none.
    """
    # Progress is shown on what surrounds the picture: Gradio puts that up anew when a photo comes,
    # and would go on drawing the old one's clock, for nobody, as long as the page is open
    with gr.Column(min_width=0, elem_classes="frame") as frame:
        picture = gr.Image(
            label=label,
            type="filepath",
            sources=["upload", "webcam", "clipboard"],
            placeholder=INVITATION,
            buttons=[],
            elem_classes="portrait",
        )
        another = gr.UploadButton(
            "Another photo", file_types=["image"], size="sm", elem_classes="another"
        )
    trouble = gr.HTML(elem_classes="trouble")
    people = gr.HTML(
        NOBODY,
        html_template=(HERE / "people.html").read_text("utf-8"),
        js_on_load=(HERE / "people.js").read_text("utf-8"),
        elem_classes="people",
    )
    key = gr.State(None, time_to_live=3600, delete_callback=visits.close)
    outputs = [picture, key, people, trouble]

    def choose(sent: dict | None, last: str | None) -> tuple:
        visits.close(last)
        path = sent["path"] if sent else None
        # a picture that is taken away comes along once more, as the value before
        taken_away = path is None or Path(path).parent.name.startswith(SHOWN)
        return _opened(visits, None if taken_away else path)

    def choose_example(last: str | None, event: gr.EventData) -> tuple:
        visits.close(last)
        return _opened(visits, str(examples[event.index]))

    hidden = {"api_visibility": "private", "outputs": outputs, "show_progress_on": [frame]}
    gr.on([picture.input, picture.clear], choose, [picture, key], preprocess=False, **hidden)
    another.upload(choose, [another, key], preprocess=False, **hidden)
    if examples:
        samples = gr.HTML(
            [_sample(path) for path in examples],
            html_template=(HERE / "samples.html").read_text("utf-8"),
            js_on_load=CLICKED,
            elem_classes="samples",
        )
        samples.click(choose_example, key, **hidden)
    return Portrait(picture, key, people)


def _opened(visits: Visits, path: str | None) -> tuple:
    """Picture, key, people and trouble for a chosen file."""
    if path is None:
        return None, None, NOBODY, ""
    try:
        if not Path(path).is_file():
            return None, None, NOBODY, _alert(GONE)
        key = visits.open(path)
        visit = visits.get(key)
    except Exception as error:  # whatever it is, the visitor reads one line
        return None, None, NOBODY, _alert(in_one_line(error))
    faces = [
        as_data_url(face_crop(visit.photo.rgb, face.box, CHIP)) for face in visit.faces[:FACES]
    ]
    return small_copy(visit.photo.to_pil(visit.photo.rgb)), key, {"faces": faces, "chosen": 0}, ""


def _alert(line: str) -> str:
    escaped = line.replace("&", "&amp;").replace("<", "&lt;")
    return f'<p role="alert">{escaped}</p>'


def _sample(path: Path) -> dict:
    with Image.open(path) as photo:
        square = ImageOps.fit(photo.convert("RGB"), (THUMBNAIL, THUMBNAIL), centering=(0.5, 0.2))
    return {"name": path.stem.replace("-", " "), "picture": as_data_url(np.asarray(square))}


def face_crop(rgb: np.ndarray, box: tuple[float, float, float, float], side: int) -> np.ndarray:
    """A square (side, side, 3) round a face's box, with its hair and chin."""
    x0, y0, x1, y1 = box
    half = 0.75 * max(x1 - x0, y1 - y0)
    left, top = round((x0 + x1) / 2 - half), round((y0 + y1) / 2 - 1.1 * half)
    reach = np.arange(round(2 * half))
    rows = np.clip(top + reach, 0, rgb.shape[0] - 1)  # past the border, its pixels are repeated
    columns = np.clip(left + reach, 0, rgb.shape[1] - 1)
    return cv2.resize(rgb[rows[:, None], columns], (side, side), interpolation=cv2.INTER_AREA)


def new_file(name: str, prefix: str = "") -> Path:
    """Where to write a file that the page serves; it is deleted within the hour.

    Args:
        name: of a look perhaps, and then with a slash.
        prefix: of the folder's name.
    """
    folder = Path(get_upload_folder()).resolve() / f"{prefix}{secrets.token_hex(16)}"
    folder.mkdir(parents=True)
    return folder / name.replace("/", "-").replace("\\", "-")


def shrunk(path: Path, side: int) -> Image.Image:
    """A portrait to show what a tab does, its longer side of so many pixels."""
    with Image.open(path) as photo:
        image = photo.convert("RGB")
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return image


def small_copy(image: Image.Image, path: Path | None = None) -> str:
    """The path of a JPEG to be shown, in the picture's own colours; by default a new one."""
    scale = min(1.0, SEEN / max(image.size))
    size = tuple(max(1, round(side * scale)) for side in image.size)
    shown = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2)
    if shown.has_transparency_data:
        ground = Image.new("RGBA", shown.size, "white")
        ground.alpha_composite(shown.convert("RGBA"))
        shown = ground.convert("RGB")
    buffer = io.BytesIO()
    shown.save(buffer, "JPEG", quality=90, icc_profile=image.info.get("icc_profile"))
    path = path or new_file("shown.jpg", SHOWN)
    path.write_bytes(buffer.getvalue())
    return str(path)


def choice_of_parts(pipe: G2GAN, label: str, otherwise: str) -> gr.CheckboxGroup:
    """Puts mouth, eyes and brows on the page, to be edited each or not; hidden where a checkpoint
    edits whole faces only.

    Args:
        label: what happens to the ticked ones.
        otherwise: to the others, in a sentence.
    """
    choices = [(part.capitalize(), part) for part in PARTS]
    visible = can_be_dragged(pipe)
    return gr.CheckboxGroup(
        choices, value=list(PARTS), label=label, info=otherwise, visible=visible
    )


@dataclass(frozen=True)
class Result:
    """An edit on the page: before and after, and the file."""

    slider: gr.ImageSlider
    download: gr.DownloadButton

    def __iter__(self) -> Iterator[gr.components.Component]:
        return iter((self.slider, self.download))


def result(label: str) -> Result:
    """Puts a before/after slider and a download button on the page."""
    return Result(before_and_after(label), download_button())


def before_and_after(label: str) -> gr.ImageSlider:
    """Puts a slider on the page that wipes from a photo to its edit."""
    return gr.ImageSlider(
        label=label,
        interactive=False,
        buttons=["fullscreen"],
        max_height=560,
        elem_classes="result",
    )


def download_button(label: str = SAVE) -> gr.DownloadButton:
    """Puts a button on the page that comes with an edit."""
    return gr.DownloadButton(label, visible=False, variant="primary", elem_classes="save")


def shown(visit: Visit, image: Image.Image) -> tuple:
    """Slider and button as soon as an edit is made."""
    before = small_copy(visit.photo.to_pil(visit.photo.rgb))
    return (before, small_copy(image)), being_saved()


def saved(visit: Visit, image: Image.Image, word: str = "edited", label: str = SAVE) -> tuple:
    """Slider and button when its file is written, in the photo's own format."""
    original = visit.original()
    path = save_like(original, image, new_file(edited_name(original, word)))
    return gr.skip(), to_download(path, label)


def being_saved() -> dict:
    """A download button while its file is written: all of it, as `to_download` tells all of it.

    Of updates that come in one burst, the browser may show the last alone.
    """
    return gr.update(visible=True, interactive=False, value=None, label=SAVING)


def to_download(path: Path, label: str) -> dict:
    """A download button when its file is written."""
    return gr.update(visible=True, interactive=True, value=str(path), label=label)


def edit_when_asked(
    tab: gr.Tab,
    active: gr.State,
    visits: Visits,
    portraits: Sequence[Portrait],
    options: Sequence[gr.components.Component],
    outputs: Sequence[gr.components.Component],
    edit: Callable[..., Iterator[tuple]],
    examples: Sequence[Example] = (),
) -> None:
    """Calls `edit(*visits, *faces, *options)` when one of them changes while its tab is open.

    Args:
        active: the open tab's label.
        edit: yields values of `outputs`, better and better ones.
        examples: what outputs show as long as there is no photo at all.
    """
    done = gr.State(None)  # what the outputs show
    count = len(portraits)

    def with_downloads(**changes: bool) -> list:
        """Values of the outputs that change nothing but the download buttons."""
        downloads = [isinstance(each, gr.DownloadButton) for each in outputs]
        return [gr.update(**changes) if is_one else gr.skip() for is_one in downloads]

    def nothing(photos: Sequence[str | None]) -> list:
        """Values of the outputs without an edit: never a stranger's beside the visitor's photo."""
        worked = {} if any(photos) else {each.component: each.value for each in examples}
        hidden = {gr.Row: {}, gr.DownloadButton: {"value": None}}
        return [
            gr.update(visible=False, **hidden[type(each)])
            if type(each) in hidden
            else worked.get(each)
            for each in outputs
        ]

    def run(active: str, done: tuple | None, *values: object) -> Iterator[tuple]:
        keys, people, others = values[:count], values[count : 2 * count], values[2 * count :]
        if active != tab.label or not all(keys):
            yield *nothing(keys), None
            return
        faces = [int(each["chosen"]) for each in people]
        asked = (*keys, *faces, *map(str, others))
        if asked == done:
            yield (gr.skip(),) * (len(outputs) + 1)
            return
        # an edit is made: the last one's file is not what is asked for now, another photo's edit
        # is not even to be seen
        same = done is not None and done[:count] == keys
        yield *(with_downloads(interactive=False) if same else nothing(keys)), None
        try:
            for values in edit(*map(visits.get, keys), *faces, *others):
                yield *values, asked
        except Exception:
            yield *with_downloads(visible=False), None
            raise

    photos, people = [each.key for each in portraits], [each.people for each in portraits]
    call = {
        "fn": in_plain_words(run),
        "inputs": [active, done, *photos, *people, *options],
        "outputs": [*outputs, done],
        "concurrency_id": "edits",
        "concurrency_limit": AT_ONCE,  # more would only make each other slow
        "api_visibility": "private",
        "show_progress_on": [each for each in outputs if not isinstance(each, gr.DownloadButton)],
    }
    changed = [*(key.change for key in photos), *(each.input for each in people)]
    changed += [option.input for option in options]
    gr.on(changed, trigger_mode="always_last", **call)
    opened = tab.select(lambda: tab.label, None, active, queue=False, api_visibility="private")
    opened.then(**call)


def in_plain_words(edit: Callable[..., Iterator]) -> Callable[..., Iterator]:
    """`edit`, whose errors reach the visitor as one line."""

    @functools.wraps(edit)
    def guarded(*values: object) -> Iterator:
        try:
            yield from edit(*values)
        except Exception as error:
            raise gr.Error(in_one_line(error), print_exception=False) from error

    return guarded
