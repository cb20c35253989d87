"""The command line: `python -m g2gan remove photo.jpg -o out.jpg`, and the same for folders."""

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from g2gan.errors import CheckpointError, G2GANError, ImageError, IntensityError, PresetError

if TYPE_CHECKING:
    from g2gan.pipeline import G2GAN
    from g2gan.preset import Preset

EMBEDDED = Path(__file__).parents[1] / "checkpoints" / "g2gan-london"  # of a clone
LINK = "preset="  # what stands before the preset in a link


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns 0, or 1 where a photo failed. The reason is one line on stderr."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (G2GANError, OSError, ValueError) as error:
        return _complain(error)
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m g2gan", description="Edits the expression of a face in photographs."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable, text: str, photos: tuple[str, ...]) -> Callable:
        added = commands.add_parser(name, help=text, description=f"{text}.")
        added.set_defaults(run=run)
        for photo in photos:
            added.add_argument(photo, type=Path)
        return added.add_argument

    several = ("photo",)
    add = command("remove", _remove, "Takes the expression off", several)
    _add_faces(add)
    _add_common(add)

    add = command("synthesize", _synthesize, "Puts an expression on", several)
    _add_expression(add)
    _add_faces(add)
    _add_common(add)

    text = "Two people exchange their expressions"
    add = command("transfer", _transfer, text, ("photo_a", "photo_b"))
    add("--face-a", type=int, default=0, metavar="N", help="of the first photo; 0 is the largest")
    add("--face-b", type=int, default=0, metavar="N", help="of the second photo")
    _add_common(add)

    text = "Shows an expression growing: a .gif, an .mp4, or a folder of pictures"
    add = command("interpolate", _interpolate, text, several)
    _add_expression(add)
    add("--steps", type=int, default=12, metavar="N", help="pictures (12)")
    add("--face", type=int, default=0, metavar="N", help="which one; 0 is the largest")
    _add_common(add)

    text = "Makes the edit that a preset describes"
    add = command("apply", _apply, text, ())
    add("preset", help="a preset's file, or a link that holds one")
    add("photo", type=Path)
    _add_common(add)

    add = command("detect", _detect, "Tells where faces are, the largest first", several)
    add("--json", action="store_true", help="with the 68 landmarks, one line of JSON a photo")
    return parser


def _add_expression(add: Callable) -> None:
    add("expression", nargs="+", help='its name, or several as "name=share": happiness=0.6')
    add("--intensity", type=float, default=1.0, metavar="X", help="0 to 2; 1 is natural")


def _add_faces(add: Callable) -> None:
    text = "which faces, 0 being the largest (0), or all"
    add("--face", nargs="+", default=["0"], metavar="N", help=text)


def _add_common(add: Callable) -> None:
    add("-o", "--out", type=Path, help="file or folder; by default a new name beside the photo")
    add("--model", help="checkpoint: a folder, or an id on the Hub; by default $G2GAN_MODEL")
    add("--keep-location", action="store_true", help="pass on where the photo was taken")


def _remove(options: argparse.Namespace) -> int:
    return _edit_all(options, _preset(options, {}))


def _synthesize(options: argparse.Namespace) -> int:
    return _edit_all(options, _preset(options, _shares(options.expression)))


def _apply(options: argparse.Namespace) -> int:
    from g2gan.preset import Preset

    if LINK in options.preset:
        return _edit_all(options, Preset.from_code(options.preset))
    try:
        text = Path(options.preset).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PresetError(f"{options.preset} cannot be read as a preset; give its file") from error
    return _edit_all(options, Preset.from_json(text))


def _edit_all(options: argparse.Namespace, preset: "Preset") -> int:
    """Applies a preset to a photo, or to each of a folder; what fails is told and passed over."""
    from tqdm import tqdm

    from g2gan.saving import save_like

    photos = _photos(options.photo)
    if options.photo.is_dir():
        if options.out is None or options.out.is_file():
            raise ImageError("the photos of a folder need one for the edits: -o FOLDER")
        if options.out.resolve() == options.photo.resolve():
            raise ImageError("the edits would take their photos' place; give another folder")
    pipe = _load(options.model)
    failed = 0
    for photo in tqdm(photos, unit="photo", disable=None if len(photos) > 1 else True):
        try:
            image = preset.apply(pipe, photo).images[0]
            target = _target(photo, options.out, same_name=options.photo.is_dir())
            save_like(photo, image, target, keep_location=options.keep_location)
        except (G2GANError, OSError) as error:
            failed += _complain(error, photo)
    return min(failed, 1)


def _transfer(options: argparse.Namespace) -> int:
    from g2gan.saving import edited_name, save_like

    if options.out is None or options.out.is_file():
        raise ImageError("two edits need a folder: -o FOLDER")
    a, b = options.photo_a, options.photo_b
    output = _load(options.model).transfer(a, b, face_a=options.face_a, face_b=options.face_b)
    options.out.mkdir(parents=True, exist_ok=True)
    of_a, of_b = (f"a-{a.stem}", f"b-{b.stem}") if a.stem == b.stem else (a.stem, b.stem)
    for photo, of_whom, image in zip((b, a), (of_a, of_b), output.images, strict=True):
        target = options.out / edited_name(photo, f"with-expression-of-{of_whom}")
        save_like(photo, image, target, keep_location=options.keep_location)
    return 0


