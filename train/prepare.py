"""Photographs -> the prepared set that training reads: a shard of crops and meshes, and a manifest.

    python -m train.prepare --data ../shared/data/london --out data/london

Each photo is cut to a frame wide enough for augmentation and its mesh is read several times, from
altered copies, so that training knows how a detector wavers; with `--landmarker`, by MediaPipe's
newer detector as well, whose mesh lies elsewhere. Only people of the training split are in it. The
set needs no MediaPipe afterwards and travels to a bare machine.
"""

import argparse
import os
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from g2gan.alignment import Frame, crop, invert, transform
from g2gan.images import open_photo
from g2gan.landmarks import LandmarkDetector
from g2gan.mesh import MIRROR
from train.animate import Rig, pose_mesh
from train.animated_set import AnimatedPerson, read_animated, write_animated
from train.command import mistakes_are_said
from train.expressions import CONTROLS, LOOKS, RECIPES, SEVEN
from train.facekit import FaceKit
from train.files import digest, write_json, write_tensors
from train.fit_shape import AnimatedShapes, cross_fitted_neutrals, fit_shape_model
from train.morphs import draw_parents, morph_picture
from train.sources import DataError, Pair, canada_photos, london_pairs

STORED = Frame(side=448, eye_distance=0.2, eye_line=0.37)  # 1.25 times the working frame's scale
JPEG_QUALITY, OF_MORPHS = 95, 90
STATES = ("neutral", "smiling")
MORPHS = 216  # people between two others: three times as many as there are
SHARD, MANIFEST, SHAPE_MODEL = "photos.safetensors", "manifest.json", "shape_model"
RIG, ANIMATED_FOLDER = "rig.safetensors", "animated"

# Altered copies in which a detector reads a face again: mirrored or not, scale, angle in degrees.
READINGS = ((False, 1.0, 0), (True, 1.0, 0), (False, 0.5, 6), (True, 0.7, -6))


def prepare(
    pairs: list[Pair],
    out: Path,
    licence: str,
    morphs: int,
    neutral_only: dict[str, Path] | None = None,
    kit: FaceKit | None = None,
    landmarker: Path | None = None,
    processes: int = 1,
) -> None:
    """Write the prepared set of `pairs` to the folder `out`.

    The shard holds, for each pair and state ("neutral", "smiling"), `image` (JPEG bytes of the
    stored frame), `meshes` (readings, 478, 3) and `guesses` (the same shape: what the neutral
    regressor, fitted on other people, says of each reading), in pixels of the stored frame. Of
    morphs, named after their parents, there are only images: their shapes lie between the parents'.
    With a 3D face model there are its rig, animated photos of everybody but the morphs, and the
    named expressions in the shape model.

    Args:
        pairs: the photographs. A pair after the first of a person counts as one more person, except
            that nobody's guesses come from their own photos.
        out: the folder; made if it is missing. Animated photos that lie there are kept.
        licence: of the photographs, for the manifest.
        morphs: how many people between two others are added.
        neutral_only: people of whom there is only a neutral photo, to be animated.
        kit: the 3D face model.
        landmarker: `face_landmarker.task`, the second detector; its readings follow the first's.
        processes: that animate, one a core.

    Raises:
        DataError: no face is found in a photo.
        ValueError: there are not that many couples.
    """
    detectors = [LandmarkDetector(), *([LandmarkDetector(landmarker)] if landmarker else [])]
    photos = [(p.name, state, getattr(p, state)) for p in pairs for state in STATES]
    photos += [(person, "neutral", path) for person, path in (neutral_only or {}).items()]
    people, expressions = [pair.name for pair in pairs], [pair.expression for pair in pairs]
    seen: dict[str, np.ndarray] = {}  # (readings, 478, 3)
    pictures: dict[str, np.ndarray] = {}  # at twice the stored frame's resolution
    sources = []
    for person, state, path in tqdm(photos, desc="reading faces", unit="photo"):
        image = open_photo(path).rgb
        readings = np.concatenate([read_meshes(detector, image, path) for detector in detectors])
        matrix = STORED.matrix(readings.mean(0))
        pictures[f"{person}/{state}"] = crop(image, _doubled(matrix), 2 * STORED.side)
        seen[f"{person}/{state}"] = np.stack([transform(matrix, mesh) for mesh in readings])
        sources.append({"file": path.name, "sha256": digest(path)})
    out.mkdir(parents=True, exist_ok=True)
    (out / MANIFEST).unlink(missing_ok=True)  # it makes the set whole, and comes last
    neutral, smiling = (np.stack([seen[f"{p}/{state}"] for p in people]) for state in STATES)
    animated = None
    if kit is not None:
        smiles = []
        for pair in pairs:
            if pair.expression != "happiness":
                continue
            names = [f"{pair.name}/{state}" for state in STATES]
            photos = [(_stored(pictures[name]), seen[name].mean(0)) for name in names]
            smiles.append((*photos[0], *photos[1]))
        rig = Rig.build(kit, fit_shape_model(neutral, smiling)).with_smiles(smiles)
        rig.save(out / RIG)
        alone = [name for name in seen if name.endswith("/neutral")]
        write_animated(
            rig,
            [(n.split("/")[0], _stored(pictures[n]), seen[n].mean(0)) for n in alone],
            out / ANIMATED_FOLDER,
            processes,
        )
        animated = animated_shapes(rig, read_animated(out / ANIMATED_FOLDER))
    guesses = cross_fitted_neutrals(neutral, smiling, animated, people)
    guessed = {
        f"{person}/{state}": guess[i]
        for state, guess in zip(STATES, guesses, strict=True)
        for i, person in enumerate(people)
    }
    guessed |= {name: meshes for name, meshes in seen.items() if name not in guessed}
    couples, enlarge = draw_parents(people, morphs), _doubled(np.eye(2, 3))
    for couple in tqdm(couples, desc="morphing", unit="person"):
        for state in STATES:
            first, second = (f"{person}/{state}" for person in (couple.first, couple.second))
            large = [transform(enlarge, seen[name].mean(0)) for name in (first, second)]
            pictures[f"{couple.name}/{state}"] = morph_picture(
                pictures[first], large[0], pictures[second], large[1], couple.share
            )
    tensors = {}
    for name, picture in pictures.items():
        quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY if name in seen else OF_MORPHS]
        jpeg = cv2.imencode(".jpg", _stored(picture)[..., ::-1], quality)[1]
        tensors[f"{name}/image"] = jpeg.ravel()
    for name, meshes in seen.items():
        tensors[f"{name}/meshes"] = meshes.astype(np.float32)
        tensors[f"{name}/guesses"] = guessed[name].astype(np.float32)
    write_tensors(out / SHARD, tensors)
    model = fit_shape_model(neutral, smiling, animated, expressions=expressions)
    model.save_pretrained(out / SHAPE_MODEL)
    manifest = {
        "people": people,
        "neutral_only": list(neutral_only or {}),
        "morphs": [asdict(couple) for couple in couples],
        "animated": list(animated.expressions) if animated else [],
        "part": "train",
        "licence": licence,
        "sources": sources,
        "shard": {"file": SHARD, "sha256": digest(out / SHARD)},
    }
    write_json(out / MANIFEST, manifest)


