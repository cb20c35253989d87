"""MediaPipe's two ways of reading a face, old and new, behind one set of methods.

Release 0.10.21 carries its models (`solutions`); newer ones need the file `face_landmarker.task`.
"""

import contextlib
import hashlib
import http.client
import os
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from g2gan.errors import DetectorError

MODEL_VARIABLE = "G2GAN_FACE_LANDMARKER"
MODEL_URL = (
    "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/"
    "float16/1/face_landmarker.task"
)
MODEL_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"

CROWD = 8  # faces that one run of the mesh may return


def start_engine(model_path: str | Path | None) -> "SolutionsEngine | TasksEngine":
    """The way that the installed MediaPipe offers, or the newer one for a given model file.

    Raises:
        DetectorError: MediaPipe or its model file is missing or damaged.
    """
    try:
        import mediapipe
    except ImportError as error:
        raise DetectorError(f"MediaPipe cannot be imported ({error}); install mediapipe") from error
    if model_path is not None:
        return TasksEngine(Path(model_path))
    if hasattr(mediapipe, "solutions"):
        return SolutionsEngine()
    return TasksEngine(fetched_model())


class SolutionsEngine:
    """MediaPipe up to 0.10.21: models in the wheel, and a detector for distant faces."""

    tile_shares = (1.0, 0.5)  # of the long side; the detector sees faces from 6% of a tile's side

    def __init__(self) -> None:
        from mediapipe import solutions

        self._finder = solutions.face_detection.FaceDetection(model_selection=1)
        self._mesh = solutions.face_mesh.FaceMesh(
            static_image_mode=True, refine_landmarks=True, max_num_faces=CROWD
        )
        # MediaPipe warns once in a process, at the first face: here, while nobody listens, by a
        # detector so credulous that it sees one in a black picture
        with solutions.face_mesh.FaceMesh(
            static_image_mode=True, min_detection_confidence=0.0
        ) as credulous:
            credulous.process(np.zeros((48, 64, 3), np.uint8))

    def find(self, image: np.ndarray, whole: bool) -> np.ndarray:
        """Boxes (N, 4) of faces in an image."""
        boxes = []
        for detection in self._finder.process(image).detections or []:
            box = detection.location_data.relative_bounding_box
            boxes.append([box.xmin, box.ymin, box.xmin + box.width, box.ymin + box.height])
        if whole:  # faces that fill the photo: the mesh's own detector sees them better
            boxes += [box_of(mesh) for mesh in self.meshes(image)]
        return _in_pixels(boxes, image)

    def meshes(self, image: np.ndarray) -> list[np.ndarray]:
        """Meshes (478, 3) as shares of the image's width, height and width."""
        faces = self._mesh.process(image).multi_face_landmarks or []
        return [np.array([[p.x, p.y, p.z] for p in face.landmark]) for face in faces]

    def close(self) -> None:
        self._finder.close()
        self._mesh.close()


class TasksEngine:
    """MediaPipe's newer interface: one model file, whose own detector wants larger faces."""

    tile_shares = (1.0, 0.5, 0.25)  # of the long side; it sees faces from 12% of a tile's side

    def __init__(self, model: Path) -> None:
        from mediapipe.tasks.python import BaseOptions, vision

        try:
            content = model.read_bytes()
            options = vision.FaceLandmarkerOptions(
                base_options=BaseOptions(model_asset_buffer=content), num_faces=CROWD
            )
            self._landmarker = vision.FaceLandmarker.create_from_options(options)
        except OSError as error:
            raise DetectorError(f"{model} cannot be read: {error.strerror}") from error
        except (RuntimeError, ValueError) as error:
            raise DetectorError(f"{model} is no face_landmarker.task of MediaPipe") from error

    def find(self, image: np.ndarray, whole: bool) -> np.ndarray:
        """Boxes (N, 4) of faces in an image."""
        return _in_pixels([box_of(mesh) for mesh in self.meshes(image)], image)

    def meshes(self, image: np.ndarray) -> list[np.ndarray]:
        """Meshes (478, 3) as shares of the image's width, height and width."""
        import mediapipe

        picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=image)
        faces = self._landmarker.detect(picture).face_landmarks
        return [np.array([[p.x, p.y, p.z] for p in face]) for face in faces]

    def close(self) -> None:
        try:
            self._landmarker.close()
        except RuntimeError:  # 1.2.2 when Python ends: the thread that it closes with is gone
            self._landmarker._handle = None  # or its destructor would print another exception


def _in_pixels(boxes: list, image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    return np.array(boxes, np.float64).reshape(-1, 4) * [width, height, width, height]


def fetched_model() -> Path:
    """The user's copy of `face_landmarker.task`, fetched where it is missing or damaged."""
    cache = os.environ.get("XDG_CACHE_HOME") or (
        os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else None
    )
    folder = (Path(cache) if cache else Path.home() / ".cache") / "g2gan"
    path = folder / "face_landmarker.task"
    try:
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == MODEL_SHA256:
            return path
        with urllib.request.urlopen(MODEL_URL, timeout=30) as answer:
            content = answer.read()
        if hashlib.sha256(content).hexdigest() != MODEL_SHA256:
            raise DetectorError(f"{MODEL_URL} is not the file it should be (sha256 differs)")
        folder.mkdir(parents=True, exist_ok=True)
        # another process may be fetching too: each writes its own file, the last rename wins
        with tempfile.TemporaryDirectory(dir=folder) as own:
            unfinished = Path(own) / path.name
            unfinished.write_bytes(content)
            os.replace(unfinished, path)
    except (OSError, http.client.HTTPException) as error:
        raise DetectorError(
            f"the landmark model could not be fetched ({error}); download {MODEL_URL} and set "
            f"{MODEL_VARIABLE} to its path"
        ) from error
    return path


_stderr_lock = threading.Lock()


@contextlib.contextmanager
def silenced_stderr() -> Iterator[None]:
    """Redirects file descriptor 2 meanwhile: MediaPipe's C++ start-up lines know no log level."""
    with _stderr_lock:  # two detectors that start at once must not restore each other's
        try:
            saved = os.dup(2)
        except OSError:  # there is no stderr to silence
            yield
            return
        sink = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(sink, 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            os.close(sink)


def box_of(mesh: np.ndarray) -> np.ndarray:
    return np.concatenate([mesh[:, :2].min(0), mesh[:, :2].max(0)])
