"""What the server remembers of a visitor's photo: opened once, faces found once, for an hour.

A visit is reached by a key that nobody can guess and that only its visitor's page is told.
"""

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from g2gan import G2GAN, Face, G2GANError, NoFaceError
from g2gan.images import Photo, open_photo
from g2gan.saving import edited_name, save_like

KEPT = 3000  # seconds without a sign of the visitor
ROOM = 2_000_000_000  # bytes of pixels; the visitors who were longest away make room

GONE = "Your photo has been deleted from the server meanwhile. Please choose it again."


class GoneError(G2GANError):
    """The photo is no longer kept."""


@dataclass(frozen=True, eq=False)
class Start:
    """What an edit starts from: pixels (H, W, 3) uint8 and the face in them.

    And the small copies of it that were made for the page, by their view.
    """

    rgb: np.ndarray
    face: Face
    views: dict[object, "Start"] = field(default_factory=dict, repr=False)


@dataclass(eq=False)
class Visit:
    """A visitor's photo and what has been found out about it."""

    path: Path
    photo: Photo
    faces: list[Face]
    pipe: G2GAN
    seen: float = field(default_factory=time.monotonic)
    newest: int = 0  # the last preview that was asked for
    painting: threading.Lock = field(default_factory=threading.Lock)  # one preview after the other
    _starts: dict[tuple[int, bool], Start] = field(default_factory=dict)
    _saved: TemporaryDirectory | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, face: int, keep_expression: bool) -> Start:
        """The photo itself, or without one face's expression; made once."""
        with self._lock:
            start = self._starts.get((face, keep_expression))
            if start is None and keep_expression:
                start = Start(self.photo.rgb, self.faces[face])
            elif start is None:
                edit = self.pipe.remove(self.photo.rgb, face=self.faces[face])
                start = Start(np.asarray(edit.images[0]), edit.faces[0])
            self._starts[face, keep_expression] = start
            return start

    def neutral(self, face: int) -> Start:
        """The photo with one face's expression taken off; made once."""
        return self.start(face, keep_expression=False)

    def original(self) -> Path:
        """The photo's file.

        Raises:
            GoneError: it is no longer there.
        """
        if not self.path.is_file():
            raise GoneError(GONE)
        return self.path

    def save(self, image: Image.Image, folder: str | Path) -> Path:
        """Writes an edit in the photo's own format, somewhere below a folder.

        The visit's last one makes room for it, and the last of all goes with the visit.

        Raises:
            GoneError: the photo's file is no longer there.
        """
        original = self.original()
        with self._lock:
            if self._saved is None:
                Path(folder).mkdir(parents=True, exist_ok=True)
                self._saved = TemporaryDirectory(
                    dir=folder, prefix="edited-", ignore_cleanup_errors=True
                )
            return save_like(original, image, Path(self._saved.name, edited_name(original)))

    def close(self) -> None:
        """Deletes what was saved."""
        with self._lock:
            if self._saved is not None:
                self._saved.cleanup()
                self._saved = None

    @property
    def bytes(self) -> int:
        """Of all its pixels, the photo's own and the copies that were made."""
        own, starts = self.photo.rgb, list(self._starts.values())
        copies = [start.rgb for start in starts if start.rgb is not own]
        copies += [view.rgb for start in starts for view in list(start.views.values())]
        return own.nbytes + sum(copy.nbytes for copy in copies)


class Visits:
    """All visits; safe for many threads.

    Args:
        pipe: what finds the faces.
        now: the time in seconds.
    """

    def __init__(self, pipe: G2GAN, now: Callable[[], float] = time.monotonic) -> None:
        self._pipe, self._now = pipe, now
        self._visits: dict[str, Visit] = {}
        self._lock = threading.Lock()

    def open(self, path: str | Path) -> str:
        """Open a photo and find its faces; the key of the new visit.

        Raises:
            NoFaceError: nobody is in it.
            ImageError, DetectorError: as `G2GAN.detect`.
        """
        photo = open_photo(path)
        faces = self._pipe.detect(photo.rgb)
        if not faces:
            raise NoFaceError("no face found")
        key = secrets.token_urlsafe(16)
        visit = Visit(Path(path), photo, faces, self._pipe, seen=self._now())
        with self._lock:
            self._visits[key] = visit
            over = self._over()
        _close(over)
        return key

    def get(self, key: str) -> Visit:
        """The visit of a key.

        Raises:
            GoneError: there is none, or no longer.
        """
        with self._lock:
            over = self._over()
            visit = self._visits.pop(key, None) if isinstance(key, str) else None
            if visit is not None:
                visit.seen = self._now()
                self._visits[key] = visit  # the last one is the one seen last
        _close(over)
        if visit is None:
            raise GoneError(GONE)
        return visit

    def close(self, key: str | None) -> None:
        """Forget a visit, if there is one."""
        with self._lock:
            visit = self._visits.pop(key, None)
        if visit is not None:
            visit.close()

    def __len__(self) -> int:
        return len(self._visits)

    def _over(self) -> list[Visit]:
        """Takes out the visits that are over, and as many of the oldest as room is needed.

        They are closed when the lock is free again: one may be writing a large file.
        """
        left = {key: v for key, v in self._visits.items() if self._now() - v.seen < KEPT}
        room = ROOM - sum(visit.bytes for visit in left.values())
        while room < 0 and len(left) > 1:
            room += left.pop(next(iter(left))).bytes
        over = [visit for key, visit in self._visits.items() if key not in left]
        self._visits = left
        return over


def _close(visits: list[Visit]) -> None:
    for visit in visits:
        visit.close()
