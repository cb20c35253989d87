"""How good is a checkpoint? Every figure of the tables, on the London set's test people.

    python -m train.evaluate checkpoints/g2gan-london --london ../shared/data/london

Edits are made through the public pipeline on whole photos and then brought into the evaluation
frame by the source's eyes. *Told* edits are given the target photo's points, *honest* ones know
nothing of the target. Each stands beside the copied input and beside the plain mesh warp: the very
geometry that the pipeline aimed at, without its networks. `results.json` goes into the checkpoint.
"""

import argparse
import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import cv2
import mediapipe
import numpy as np
import torch
from PIL import Image

from g2gan import G2GAN
from g2gan.alignment import WORKING, crop, transform
from g2gan.errors import DetectorError
from g2gan.flow import warp_photo
from g2gan.landmarks import Face
from g2gan.pipeline import G2GANOutput
from train import metrics
from train.card import BASELINES, INFINITE_DB, RESULTS_FILE, TASKS, results_table, weights_digest
from train.command import mistakes_are_said
from train.elsewhere import ALTERATIONS, Alteration
from train.files import write_json
from train.sources import Pair, london_pairs

SIDES = (128, 256)  # px
STRONG_SMILES = 7  # people
WORKERS = 2
DIGITS = 4
SHEET = replace(WORKING, side=640)  # holds the chin; a face in it is about 512 px high

Detector = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Photo:
    """A photograph with its points.

    Args:
        rgb: uint8 (H, W, 3).
        mesh: (478, 2) in pixels, by the detector that every figure uses.
        face: as the pipeline sees it.
    """

    rgb: np.ndarray
    mesh: np.ndarray
    face: Face


@mistakes_are_said()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path, help="folder; results.json is written into it")
    parser.add_argument("--london", type=Path, required=True, help="folder of the London set")
    parser.add_argument("--figures", type=Path, help="folder for contact sheets, for the eye only")
    arguments = parser.parse_args()

    results = evaluate(arguments.checkpoint, arguments.london, arguments.figures)
    write_json(arguments.checkpoint / RESULTS_FILE, results)
    print(results_table(results))


def evaluate(checkpoint: Path, london: Path, figures: Path | None = None) -> dict:
    """Measure a checkpoint on the test people; the same weights give the same results.

    Args:
        checkpoint: folder of the checkpoint.
        london: folder of the London set.
        figures: folder for one contact sheet a person, if any are wanted.

    Raises:
        DetectorError: the installed MediaPipe is not the one that the figures are defined by.
        DataError: the photos are not all there.
    """
    if not hasattr(mediapipe, "solutions"):
        raise DetectorError(
            f"MediaPipe {mediapipe.__version__} has no Face Mesh, by which figures are measured; "
            "install mediapipe==0.10.21 (Python 3.11 or 3.12)"
        )
    pairs = london_pairs(london, "test")
    digest = weights_digest(checkpoint)
    if figures:
        figures.mkdir(parents=True, exist_ok=True)
    shares = [(checkpoint, pairs[i::WORKERS], figures) for i in range(WORKERS)]
    # spawned, not forked: by now libraries have started threads
    with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
        people = dict(chain(*(share.items() for share in pool.starmap(measure_people, shares))))
    return {"weights": digest, **summary(dict(sorted(people.items())))}


