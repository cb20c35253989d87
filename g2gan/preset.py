"""An edit as a value: the same JSON in the page, in the pipeline, and on the command line.

A preset tells what is done to which faces, and nothing about the photo: it fits any other.
"""

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Self

import numpy as np
from PIL import Image

from g2gan.errors import FaceIndexError, NoFaceError, PresetError
from g2gan.images import open_photo
from g2gan.mesh import POINTS
from g2gan.shape import STRONGEST

if TYPE_CHECKING:
    from g2gan.landmarks import Face
    from g2gan.pipeline import G2GAN, G2GANOutput, PhotoLike

FORMAT = 1
FORMAT_KEY = "g2gan_preset"
LONGEST = 100_000  # characters of a preset; a sane one has a few thousand
MOVABLE = 70  # the 68 landmarks, then the right and the left iris
FARTHEST = 2.0  # eye distances that a point can be moved
DIGITS = 4  # of a number that is kept: a ten-thousandth of the eye distance is no pixel


@dataclass(frozen=True)
class FaceEdit:
    """What is done to some faces of a photo. The defaults take the largest one's expression off.

    Args:
        faces: "all", or which ones, (0,) being the largest.
        expression: name -> share, as in `G2GAN.synthesize`, and down to -2 to undo one; empty for
            the neutral face.
        intensity: multiplies all shares, 0 to 2.
        moves: landmark, 0 to 67 in dlib's order, 68 and 69 for the right and left iris -> (x, y) by
            which it is moved after that: in eye distances, in the head's own frame, to the right
            and down. What is not named goes along as far as is plausible.
        keep_expression: the face's own expression stays, and the edit comes on top of it.

    Raises:
        PresetError: a value is of the wrong type or out of range.
    """

    faces: str | tuple[int, ...] = (0,)
    expression: Mapping[str, float] = field(default_factory=dict)
    intensity: float = 1.0
    moves: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    keep_expression: bool = False

    def __post_init__(self) -> None:
        shares = _mapping(self.expression, "expression")
        if not all(isinstance(name, str) and name for name in shares):
            raise PresetError('expression must map names to shares, such as {"happiness": 0.8}')
        checked = {
            "faces": _faces(self.faces),
            "expression": {
                name: _number(share, name, -STRONGEST, STRONGEST) for name, share in shares.items()
            },
            "intensity": _number(self.intensity, "intensity", 0, STRONGEST),
            "moves": dict(_move(*move) for move in _mapping(self.moves, "moves").items()),
        }
        if not isinstance(self.keep_expression, bool):
            raise PresetError("keep_expression must be true or false")
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def shares(self) -> dict[str, float]:
        """The expression at its intensity."""
        return {name: self.intensity * share for name, share in self.expression.items()}