def _stored(picture: np.ndarray) -> np.ndarray:
    """A picture of twice the stored frame's resolution, brought to it."""
    return cv2.resize(picture, (STORED.side,) * 2, interpolation=cv2.INTER_AREA)


def animated_shapes(rig: Rig, people: dict[str, AnimatedPerson]) -> AnimatedShapes:
    """What the shape model learns from animated photos; names mean the mean over people."""
    head = {
        person: (rig.model.pose(made.neutral).to_head(made.neutral), made.neutral)
        for person, made in people.items()
    }

    def mean(weights: dict[str, float]) -> np.ndarray:
        moved = (pose_mesh(rig, mesh, weights) for _, mesh in head.values())
        moved = [rig.model.pose(mesh).to_head(mesh) for mesh in moved]
        return np.mean(moved, 0) - np.mean([rest for rest, _ in head.values()], 0)

    made = list(people.values())
    return AnimatedShapes(
        people=np.concatenate([[person] * len(m.names) for person, m in people.items()]),
        neutral=np.concatenate([np.repeat(m.neutral[None], len(m.names), 0) for m in made]),
        intended=np.concatenate([m.intended for m in made]),
        detected=np.concatenate([m.detected for m in made]),
        expressions={name: mean(RECIPES[name][0]) for name in SEVEN if name != "happiness"},
        looks={name: mean(weights) for name, weights in LOOKS.items()},
        controls={name: mean(weights) for name, weights in CONTROLS.items()},
    )


def read_meshes(detector: LandmarkDetector, image: np.ndarray, path: Path) -> np.ndarray:
    """The largest face's mesh as a detector reads it in every altered copy, (readings, 478, 3)."""
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


@mistakes_are_said()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the London set")
    parser.add_argument("--canada", type=Path, help="folder of the Canada set, to be animated")
    parser.add_argument("--facekit", type=Path, help="folder of facekit.npz: animates everybody")
    parser.add_argument("--landmarker", type=Path, help="face_landmarker.task: reads them too")
    parser.add_argument("--out", type=Path, default=Path("data/london"))
    arguments = parser.parse_args()
    pairs = london_pairs(arguments.data, "train")
    faces = canada_photos(arguments.canada) if arguments.canada else None
    kit = FaceKit.load(arguments.facekit) if arguments.facekit else None
    made = (arguments.out, "CC BY 4.0", MORPHS, faces, kit, arguments.landmarker)
    prepare(pairs, *made, processes=os.cpu_count())


if __name__ == "__main__":
    main()