def measure_people(checkpoint: Path, pairs: list[Pair], figures: Path | None) -> dict[str, dict]:
    """One worker's share, on one thread: person → record."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    pipe = G2GAN.from_pretrained(str(checkpoint))
    with mediapipe.solutions.face_mesh.FaceMesh(
        static_image_mode=True, refine_landmarks=True
    ) as face_mesh:

        def detect(rgb: np.ndarray) -> np.ndarray:
            faces = face_mesh.process(np.ascontiguousarray(rgb)).multi_face_landmarks
            if not faces:
                raise ValueError("the detector of the figures found no face in a photo or result")
            height, width = rgb.shape[:2]
            return np.array([(point.x * width, point.y * height) for point in faces[0].landmark])

        return {pair.person: measure_person(pipe, detect, pair, figures) for pair in pairs}


def measure_person(pipe: G2GAN, detect: Detector, pair: Pair, figures: Path | None) -> dict:
    """Every figure of one person, and the contact sheet if one is wanted.

    Returns:
        `scores`: task → method → side → figure; `lips`: told task → picture → landmark error;
        `fidelity`: edit → dB; `elsewhere`: alteration → told task → dB; `widening`: the smile's
        strength.
    """

    def opened(path: Path, altered: Alteration = lambda rgb: rgb) -> Photo:
        rgb = altered(np.asarray(Image.open(path).convert("RGB")))
        return Photo(rgb, detect(rgb), pipe.detect(rgb)[0])

    neutral, smiling = opened(pair.neutral), opened(pair.smiling)
    asked, outputs = edit_told(pipe, neutral, smiling)
    outputs["synthesis_honest"] = pipe.synthesize(
        neutral.rgb, "happiness", face=neutral.face, from_neutral=True
    )
    outputs["removal_honest"] = pipe.remove(smiling.rgb, face=smiling.face)

    scores, lips, results = {}, {}, {}
    for task, output in outputs.items():
        synthesis = task.startswith("synthesis")
        source, target = (neutral, smiling) if synthesis else (smiling, neutral)
        results[task] = np.asarray(output.images[0])
        # an output's face has the mesh that was asked for
        warped = warp_photo(source.rgb, source.face.mesh, output.faces[0].mesh)
        methods = {"ours": results[task], "warp": warped, "copy": source.rgb}
        scores[task] = {name: compare(made, source, target) for name, made in methods.items()}
        if task in asked:
            pictures = {"ours": results[task], "warp": warped, "truth": laid_into(target, source)}
            lips[task] = {
                name: metrics.lip_landmark_error(detect(picture), asked[task], source.mesh)
                for name, picture in pictures.items()
            }
    kept = {
        "remove": pipe.remove(neutral.rgb, face=neutral.face),
        "synthesize": pipe.synthesize(neutral.rgb, "happiness", intensity=0, face=neutral.face),
    }
    elsewhere = {
        name: gains_over_warp(pipe, opened(pair.neutral, altered), opened(pair.smiling, altered))
        for name, altered in ALTERATIONS.items()
    }
    if figures:
        Image.fromarray(contact_sheet(neutral, smiling, results)).save(
            figures / f"{pair.person}.png"
        )
    return {
        "scores": scores,
        "lips": lips,
        "fidelity": {
            name: fidelity(np.asarray(output.images[0]), neutral) for name, output in kept.items()
        },
        "elsewhere": elsewhere,
        "widening": widening(neutral.mesh, smiling.mesh),
    }


def edit_told(
    pipe: G2GAN, neutral: Photo, smiling: Photo
) -> tuple[dict[str, np.ndarray], dict[str, G2GANOutput]]:
    """Both edits that are told the other photo's points: task → points asked, task → output."""
    points = metrics.FACE_POINTS
    smile = metrics.carry(smiling.mesh, neutral.mesh)[:points]
    calm = metrics.carry(neutral.mesh, smiling.mesh)[:points]
    outputs = {
        "synthesis_told": pipe.synthesize(
            neutral.rgb, landmarks=smile, face=neutral.face, from_neutral=True
        ),
        "removal_told": pipe.remove(smiling.rgb, landmarks=calm, face=smiling.face),
    }
    return {"synthesis_told": smile, "removal_told": calm}, outputs


def gains_over_warp(pipe: G2GAN, neutral: Photo, smiling: Photo) -> dict[str, float]:
    """Told task → by how much the networks beat the plain mesh warp: face, 128 px, dB."""
    gains, (_, outputs) = {}, edit_told(pipe, neutral, smiling)
    for task, output in outputs.items():
        source, target = (neutral, smiling) if task == "synthesis_told" else (smiling, neutral)
        warped = warp_photo(source.rgb, source.face.mesh, output.faces[0].mesh)
        made = (np.asarray(output.images[0]), warped)
        ours, plain = (compare(x, source, target, SIDES[:1])[str(SIDES[0])] for x in made)
        gains[task] = ours["psnr_face"] - plain["psnr_face"]
    return gains


def compare(
    made: np.ndarray, source: Photo, target: Photo, sides: tuple[int, ...] = SIDES
) -> dict[str, dict[str, float]]:
    """Side → figure: a picture made from the source photo against the target photo."""

    def in_frame(photo: Photo, side: int) -> np.ndarray:
        return transform(metrics.frame_matrix(photo.mesh, side), photo.mesh)

    return {
        str(side): metrics.score(
            metrics.to_frame(made, source.mesh, side),
            metrics.to_frame(target.rgb, target.mesh, side),
            in_frame(source, side),
            in_frame(target, side),
        )
        for side in sides
    }


