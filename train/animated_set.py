"""Animated photographs on disk: what was asked for, and what the detector sees of it.

A detector reports less than what an expression moves. Networks and shape model are to know both
the intended mesh and the one that a user's photo would give, so every picture is read again. One
file a person; what is there already is kept, and the same seed gives the same bytes.
"""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from safetensors import safe_open
from tqdm import tqdm

from g2gan.landmarks import LandmarkDetector
from train.animate import Rig, animate, pose_mesh
from train.expressions import RECIPES, SEVEN, draw, scaled
from train.files import write_tensors

GAINS = (0.4, 0.7, 1.0)  # of each of the seven
FREE = 10  # random blends a person: with 109 people more than 1,000
JPEG_QUALITY = 92


@dataclass(frozen=True)
class AnimatedPerson:
    """One person's animated photos, in the frame of the photo they were made from.

    Args:
        names: of the expressions, "free" for none.
        weights: the blends.
        images: JPEG bytes of each.
        intended, detected: (N, 478, 3), in pixels.
        neutral: (478, 3), the mesh before.
    """

    names: list[str]
    weights: list[dict[str, float]]
    images: list[np.ndarray]
    intended: np.ndarray
    detected: np.ndarray
    neutral: np.ndarray


def animate_person(
    rig: Rig, picture: np.ndarray, mesh: np.ndarray, detector: LandmarkDetector, seed: int
) -> AnimatedPerson:
    """Every one of the seven at three gains, in varying variants, and free blends.

    Pictures in which no face is found again are left out.

    Args:
        picture: uint8 RGB (H, W, 3), neutral.
        mesh: (478, 3) in its pixels.
    """
    rng = np.random.default_rng(seed)
    asked = []
    for name in SEVEN:
        variants = RECIPES[name]
        asked += [(name, scaled(variants[rng.integers(len(variants))], g)) for g in GAINS]
    asked += [draw(rng) for _ in range(FREE)]
    kept, images, intended, detected = [], [], [], []
    for name, weights in asked:
        target = pose_mesh(rig, mesh, weights)
        image = animate(rig, picture, mesh, target, weights)
        faces = detector.detect(image)
        if faces:
            jpeg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            images.append(jpeg[1].ravel())
            kept.append((name, weights))
            intended.append(target)
            detected.append(faces[0].mesh)
    names, blends = (list(each) for each in zip(*kept, strict=True))
    return AnimatedPerson(names, blends, images, np.stack(intended), np.stack(detected), mesh)


def write_animated(
    rig: Rig, people: Sequence[tuple[str, np.ndarray, np.ndarray]], folder: Path, processes: int = 1
) -> None:
    """One file for each (person, picture, mesh) that has none yet; the same by many processes."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{person}.safetensors" for person, *_ in people]
    missing = [
        (path, picture, mesh, seed)
        for seed, (path, (_, picture, mesh)) in enumerate(zip(paths, people, strict=True))
        if not path.is_file()
    ]
    bar = {"desc": "animating", "unit": "person", "initial": len(people) - len(missing)}
    with tqdm(total=len(people), **bar) as done, ExitStack() as stack:
        spread = map
        if processes > 1 and missing:
            pool = get_context("spawn").Pool(processes, cv2.setNumThreads, (1,))
            spread = stack.enter_context(pool).imap
        for _ in spread(partial(_write_person, rig), missing):
            done.update()


def _write_person(rig: Rig, job: tuple[Path, np.ndarray, np.ndarray, int]) -> None:
    path, picture, mesh, seed = job
    made = animate_person(rig, picture, mesh, _detector(), seed)
    tensors = {f"image/{k}": image for k, image in enumerate(made.images)}
    tensors |= {"intended": made.intended, "detected": made.detected, "neutral": made.neutral}
    told = {"names": json.dumps(made.names), "weights": json.dumps(made.weights)}
    write_tensors(path, tensors, told)


@cache
def _detector() -> LandmarkDetector:
    """One a process: it takes a while to start."""
    return LandmarkDetector()


def animated_names(folder: Path) -> dict[str, list[str]]:
    """The expression of each animated photo, by person."""
    names = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "np") as file:
            names[path.stem] = json.loads(file.metadata()["names"])
    return names


def read_animated(folder: Path) -> dict[str, AnimatedPerson]:
    """What `write_animated` wrote, by person."""
    people = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "np") as file:
            names, weights = (json.loads(file.metadata()[key]) for key in ("names", "weights"))
            images = [file.get_tensor(f"image/{k}") for k in range(len(names))]
            arrays = (file.get_tensor(key) for key in ("intended", "detected", "neutral"))
            people[path.stem] = AnimatedPerson(names, weights, images, *arrays)
    return people
