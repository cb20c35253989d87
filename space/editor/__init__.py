"""The face editor: one `gr.HTML` component with dots to drag, and the functions that it calls.

In the browser, `geometry.js` computes where the face goes, `warp.js` draws it at once, and
`editor.js` holds the edit and asks the server for painted pictures of it, the latest first.
"""

import threading
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TypeVar

import gradio as gr
import numpy as np
from gradio.utils import get_upload_folder

from g2gan import G2GAN, FaceIndexError, G2GANError
from g2gan.flow import RINGS, drawing_order
from g2gan.landmarks import LANDMARKS_68
from g2gan.mesh import FACE_OVAL, LEFT_IRIS, MIRROR, RIGHT_IRIS
from g2gan.preset import FaceEdit, Preset
from g2gan.shape import LEFT_GAZE, RELUCTANCE, RIGHT_GAZE, SPREAD, STRONGEST
from space.edits import asked_mesh, finished
from space.hardware import AT_ONCE
from space.offers import SHORTCUTS, looks, shortcuts, sliders, twins
from space.views import View, as_data_url, as_floats
from space.visits import Start, Visit, Visits
from space.words import in_one_line

HERE = Path(__file__).parent
SCRIPTS = ("geometry.js", "warp.js", "editor.js")
SHARPEST, SHARP, DRAFT, THUMBNAIL = 1024, 768, 320, 176  # pixels of a view's long side
AROUND_SMALL = 1.22  # side of a thumbnail's view over the face's
RELOAD = "this page is out of date; reload it and try again"
Value = TypeVar("Value")


class QuestionError(G2GANError):
    """The page asked for something that makes no sense."""


def editor(pipe: G2GAN, visits: Visits, **kwargs: object) -> gr.HTML:
    """The component. Its value is {"key": of a visit, "face": its number}, or None.

    Its `input` tells that it shows another face of the photo, because an edit of that one was
    undone.
    """
    return gr.HTML(
        html_template=(HERE / "editor.html").read_text("utf-8"),
        css_template=(HERE / "editor.css").read_text("utf-8"),
        js_on_load="\n".join((HERE / name).read_text("utf-8") for name in SCRIPTS),
        server_functions=Server(pipe, visits).functions,
        apply_default_css=False,
        **kwargs,
    )


