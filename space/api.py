"""The four edits for programs: named endpoints with typed inputs, for `gradio_client` and MCP.

Files in, files out: an edit has the photo's own size and format. The page itself uses none of them.
"""

import functools
from collections.abc import Callable, Sequence

import gradio as gr
from PIL import Image

from g2gan import G2GAN, FaceIndexError, G2GANError
from g2gan.preset import FaceEdit, Preset
from g2gan.saving import edited_name, save_like
from g2gan.shape import PARTS
from g2gan.strips import LONGEST, write_strip
from space.hardware import AT_ONCE
from space.interpolation import FRAMES, choices_of
from space.photos import new_file
from space.words import in_one_line

FEWEST, MOST = 3, 48  # pictures of a strip
NO_PHOTO = "A photo is missing."


def endpoints(pipe: G2GAN, make_strip: Callable) -> None:
    """Adds /remove, /synthesize, /transfer and /interpolate to the page, unseen on it.

    Args:
        make_strip: `space.interpolation.strip` without its first argument.
    """
    names = [name for _, name in choices_of(pipe)]
    with gr.Column(visible=False):
        photo, photo_a, photo_b = (gr.File(type="filepath") for _ in range(3))
        face, face_a, face_b = (gr.Number(1, precision=0) for _ in range(3))
        everybody = gr.Checkbox(False)
        parts = gr.CheckboxGroup(list(PARTS), value=list(PARTS))
        expression = gr.Dropdown([*pipe.expressions, *pipe.looks], value="happiness")
        intensity = gr.Number(1.0)
        preset = gr.Textbox("")
        start, end = gr.Dropdown(names, value="neutral"), gr.Dropdown(names, value="happiness")
        frames = gr.Number(FRAMES, precision=0)
        kind = gr.Dropdown(["mp4", "gif"], value="mp4")
        file, file_a, file_b = gr.File(), gr.File(), gr.File()

    def remove(
        photo: str, face: int = 1, everybody: bool = False, parts: Sequence[str] = PARTS
    ) -> str:
        """Take the expression off a face in a photo: no smile, no frown.

        Args:
            photo: a photo with at least one face; JPEG, PNG, WebP, HEIC or AVIF, below 50 MB.
            face: which face, 1 being the largest.
            everybody: take the expression off every face instead.
            parts: which parts of the face become neutral: "mouth", "eyes", "brows".

        Returns:
            The photo with its face changed, at its own size and in its own format.
        """
        faces = pipe.detect(photo) if everybody else []
        image = pipe.remove(photo, parts=parts, face=(faces or [_index(face)])[0]).images[0]
        for each in faces[1:]:
            image = pipe.remove(image, parts=parts, face=each).images[0]
        return _saved(photo, image, "plain")

    def synthesize(
        photo: str,
        expression: str = "happiness",
        intensity: float = 1.0,
        face: int = 1,
        preset: str = "",
    ) -> str:
        """Put an expression on a face in a photo; the one that it has is taken off first.

        Args:
            photo: a photo with at least one face; JPEG, PNG, WebP, HEIC or AVIF, below 50 MB.
            expression: which expression.
            intensity: 0 is no expression, 1 a natural one, up to 2 exaggerates.
            face: which face, 1 being the largest.
            preset: an edit that the page saved, as JSON or as a link, in place of all of these.

        Returns:
            The photo with its face changed, at its own size and in its own format.
        """
        if preset:
            return _saved(photo, Preset.from_text(preset).apply(pipe, photo).images[0], "edited")
        edit = FaceEdit((_index(face),), {expression: 1.0}, intensity)
        return _saved(photo, Preset((edit,)).apply(pipe, photo).images[0], expression)

    def transfer(
        photo_a: str,
        photo_b: str,
        face_a: int = 1,
        face_b: int = 1,
        parts: Sequence[str] = PARTS,
    ) -> tuple[str, str]:
        """Swap the expressions of two people.

        Args:
            photo_a: a photo of the first person; JPEG, PNG, WebP, HEIC or AVIF, below 50 MB.
            photo_b: a photo of the second person.
            face_a: which face of the first photo, 1 being the largest.
            face_b: which face of the second photo.
            parts: which parts of the faces are swapped: "mouth", "eyes", "brows".

        Returns:
            The first photo with the second person's expression, then the second photo with the
            first person's, each at its own size and in its own format.
        """
        chosen = {"face_a": _index(face_a), "face_b": _index(face_b)}
        swapped = pipe.transfer(photo_a, photo_b, parts=parts, **chosen)
        a_on_b, b_on_a = swapped.images
        return _saved(photo_a, b_on_a, "swapped"), _saved(photo_b, a_on_b, "swapped")

    def interpolate(
        photo: str,
        start: str = "neutral",
        end: str = "happiness",
        frames: int = FRAMES,
        format: str = "mp4",
        face: int = 1,
    ) -> str:
        """Make a short clip of a face in a photo going from one expression to another and back.

        Args:
            photo: a photo with at least one face; JPEG, PNG, WebP, HEIC or AVIF, below 50 MB.
            start: the first expression; "own" is the one in the photo.
            end: the last expression.
            frames: how many pictures from the first to the last, 3 to 48.
            format: "mp4" or "gif".
            face: which face, 1 being the largest.

        Returns:
            The clip, up to 1280 pixels (mp4) or 640 pixels (gif) on its longer side.
        """
        if not FEWEST <= frames <= MOST:
            raise G2GANError(f"frames must be from {FEWEST} to {MOST}")
        if f".{format}" not in LONGEST:
            raise G2GANError(f"format must be one of {', '.join(k[1:] for k in LONGEST)}")
        images = make_strip(photo, _index(face), start, end, int(frames))
        return str(write_strip(images, new_file(f"{start}-to-{end}.{format}")))

    _offer(remove, [photo, face, everybody, parts], file, photos=1)
    _offer(synthesize, [photo, expression, intensity, face, preset], file, photos=1)
    _offer(transfer, [photo_a, photo_b, face_a, face_b, parts], [file_a, file_b], photos=2)
    _offer(interpolate, [photo, start, end, frames, kind, face], file, photos=1)


def _offer(edit: Callable, inputs: list, outputs: object, photos: int) -> None:
    """An endpoint under the function's name, which answers errors in one line."""

    @functools.wraps(edit)
    def answered(*values: object) -> object:
        try:
            if not all(values[:photos]):
                raise G2GANError(NO_PHOTO)
            paths = (file["path"] for file in values[:photos])
            return edit(*paths, *values[photos:])
        except Exception as error:
            raise gr.Error(in_one_line(error), print_exception=False) from error

    gr.Button(visible=False).click(
        answered,
        inputs,
        outputs,
        api_name=edit.__name__,
        preprocess=False,  # else `gr.File` leaves an empty file for each that it reads
        concurrency_id="edits",
        concurrency_limit=AT_ONCE,
    )


def _index(face: int) -> int:
    if face < 1:
        raise FaceIndexError("faces are counted from 1")
    return int(face) - 1


def _saved(photo: str, image: Image.Image, word: str) -> str:
    return str(save_like(photo, image, new_file(edited_name(photo, word))))