def _interpolate(options: argparse.Namespace) -> int:
    from g2gan.saving import edited_name, save_like
    from g2gan.strips import LONGEST, write_strip

    photo = options.photo
    # not the photo's own name: a phone keeps a clip beside its photo
    out = options.out or photo.with_name(f"{photo.stem}-interpolated.mp4")
    images = (
        _load(options.model)
        .interpolate(
            photo,
            _shares(options.expression),
            steps=options.steps,
            intensity=options.intensity,
            face=options.face,
        )
        .images
    )
    if out.suffix.lower() in LONGEST:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_strip(images, out)
        return 0
    out.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        target = out / edited_name(photo, f"{number:03d}")
        save_like(photo, image, target, keep_location=options.keep_location)
    return 0


def _detect(options: argparse.Namespace) -> int:
    from g2gan.images import open_photo
    from g2gan.landmarks import LandmarkDetector

    detector, failed = LandmarkDetector(), 0
    for photo in _photos(options.photo):
        try:
            opened = open_photo(photo)
            faces = detector.detect(opened.rgb)
        except ImageError as error:
            failed += _complain(error, photo)
            continue
        if options.json:
            entries = [
                {
                    "box": [round(side, 2) for side in face.box],
                    "eye_distance": round(face.eye_distance, 2),
                    "landmarks": face.landmarks.round(2).tolist(),
                }
                for face in faces
            ]
            print(json.dumps({"photo": str(photo), "size": opened.size, "faces": entries}))
            continue
        print(f"{photo}: {len(faces) or 'no'} face{'' if len(faces) == 1 else 's'}")
        for index, face in enumerate(faces):
            x0, y0, x1, y1 = (round(side) for side in face.box)
            print(f"  {index}: from ({x0}, {y0}) to ({x1}, {y1})")
    return min(failed, 1)


def _load(model: str | None) -> "G2GAN":
    """The checkpoint that is asked for, else G2GAN_MODEL's, else the one of a clone."""
    name = model or os.environ.get("G2GAN_MODEL") or EMBEDDED
    if name == EMBEDDED and not EMBEDDED.is_dir():
        raise CheckpointError(
            "which checkpoint? Give a folder or an id on the Hub: --model, or G2GAN_MODEL"
        )
    from diffusers.utils import logging

    from g2gan.pipeline import G2GAN

    logging.disable_progress_bar()
    return G2GAN.from_pretrained(name)


def _preset(options: argparse.Namespace, expression: dict[str, float]) -> "Preset":
    from g2gan.preset import FaceEdit, Preset

    faces = options.face
    if faces == ["all"]:
        chosen = "all"
    elif all(number.isdecimal() for number in faces):
        chosen = tuple(int(number) for number in faces)
    else:
        raise PresetError("--face takes numbers, 0 being the largest face, or the word all")
    return Preset((FaceEdit(chosen, expression, getattr(options, "intensity", 1.0)),))


def _shares(words: list[str]) -> dict[str, float]:
    """{name: share} from "name" and "name=share"."""
    shares = {}
    for word in words:
        name, _, share = word.partition("=")
        try:
            shares[name] = float(share or 1)
        except ValueError:
            raise IntensityError(
                f"{word!r} is no expression with its share, such as happiness=0.6"
            ) from None
    return shares


def _photos(path: Path) -> list[Path]:
    """The photo, or those of a folder, but not of the folders in it."""
    from g2gan.images import ENDINGS

    if not path.is_dir():
        return [path]
    photos = [
        each
        for each in sorted(path.iterdir())
        if each.suffix.lower() in ENDINGS and each.is_file() and not each.name.startswith(".")
    ]
    if not photos:
        raise ImageError(f"{path} has no photo in it")
    return photos


def _target(photo: Path, out: Path | None, *, same_name: bool) -> Path:
    """Where an edit goes: `out` if it is a file, else a new name beside the photo or in `out`."""
    from g2gan.saving import edited_name, edited_suffix

    if out is None:
        return photo.with_name(edited_name(photo))
    if out.suffix and not out.is_dir() and not same_name:
        out.parent.mkdir(parents=True, exist_ok=True)
        return out
    out.mkdir(parents=True, exist_ok=True)
    if not same_name:
        return out / edited_name(photo)
    suffix = edited_suffix(photo)  # with both suffixes, a.gif and a.bmp do not meet in a.png
    return out / (photo.name if suffix == photo.suffix else photo.name + suffix)


def _complain(error: Exception, photo: Path | None = None) -> int:
    """One line on stderr, which a progress bar leaves whole; returns 1."""
    from tqdm import tqdm

    text = " ".join(str(error).split())
    tqdm.write(f"{photo}: {text}" if photo else text, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