class Server:
    """What the editor asks for. Each answer is {"ok": True, ...} or {"ok": False, "error": line}.

    Edits come as the text of a preset, the same as in files and links.

    Args:
        pipe: paints; its networks run on the CPU, a view at a time.
        visits: the photos.
    """

    def __init__(self, pipe: G2GAN, visits: Visits) -> None:
        self._pipe, self._visits = pipe, visits
        self._turn = threading.Semaphore(AT_ONCE)

    @property
    def functions(self) -> list[Callable]:
        asked = (self.face, self.neutral, self.preview, self.look, self.finish, self.preset)
        return [_answering(each) for each in asked]

    def face(self, asked: dict) -> dict:
        """A face to begin with: its pixels, its mesh, and the model that moves it."""
        visit, face = self._chosen(asked)
        view, start = View.of(visit.faces[face], SHARPEST), visit.start(face, keep_expression=True)
        x0, y0, x1, y1 = view.box
        size = np.array([x1 - x0, y1 - y0]) / max(x1 - x0, y1 - y0)
        small = View.of(visit.faces[face], THUMBNAIL, AROUND_SMALL)
        return {
            "faces": len(visit.faces),
            "size": size.tolist(),
            "start": self._start(start, view),
            "model": self._model(start.face.mesh),
            "small": as_data_url(small.see(start).rgb),
            "looks": [each for each in looks(self._pipe) if each["name"] not in SHORTCUTS],
            "sliders": sliders(self._pipe),
            "shortcuts": shortcuts(self._pipe.shape_model, start.face.mesh),
        }

    def neutral(self, asked: dict) -> dict:
        """The same face without its expression."""
        visit, face = self._chosen(asked)
        view = View.of(visit.faces[face], SHARPEST)
        return {"start": self._start(visit.neutral(face), view)}

    def preview(self, asked: dict) -> dict:
        """The picture of an edit, and its mesh; neither where a newer one was asked for since.

        A draft is smaller, and painted faster: for while a finger moves.
        """
        visit, face = self._chosen(asked)
        edit = Preset.from_json(_entry(asked, "preset", str)).edits[0]
        number, draft = _entry(asked, "number", int), _entry(asked, "draft", bool)
        visit.newest = max(visit.newest, number)
        with visit.painting, self._turn:  # side by side, later ones would overtake some in vain
            if number < visit.newest:
                return {}
            begun = time.perf_counter()
            start = visit.start(face, edit.keep_expression)
            view = View.of(visit.faces[face], DRAFT if draft else SHARP)
            mesh = asked_mesh(visit, start, edit)
            picture = self._painted(start, mesh, view, draft)
            ms = round(1000 * (time.perf_counter() - begun))
        return {
            "picture": as_data_url(picture),
            "mesh": as_floats(view.shares(mesh)),
            "ms": ms,
        }

    def look(self, asked: dict) -> dict:
        """A thumbnail of one expression on the visitor's own face."""
        visit, face = self._chosen(asked)
        edit = FaceEdit(expression={_entry(asked, "name", str): 1.0})
        start = visit.neutral(face)
        with self._turn:
            view = View.of(visit.faces[face], THUMBNAIL, AROUND_SMALL)
            picture = self._painted(start, asked_mesh(visit, start, edit), view)
        return {"picture": as_data_url(picture)}

    def finish(self, asked: dict) -> dict:
        """The whole photo with a preset applied, as a file in the photo's own format."""
        visit = self._visits.get(_entry(asked, "key", str))
        preset = Preset.from_json(_entry(asked, "preset", str))
        with self._turn:
            path = visit.save(finished(visit, preset), get_upload_folder())
        return {"path": path.as_posix(), "name": path.name}

    def preset(self, asked: dict) -> dict:
        """The edit of each face that a preset's text, or the code in a link, asks for."""
        visit = self._visits.get(_entry(asked, "key", str))
        preset = Preset.from_text(_entry(asked, "text", str))
        edits = {}
        for edit in preset.edits:
            self._pipe.shape_model.parameters_of(edit.expression)  # are the names known?
            shares = {
                name: min(max(share, -STRONGEST), STRONGEST) for name, share in edit.shares.items()
            }
            for face in range(len(visit.faces)) if edit.faces == "all" else edit.faces:
                if face >= len(visit.faces):
                    raise FaceIndexError(f"there is no face {face} in the photo")
                edits[str(face)] = {
                    "expression": shares,
                    "moves": {str(landmark): move for landmark, move in edit.moves.items()},
                    "keep_expression": edit.keep_expression,
                }
        return {"edits": edits}

    def _chosen(self, asked: dict) -> tuple[Visit, int]:
        visit, face = self._visits.get(_entry(asked, "key", str)), _entry(asked, "face", int)
        if not 0 <= face < len(visit.faces):
            raise FaceIndexError(f"there is no face {face} in the photo")
        return visit, face

    def _painted(
        self, start: Start, mesh: np.ndarray, view: View, draft: bool = False
    ) -> np.ndarray:
        seen = view.see(start)
        edit = self._pipe.synthesize(
            seen.rgb,
            landmarks=view.points(mesh),
            face=seen.face,
            from_neutral=True,
            draft=draft,
        )
        return np.asarray(edit.images[0])

    def _start(self, start: Start, view: View) -> dict:
        """Pixels, mesh, and what an edit does to it, as shares of the view's side."""
        shape_model = self._pipe.shape_model
        pose = shape_model.pose(start.face.mesh)
        longest = max(view.box[2] - view.box[0], view.box[3] - view.box[1])
        turn = pose.scale * pose.rotation[:, :2] / longest
        basis = shape_model.basis_of(pose.to_head(start.face.mesh))
        return {
            "picture": as_data_url(view.see(start).rgb),
            "mesh": as_floats(view.shares(start.face.mesh)),
            "basis": as_floats(np.einsum("pck,cd->pdk", basis, turn)),
            "aims": {
                name: as_floats(shape_model.aimed(start.face.mesh, {name: 1.0})[:, :2] / longest)
                for name in shape_model.aims
            },
            "axes": {
                "x": turn[0].tolist(),
                "y": turn[1].tolist(),
                "unit": pose.scale / longest,
            },
        }

    def _model(self, mesh: np.ndarray) -> dict:
        """What `geometry.js` and `warp.js` need to know of the shape model and the mesh."""
        shape_model = self._pipe.shape_model
        low, high = shape_model.limits.detach().cpu().numpy().astype(float)
        handles = list(LANDMARKS_68)
        mirror = [handles.index(MIRROR[point]) for point in handles]
        return {
            "handles": handles,
            "irises": [[RIGHT_GAZE, RIGHT_IRIS], [LEFT_GAZE, LEFT_IRIS]],
            "mirror": [*mirror, LEFT_GAZE, RIGHT_GAZE],
            "deviation": np.maximum(shape_model.deviation.detach().cpu().numpy(), 1e-6).tolist(),
            "low": low.tolist(),
            "high": high.tolist(),
            "noise": max(shape_model.config.noise, 1e-3),
            "reluctance": RELUCTANCE,
            "apart": as_floats(shape_model.apart()),
            "reach": SPREAD,
            "table": {
                name: shape_model.parameters_of({name: 1.0}).tolist()
                for name in shape_model.learned
            },
            "twins": twins(self._pipe),
            "triangles": drawing_order(mesh).ravel().tolist(),
            "oval": list(FACE_OVAL),
            "rings": RINGS,
        }


def _entry(asked: object, name: str, kind: type[Value]) -> Value:
    """What a question says under a name.

    Raises:
        QuestionError: nothing, or something of another kind.
    """
    value = asked.get(name) if isinstance(asked, dict) else None
    if type(value) is not kind:
        raise QuestionError(RELOAD)
    return value


def _answering(function: Callable[[dict], dict]) -> Callable[[dict], dict]:
    """`function` for the page: it never raises, since the page would see nothing of that."""

    @wraps(function)
    def answer(asked: dict) -> dict:
        try:
            return {"ok": True, **function(asked)}
        except Exception as error:
            return {"ok": False, "error": in_one_line(error)}

    return answer
