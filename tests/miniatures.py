"""Data sets in miniature: the exact layouts on disk, with drawn faces for people.

Their oddities are there too: two picture sizes, grey beside colour, sequences that nobody
annotated, what macOS leaves behind.
"""

import csv
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from faces import draw_face
from PIL import Image

from g2gan.landmarks import LandmarkDetector

SKINS = ((214, 170, 145), (150, 105, 80), (235, 200, 180), (190, 140, 110), (120, 85, 65))
FACE = 400  # pixels of the drawn square
WAYS = ("Voice", "Face", "MultiModal")  # of seeing a clip of CREMA-D
SMILES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of a sequence's frames


def ck(folder: Path, people: int = 3) -> Path:
    """CK+: two sequences a person, the second without an emotion file."""
    for index in range(people):
        person = f"S{5 + 100 * index:03d}"
        for sequence, size in ((1, (640, 490)), (2, (640, 480))):
            name = f"{person}_{sequence:03d}"
            place = Path(person, f"{sequence:03d}")
            for number, smile in enumerate(SMILES, start=1):
                picture, landmarks = _scene(index, smile, size)
                image = Image.fromarray(picture)
                if sequence == 1:
                    image = image.convert("L")
                frame = f"{name}_{number:08d}"
                image.save(_made(folder / "cohn-kanade-images" / place / f"{frame}.png"))
                lines = "".join(f"   {x:.7e}   {y:.7e}\n" for x, y in landmarks)
                points = folder / "Landmarks" / place / f"{frame}_landmarks.txt"
                _made(points).write_text(lines)
            (folder / "Emotion" / place).mkdir(parents=True)  # there, if often empty
            if sequence == 1:
                code = 5 if index % 2 == 0 else 7  # happiness, surprise
                for kind in ("Emotion", "FACS"):
                    file = folder / kind / place / f"{frame}_{kind.lower()}.txt"
                    _made(file).write_text(f"   {code:.7e}\n")
        (folder / "cohn-kanade-images" / person / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (folder / "cohn-kanade-images" / place / f"._{frame}.png").write_bytes(b"\0\5\x16\7")
    return folder


def oulu(folder: Path, people: tuple[int, ...] = (1, 2, 51, 52)) -> Path:
    """Oulu-CASIA: the given people, happiness and surprise as drawn, the others likewise."""
    for index, person in enumerate(people):
        for strength, expression in enumerate(
            ("Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise")
        ):
            place = folder / "VL" / "Strong" / f"P{person:03d}" / expression
            for number, smile in enumerate(SMILES[: 3 + strength % 3]):
                picture, _ = _scene(index, smile, (320, 240))
                Image.fromarray(picture).save(_made(place / f"{number:03d}.jpeg"), quality=95)
    (folder / "VL" / "Strong" / "P001" / "Anger" / "Thumbs.db").write_bytes(b"\xd0\xcf")
    return folder


def crema(folder: Path, actors: int = 3) -> Path:
    """CREMA-D: three clips an actor, one neutral; Motion JPEG in AVI under the set's file names.

    OpenCV cannot write Flash video; reading goes by content, not by name.
    """
    votes = []
    for index in range(actors):
        for emotion, level, peak in (("NEU", "XX", 0.0), ("HAP", "HI", 1.0), ("ANG", "XX", 0.75)):
            name = f"{1001 + index}_IEO_{emotion}_{level}"
            frames = [_scene(index, peak * step, (480, 360))[0] for step in (0, 0, 0, 1, 1, 1, 1)]
            _write_clip(_made(folder / "VideoFlash" / f"{name}.flv"), frames)
            votes.append([len(votes) + 1, name, emotion[0], 60, emotion[0], 70, emotion[0], 80])
    _write_csv(
        folder / "processedResults" / "summaryTable.csv",
        ["", "FileName", *(f"{way}{what}" for way in WAYS for what in ("Vote", "Level"))],
        votes,
    )
    _write_csv(
        folder / "VideoDemographics.csv",
        ["ActorID", "Age", "Sex", "Race", "Ethnicity"],
        [[1001 + index, 51, "Male", "Caucasian", "Not Hispanic"] for index in range(actors)],
    )
    return folder


def own(folder: Path, people: int = 3) -> Path:
    """A folder of one's own: mixed endings, and several pictures of one expression."""
    for index in range(people):
        names = (("neutral.png", 0.0), ("happiness.jpg", 1.0), ("happiness-2.PNG", 0.5))
        for name, smile in (*names, ("surprise.jpeg", 0.75)):
            picture, _ = _scene(index, smile, (360, 400))
            Image.fromarray(picture).save(_made(folder / f"person {index}" / name))
    return folder


@cache
def _face(person: int, smile: float) -> np.ndarray:
    return draw_face(FACE, smile=smile, colour=SKINS[person % len(SKINS)], seed=person)


@cache
def _landmarks(smile: float) -> np.ndarray:
    """The 68 landmarks of the drawn face with this smile, in its pixels."""
    return LandmarkDetector().detect(_face(0, smile))[0].landmarks


def _scene(person: int, smile: float, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A drawn face in the middle of a picture of (width, height), and its landmarks in it."""
    width, height = size
    scale = min(width, height) / FACE
    matrix = np.array([[scale, 0, (width - scale * FACE) / 2], [0, scale, 0]])
    picture = cv2.warpAffine(
        _face(person, smile), matrix, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )
    return picture, _landmarks(smile) * scale + matrix[:, 2]


def _write_clip(path: Path, frames: list[np.ndarray]) -> None:
    height, width = frames[0].shape[:2]
    avi = path.with_suffix(".avi")  # OpenCV picks the container by the name
    writer = cv2.VideoWriter(str(avi), cv2.VideoWriter_fourcc(*"MJPG"), 30, (width, height))
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
    avi.rename(path)


def _write_csv(path: Path, head: list, rows: list) -> None:
    with _made(path).open("w", newline="") as table:
        csv.writer(table).writerows([head, *rows])


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