def laid_into(target: Photo, source: Photo) -> np.ndarray:
    """The target photo in the source photo's place, by the eyes: what a perfect edit would be."""
    height, width = source.rgb.shape[:2]
    matrix = metrics.carry_matrix(target.mesh, source.mesh)
    return cv2.warpAffine(
        target.rgb, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )


def fidelity(edited: np.ndarray, neutral: Photo) -> float:
    """How little an already neutral photo was changed: PSNR in the face mask at 128 px, in dB."""
    side = SIDES[0]
    mesh = transform(metrics.frame_matrix(neutral.mesh, side), neutral.mesh)
    before, after = (metrics.to_frame(rgb, neutral.mesh, side) for rgb in (neutral.rgb, edited))
    # an unchanged face would make the mean over people infinite
    return min(INFINITE_DB, metrics.psnr(after, before, metrics.face_mask(mesh, mesh, side)))


def widening(neutral: np.ndarray, smiling: np.ndarray) -> float:
    """How much a smile widens the mouth, corner to corner, in eye distances.

    The criterion for strong smiles. (A gain of more than 0.7 in MediaPipe's mouthSmile score names
    the same seven test people, but needs its other detector.)
    """
    corners = [metrics.OUTER_LIPS[0], metrics.OUTER_LIPS[10]]
    unit = metrics.EVALUATION.eye_distance
    before, after = (
        np.linalg.norm(np.diff(transform(metrics.frame_matrix(mesh, 1), mesh[corners]), axis=0))
        for mesh in (neutral, smiling)
    )
    return float(after - before) / unit


def contact_sheet(neutral: Photo, smiling: Photo, results: dict[str, np.ndarray]) -> np.ndarray:
    """One row (640, 7 * 640, 3): neutral, smile told, smile named, real smile; the same smile
    again, removed, real neutral."""
    row = [
        (neutral.rgb, neutral),
        (results["synthesis_told"], neutral),
        (results["synthesis_honest"], neutral),
        (smiling.rgb, smiling),
        (smiling.rgb, smiling),
        (results["removal_honest"], smiling),
        (neutral.rgb, neutral),
    ]
    return np.hstack([crop(rgb, SHEET.matrix(photo.mesh), SHEET.side) for rgb, photo in row])


def summary(people: dict[str, dict]) -> dict:
    """Means and paired differences over people.

    Args:
        people: person → record of `measure_person`.
    """
    strongest = sorted(people, key=lambda person: -people[person]["widening"])[:STRONG_SMILES]
    groups = {"all": sorted(people), "strong": sorted(strongest)}
    scores = {
        group: [people[person]["scores"] for person in members] for group, members in groups.items()
    }
    return {
        "groups": groups,
        "means": {group: over_people(records, np.mean) for group, records in scores.items()},
        "differences": {  # ours minus a baseline's: mean, 95% interval
            group: {
                task: {
                    baseline: over_people(
                        [minus(record[task]["ours"], record[task][baseline]) for record in records],
                        metrics.bootstrap_interval,
                    )
                    for baseline in BASELINES
                }
                for task in TASKS
            }
            for group, records in scores.items()
        },
        "lips": over_people([record["lips"] for record in people.values()], np.mean),
        "elsewhere": over_people([record["elsewhere"] for record in people.values()], np.mean),
        "fidelity": over_people([record["fidelity"] for record in people.values()], np.mean),
        "per_person": {  # for paired differences between two checkpoints
            person: {
                task: over_people([methods["ours"][str(SIDES[0])]], np.mean)
                for task, methods in record["scores"].items()
            }
            for person, record in people.items()
        },
    }


def over_people(records: list, statistic: Callable) -> dict | float | list[float]:
    """A statistic of each leaf of equal trees of dicts, one tree a person."""
    if isinstance(records[0], dict):
        return {
            key: over_people([record[key] for record in records], statistic) for key in records[0]
        }
    return np.round(statistic(records), DIGITS).tolist()


def minus(tree: dict | float, other: dict | float) -> dict | float:
    """Leaf by leaf."""
    if isinstance(tree, dict):
        return {key: minus(tree[key], other[key]) for key in tree}
    return tree - other


if __name__ == "__main__":
    main()