@dataclass(frozen=True)
class Preset:
    """Edits of the faces of one photo, made one after the other.

    Args:
        edits: at least one.

    Example:
        >>> smile = Preset((FaceEdit(faces="all", expression={"happiness": 0.8}),))
        >>> Preset.from_json(smile.to_json()) == smile
        True
        >>> smile.apply(pipe, "group.jpg").images[0]  # doctest: +SKIP
    """

    edits: tuple[FaceEdit, ...]

    def __post_init__(self) -> None:
        if not (
            isinstance(self.edits, tuple)
            and self.edits
            and all(isinstance(edit, FaceEdit) for edit in self.edits)
        ):
            raise PresetError("edits must be a tuple of at least one FaceEdit")

    def to_json(self) -> str:
        """Indented JSON, without what is as it is by default."""
        return json.dumps(self._content(), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The preset that `to_json` wrote.

        Raises:
            PresetError: the text is no preset, or one of a newer release.
        """
        if len(text) > LONGEST:
            raise PresetError("this is far too long for a preset; choose a file made by G2-GAN")
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise PresetError("this is no preset: no JSON; choose a file made by G2-GAN") from error
        if not isinstance(content, dict) or FORMAT_KEY not in content:
            raise PresetError(
                f'this is no preset: "{FORMAT_KEY}" is missing; choose a file made by G2-GAN'
            )
        if content[FORMAT_KEY] != FORMAT:
            raise PresetError(
                f"the preset is of format {content[FORMAT_KEY]!r}, this release reads {FORMAT}; "
                "update g2gan, or make the preset again"
            )
        _no_others(content, {FORMAT_KEY, "edits"})
        edits = content.get("edits")
        if not isinstance(edits, list) or not edits:
            raise PresetError('a preset needs "edits", a list of at least one edit')
        return cls(tuple(_edit(edit) for edit in edits))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The preset of a file's text, of a link, or of a link's code.

        Raises:
            PresetError: as `from_json`.
        """
        return cls.from_json(text) if "{" in text else cls.from_code(text)

    def to_code(self) -> str:
        """The preset in letters, digits, - and _: for a link's end, `#preset=CODE`."""
        text = json.dumps(self._content(), separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def from_code(cls, code: str) -> Self:
        """The preset of a `to_code`, or of a link that ends in `#preset=CODE`.

        Raises:
            PresetError: as `from_json`.
        """
        code = code.rpartition("preset=")[2].strip()
        try:
            text = base64.b64decode(code + "=" * (-len(code) % 4), altchars=b"-_", validate=True)
            return cls.from_json(text.decode())
        except ValueError as error:  # UnicodeDecodeError and binascii.Error are
            if isinstance(error, PresetError):
                raise
            raise PresetError("the link's preset is damaged; copy the whole link again") from error

    def _content(self) -> dict:
        edits = [
            {
                each.name: value
                for each in fields(edit)
                if (value := getattr(edit, each.name)) != getattr(FaceEdit(), each.name)
            }
            for edit in self.edits
        ]
        return {FORMAT_KEY: FORMAT, "edits": edits}

    def apply(self, pipe: "G2GAN", photo: "PhotoLike") -> "G2GANOutput":
        """The photo with every edit made, one face after the other.

        Args:
            pipe: what edits.
            photo: path, PIL image or uint8 array (H, W, 3).

        Returns:
            One image and one mask; `faces` are the edited ones, as asked for, in the order in which
            they were first edited.

        Raises:
            NoFaceError: there is no face.
            FaceIndexError: the photo has fewer faces than the preset names.
            PresetError: it moves points, which the paper's checkpoints cannot.
            UnknownExpressionError, IntensityError, LandmarksError, ImageError, DetectorError.
        """
        from g2gan.pipeline import G2GANOutput

        opened = open_photo(photo)
        image = opened.to_pil(opened.rgb)
        found = pipe.detect(opened.rgb)
        if not found:
            raise NoFaceError(
                "no face found; the face should be at least 4% of the photo's width and turned "
                "towards the camera"
            )
        mask = np.zeros(opened.rgb.shape[:2], np.uint8)
        edited: dict[int, Face] = {}
        for edit in self.edits:
            for index in range(len(found)) if edit.faces == "all" else edit.faces:
                if index >= len(found):
                    raise FaceIndexError(
                        f"the preset edits face {index}, counted from 0, but the photo has "
                        f"{len(found)}"
                    )
                output = apply_to_face(pipe, image, edited.get(index, found[index]), edit)
                image, edited[index] = output.images[0], output.faces[0]
                mask = np.maximum(mask, np.asarray(output.masks[0]))
        return G2GANOutput(
            images=[image], faces=list(edited.values()), masks=[Image.fromarray(mask)]
        )


def apply_to_face(pipe: "G2GAN", photo: "PhotoLike", face: "Face", edit: FaceEdit) -> "G2GANOutput":
    """One face's part of a preset; `edit.faces` is not looked at."""
    by_name = edit.expression and not edit.moves
    if by_name and min(edit.expression.values()) >= 0:  # what `synthesize` takes as it is
        return pipe.synthesize(
            photo,
            dict(edit.expression),
            intensity=edit.intensity,
            face=face,
            from_neutral=edit.keep_expression,
        )
    shape = pipe.shape_model
    if (edit.moves or edit.expression) and shape.config.points != POINTS:
        raise PresetError(
            "this checkpoint moves no single points and undoes no expression; "
            "use one that paints by the mesh, such as g2gan-london"
        )
    first = None if edit.keep_expression else pipe.remove(photo, face=face)
    if first is not None and not edit.moves and not edit.expression:
        return first
    start, face = (photo, face) if first is None else (first.images[0], first.faces[0])
    asked = shape.drag(face.mesh, edit.shares, edit.moves)
    output = pipe.synthesize(start, landmarks=asked, face=face, from_neutral=True)
    if first is not None:
        masks = [np.asarray(each.masks[0]) for each in (first, output)]
        output.masks = [Image.fromarray(np.maximum(*masks))]
    return output


def _edit(entry: object) -> FaceEdit:
    if not isinstance(entry, dict):
        raise PresetError("each of a preset's edits must be an object")
    _no_others(entry, {each.name for each in fields(FaceEdit)})
    entry = dict(entry)
    if isinstance(entry.get("faces"), list):
        entry["faces"] = tuple(entry["faces"])
    return FaceEdit(**entry)


def _no_others(content: dict, known: set[str]) -> None:
    if unknown := sorted(content.keys() - known):
        raise PresetError(
            f"the preset has an entry {unknown[0]!r} that this release does not know; "
            "correct it, or update g2gan"
        )


def _mapping(value: object, name: str) -> Mapping:
    if not isinstance(value, Mapping):
        raise PresetError(f"{name} must be an object of names and values")
    return value


def _number(value: object, name: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise PresetError(f"{name} must be a number, not {value!r}")
    value = float(value)
    if not (math.isfinite(value) and low <= value <= high):
        raise PresetError(f"{name} must be from {low:g} to {high:g}, not {value:g}")
    return round(value, DIGITS)


def _faces(faces: object) -> str | tuple[int, ...]:
    if faces == "all":
        return "all"
    counts = isinstance(faces, tuple) and all(type(face) is int and face >= 0 for face in faces)
    if not counts or not faces or len(set(faces)) < len(faces):
        raise PresetError('faces must be "all" or a list of different numbers, 0 the largest face')
    return faces


def _move(landmark: object, move: object) -> tuple[int, tuple[float, float]]:
    try:
        point = int(landmark)  # JSON has only text for keys
    except (TypeError, ValueError):
        point = -1
    if not 0 <= point < MOVABLE:
        raise PresetError(f"moves must name points from 0 to {MOVABLE - 1}, not {landmark!r}")
    if not isinstance(move, list | tuple) or len(move) != 2:
        raise PresetError(f"the move of point {point} must be [x, y], in eye distances")
    x, y = (_number(value, f"the move of point {point}", -FARTHEST, FARTHEST) for value in move)
    return point, (x, y)
