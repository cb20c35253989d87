"""Photographs -> the prepared set that training reads: a shard of crops and meshes, and a manifest.

    python -m train.prepare --data ../shared/data/london --out data/london

Each photo is cut to a frame wide enough for augmentation and its mesh is read several times, from
altered copies, so that training knows how a detector wavers. Only people of the training split are
in it. The set needs no MediaPipe afterwards and travels to a bare machine.
"""

import argparse
import hashlib
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import save_file
from tqdm import tqdm

from g2gan.alignment import Frame, crop, invert, transform
from g2gan.images import open_photo
from g2gan.landmarks import LandmarkDetector
from g2gan.mesh import MIRROR
from train.files import write_json
from train.fit_shape import cross_fitted_neutrals, fit_shape_model
from train.morphs import between, draw_parents, morph_picture
from train.sources import DataError, Pair, london_pairs

STORED = Frame(side=448, eye_distance=0.2, eye_line=0.37)  # 1.25 times the working frame's scale
JPEG_QUALITY = 95
STATES = ("neutral", "smiling")
MORPHS = 216  # people between two others: three times as many as there are
SHARD, MANIFEST, SHAPE_MODEL = "photos.safetensors", "manifest.json", "shape_model"

# Altered copies in which the detector reads a face again: mirrored or not, scale, angle in degrees.
READINGS = ((False, 1.0, 0), (True, 1.0, 0), (False, 0.5, 6), (True, 0.7, -6))


def prepare(pairs: list[Pair], out: Path, licence: str, morphs: int) -> None:
    """Write the prepared set of `pairs` to the folder `out`.

    The shard holds, for each person and state ("neutral", "smiling"), `image` (JPEG bytes of the
    stored frame), `meshes` (readings, 478, 3) and `guesses` (the same shape: what the neutral
    regressor, fitted on other people, says of each reading), in pixels of the stored frame. Morphs
    are people like the others, named after their parents; their guesses lie between the parents'.

    Args:
        pairs: the photographs.
        out: the folder; made if it is missing.
        licence: of the photographs, for the manifest.
        morphs: how many people between two others are added.

    Raises:
        DataError: no face is found in a photo.
        ValueError: there are not that many couples.
    """
    detector = LandmarkDetector()
    meshes, sources = {"neutral": [], "smiling": []}, []
    pictures: dict[str, np.ndarray] = {}  # at twice the stored frame's resolution
    for pair in tqdm(pairs, desc="reading faces", unit="person"):
        for state, path in zip(STATES, (pair.neutral, pair.smiling), strict=True):
            image = open_photo(path).rgb
            readings = read_meshes(detector, image, path)
            matrix = STORED.matrix(readings.mean(0))
            pictures[f"{pair.person}/{state}"] = crop(image, _doubled(matrix), 2 * STORED.side)
            meshes[state].append([transform(matrix, mesh) for mesh in readings])
            sources.append({"file": path.name, "sha256": _digest(path)})
    neutral, smiling = (np.array(meshes[state]) for state in ("neutral", "smiling"))
    guesses = cross_fitted_neutrals(neutral, smiling)
    people = [pair.person for pair in pairs]
    shapes = {
        f"{person}/{state}": np.stack([seen[i], guessed[i]])  # (2, readings, 478, 3)
        for state, seen, guessed in zip(STATES, (neutral, smiling), guesses, strict=True)
        for i, person in enumerate(people)
    }
    couples, enlarge = draw_parents(people, morphs), _doubled(np.eye(2, 3))
    for couple in tqdm(couples, desc="morphing", unit="person"):
        for state in STATES:
            first, second = (f"{person}/{state}" for person in (couple.first, couple.second))
            large = [transform(enlarge, shapes[name][0].mean(0)) for name in (first, second)]
            shapes[f"{couple.name}/{state}"] = between(shapes[first], shapes[second], couple.share)
            pictures[f"{couple.name}/{state}"] = morph_picture(
                pictures[first], large[0], pictures[second], large[1], couple.share
            )
    tensors = {}
    for name, (seen, guessed) in shapes.items():
        stored = cv2.resize(pictures[name], (STORED.side,) * 2, interpolation=cv2.INTER_AREA)
        jpeg = cv2.imencode(".jpg", stored[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
        tensors[f"{name}/image"] = torch.from_numpy(jpeg.ravel())
        tensors[f"{name}/meshes"] = torch.from_numpy(seen.astype(np.float32))
        tensors[f"{name}/guesses"] = torch.from_numpy(guessed.astype(np.float32))

    out.mkdir(parents=True, exist_ok=True)
    fit_shape_model(neutral, smiling).save_pretrained(out / SHAPE_MODEL)
    unfinished = out / f"{SHARD}.part"
    save_file(tensors, unfinished)
    unfinished.replace(out / SHARD)
    manifest = {
        "people": people,
        "morphs": [asdict(couple) for couple in couples],
        "part": "train",
        "licence": licence,
        "sources": sources,
        "shard": {"file": SHARD, "sha256": _digest(out / SHARD)},
    }
    write_json(out / MANIFEST, manifest)


def read_meshes(detector: LandmarkDetector, image: np.ndarray, path: Path) -> np.ndarray:
    """The largest face's mesh as read from every altered copy, (readings, 478, 3)."""
    height, width = image.shape[:2]
    meshes = []
    for mirrored, scale, angle in READINGS:
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
        matrix[:, 2] -= (1 - scale) * np.array([width, height]) / 2
        size = (round(width * scale), round(height * scale))
        copy = cv2.warpAffine(
            image, matrix, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
        )
        faces = detector.detect(np.ascontiguousarray(copy[:, ::-1]) if mirrored else copy)
        if not faces:
            raise DataError(f"no face found in {path}; remove this person from the split")
        mesh = faces[0].mesh
        if mirrored:
            mesh = mesh[MIRROR] * [-1, 1, 1] + [size[0] - 1, 0, 0]
        meshes.append(transform(invert(matrix), mesh))
    return np.stack(meshes)


def _doubled(matrix: np.ndarray) -> np.ndarray:
    """A 2 x 3 matrix into twice as many pixels; their centres, too, lie at integers."""
    return 2 * matrix + [[0, 0, 0.5], [0, 0, 0.5]]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the London set")
    parser.add_argument("--out", type=Path, default=Path("data/london"))
    arguments = parser.parse_args()
    prepare(london_pairs(arguments.data, "train"), arguments.out, "CC BY 4.0", MORPHS)


if __name__ == "__main__":
    main()
