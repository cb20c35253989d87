"""What an edit does to a visitor's photo: `g2gan.preset`, on what is known of the photo already."""

import numpy as np
from PIL import Image

from g2gan import FaceIndexError
from g2gan.preset import FaceEdit, Preset, apply_to_face
from space.visits import Start, Visit


def asked_mesh(visit: Visit, start: Start, edit: FaceEdit) -> np.ndarray:
    """The mesh (478, 3) that an edit asks for, in pixels of the photo.

    Raises:
        UnknownExpressionError: the checkpoint does not know a name.
    """
    return visit.pipe.shape_model.drag(start.face.mesh, edit.shares, edit.moves)


def finished(visit: Visit, preset: Preset) -> Image.Image:
    """The whole photo with a preset applied, as `Preset.apply` does it.

    Nothing is detected again, and a face whose expression was taken off for the previews starts
    from there.

    Raises:
        FaceIndexError: the photo has fewer faces than the preset names.
        UnknownExpressionError: the checkpoint does not know a name.
    """
    rgb, faces, untouched = visit.photo.rgb, list(visit.faces), True
    for edit in preset.edits:
        for index in range(len(faces)) if edit.faces == "all" else edit.faces:
            if index >= len(faces):
                raise FaceIndexError(f"there is no face {index} in the photo")
            if untouched:
                rgb, faces[index] = _first(visit, index, edit)
            else:
                output = apply_to_face(visit.pipe, rgb, faces[index], edit)
                rgb, faces[index] = np.asarray(output.images[0]), output.faces[0]
            untouched = False
    return visit.photo.to_pil(rgb)


def _first(visit: Visit, index: int, edit: FaceEdit) -> tuple:
    """Pixels and face after the first edit of a photo."""
    start = visit.start(index, edit.keep_expression)
    if not edit.expression and not edit.moves:
        return start.rgb, start.face
    asked = asked_mesh(visit, start, edit)
    output = visit.pipe.synthesize(start.rgb, landmarks=asked, face=start.face, from_neutral=True)
    return np.asarray(output.images[0]), output.faces[0]
