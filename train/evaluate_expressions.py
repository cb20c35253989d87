"""Do seven expressions look like what was asked for? Figures on the London set's test people.

    python -m train.evaluate_expressions checkpoints/g2gan-london --london ../shared/data/london \
        --data data/london --scores face_landmarker.task

There are no photographs of the test people in seven expressions. So their neutral photos are
animated, and two questions are asked of the animated pictures and of the checkpoint's: is the asked
expression the one that MediaPipe's blendshape scores see, and how near does the checkpoint come to
the animated picture? `expressions.json` goes into the checkpoint.
"""

import argparse
import json
import multiprocessing
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from itertools import chain
from pathlib import Path

import cv2
import mediapipe
import numpy as np
import torch
from PIL import Image
from scipy.stats import spearmanr

from g2gan import G2GAN
from g2gan.alignment import WORKING, crop, transform
from g2gan.flow import warp_photo
from g2gan.landmarks import Face
from g2gan.mesh import LEFT_IRIS, RIGHT_IRIS
from train import metrics
from train.animate import Rig, animate, pose_mesh
from train.card import EXPRESSIONS_FILE, weights_digest
from train.command import mistakes_are_said
from train.expressions import CONTROLS, LOOKS, RECIPES, SEVEN
from train.face_api import NAMES, FaceApi
from train.files import write_json
from train.glasses import draw_glasses, rims_moved, wear
from train.prepare import RIG
from train.sources import Pair, london_pairs

# The signed mean of some scores' z-values measures each expression; fixed before anything was seen.
SCORE_SETS: dict[str, list[str]] = json.loads(
    Path(__file__).with_name("score_sets.json").read_text("utf-8")
)
SD_FLOOR = 0.05  # of a score over the neutral photos
INTENSITIES = np.linspace(0, 1.2, 7)
SIDE = 128  # px of the evaluation frame
WORKERS = 2
GAZES = {"look left": (0, 1), "look right": (0, -1), "look up": (1, -1), "look down": (1, 1)}
IRISES = {RIGHT_IRIS: (33, 133), LEFT_IRIS: (362, 263)}  # each with its eye's corners
RIMS_SIDE = 256  # px of the frame in which the rims of glasses are measured
SHEET = 384  # px of a picture on a contact sheet


class Scorer:
    """MediaPipe's 52 blendshape scores of a picture."""

    def __init__(self, model: Path) -> None:
        from mediapipe.tasks.python import BaseOptions, vision

        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=model.read_bytes()),
            output_face_blendshapes=True,
        )
        self._landmarker = vision.FaceLandmarker.create_from_options(options)

    def __call__(self, rgb: np.ndarray) -> dict[str, float]:
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=rgb)
        found = self._landmarker.detect(image).face_blendshapes
        if not found:
            raise ValueError("the scores' detector found no face in a photo or result")
        return {category.category_name: category.score for category in found[0]}


def set_values(scores: dict[str, float]) -> dict[str, float]:
    """Each entry of the score sets for one picture: a score's mean over both sides, or their
    absolute difference ("asym:")."""
    values = {}
    for name in {entry[1:] for entries in SCORE_SETS.values() for entry in entries}:
        if name.startswith("asym:"):
            base = name.removeprefix("asym:")
            values[name] = abs(scores[f"{base}Left"] - scores[f"{base}Right"])
        else:
            sides = [scores[key] for key in (name, f"{name}Left", f"{name}Right") if key in scores]
            values[name] = float(np.mean(sides))
    return values


def own_scores(pictures: list[dict[str, float]], neutral: list[dict[str, float]]) -> np.ndarray:
    """The seven expressions' scores of pictures, (pictures, 7), z over the neutral photos."""
    spread = {
        name: (
            np.mean([each[name] for each in neutral]),
            max(SD_FLOOR, float(np.std([each[name] for each in neutral]))),
        )
        for name in neutral[0]
    }

    def score(values: dict[str, float], entries: list[str]) -> float:
        signs = [1 if entry[0] == "+" else -1 for entry in entries]
        z = [(values[e[1:]] - spread[e[1:]][0]) / spread[e[1:]][1] for e in entries]
        return float(np.mean(np.multiply(signs, z)))

    return np.array([[score(values, SCORE_SETS[name]) for name in SEVEN] for values in pictures])


def evaluate_expressions(
    checkpoint: Path,
    london: Path,
    data: Path,
    model: Path,
    judge: Path | None = None,
    figures: Path | None = None,
) -> dict:
    """Measure a checkpoint's seven expressions on the test people.

    Args:
        checkpoint: folder of the checkpoint.
        london: folder of the London set.
        data: prepared set, for its rig.
        model: `face_landmarker.task`.
        judge: folder of the outside judge, see `train.face_api`; without it, it is not asked.
        figures: folder for one contact sheet a person, for the eye only.
    """
    pairs = london_pairs(london, "test")
    if figures:
        figures.mkdir(parents=True, exist_ok=True)
    shares = [(checkpoint, pairs[i::WORKERS], data, model, judge, figures) for i in range(WORKERS)]
    with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
        people = dict(chain(*(part.items() for part in pool.starmap(_measure_people, shares))))
    records = [people[person] for person in sorted(people)]
    neutral = [record["neutral"] for record in records]
    rest = own_scores(neutral, neutral)
    results: dict = {"weights": weights_digest(checkpoint), "people": len(records)}
    for kind in ("animated", "ours"):
        table = np.stack([own_scores(record[kind], neutral) for record in records])
        own = table[:, range(7), range(7)]
        results[kind] = {
            "rises": _share(own > rest),
            "largest": _share((table - rest[:, None]).argmax(2) == np.arange(7)),
            "table": {
                asked: {
                    seen: int(((table - rest[:, None])[:, k].argmax(1) == j).sum())
                    for j, seen in enumerate(SEVEN)
                }
                for k, asked in enumerate(SEVEN)
            },
        }
    correlations = np.array(
        [
            [
                spearmanr(INTENSITIES, own_scores(strip, neutral)[:, k]).statistic
                for k, strip in enumerate(record["strips"])
            ]
            for record in records
        ]
    )
    results["strips"] = {
        "mean": round(float(correlations.mean()), 3),
        **{name: round(float(v), 3) for name, v in zip(SEVEN, correlations.mean(0), strict=True)},
    }
    results["told"] = _mean([record["told"] for record in records])
    results["landmarks"] = {
        kind: {
            name: round(100 * float(np.mean([r["landmarks"][kind][name] for r in records])), 2)
            for name in SEVEN
        }
        for kind in ("animated", "ours")
    }
    results["gaze"] = round(float(np.mean([r["gaze"] for r in records])), 3)
    results["camera"] = round(float(np.mean([r["camera"] for r in records])), 3)
    results["rims"] = {
        method: dict(
            zip(SEVEN, np.round(np.mean([r["rims"][method] for r in records], 0), 2), strict=True)
        )
        for method in ("ours", "warp")
    }
    if judge:
        results["face_api"] = _outside([record["judged"] for record in records])
    results["blink"] = np.round(np.mean([r["blink"] for r in records], 0), 3).tolist()
    return results


def _mean(told: list[dict]) -> dict:
    """Task → method → figure, of all people and expressions."""
    first = told[0]
    return {
        task: {
            method: {
                figure: round(
                    float(np.mean([t[task][name][method][figure] for t in told for name in SEVEN])),
                    4,
                )
                for figure in ("psnr", "ssim")
            }
            for method in first[task][SEVEN[0]]
        }
        for task in first
    }


def _share(hits: np.ndarray) -> dict[str, float]:
    """Hits (people, 7) as shares: of all and of each expression."""
    return {
        "all": round(float(hits.mean()), 3),
        **{name: round(float(v), 3) for name, v in zip(SEVEN, hits.mean(0), strict=True)},
    }


def _judged(judge: FaceApi, pair: Pair, animated: list[np.ndarray], ours: list[np.ndarray]) -> dict:
    """What the outside judge says of the neutral photo, the smiling one, and the seven each."""
    smiling = np.asarray(Image.open(pair.smiling).convert("RGB"))
    neutral = judge(animated[0])
    said = {"animated": animated[1:], "ours": ours[1:], "photo": [smiling]}
    seen = {kind: [judge(rgb) for rgb in pictures] for kind, pictures in said.items()}
    if neutral is None or None in chain(*seen.values()):
        raise ValueError("the outside judge found no face in a photo or result")
    return {
        "identity": neutral.identity,
        "seen": {
            kind: [max(each.expressions, key=each.expressions.get) for each in judgements]
            for kind, judgements in seen.items()
        },
        "away": {
            kind: [float(np.linalg.norm(each.identity - neutral.identity)) for each in judgements]
            for kind, judgements in seen.items()
        },
    }


def _outside(judged: list[dict]) -> dict:
    """The outside judge's answers of all people: hits, what it took what for, distances."""
    known = [name for name in SEVEN if name in NAMES.values()]
    seen = {k: np.array([j["seen"][k] for j in judged]) for k in ("animated", "ours", "photo")}
    hits = {
        kind: np.stack([seen[kind][:, SEVEN.index(name)] == name for name in known])
        for kind in ("animated", "ours")
    }
    away = {kind: np.mean([j["away"][kind] for j in judged], 0) for kind in ("ours", "photo")}
    people = np.array([j["identity"] for j in judged])
    others = np.linalg.norm(people[:, None] - people[None], axis=-1)[
        np.triu_indices(len(people), 1)
    ]
    return {
        "right": {
            kind: {
                "all": round(float(hit.mean()), 3),
                **{n: round(float(v), 3) for n, v in zip(known, hit.mean(1), strict=True)},
            }
            for kind, hit in hits.items()
        },
        "right_of_smiling_photos": round(float((seen["photo"] == "happiness").mean()), 3),
        "table": {
            name: dict(Counter(seen["ours"][:, k].tolist()).most_common())
            for k, name in enumerate(SEVEN)
        },
        "distance": {
            **{name: round(float(v), 3) for name, v in zip(SEVEN, away["ours"], strict=True)},
            "smiling photo": round(float(away["photo"][0]), 3),
            "another person": round(float(others.mean()), 3),
        },
    }


def _measure_people(
    checkpoint: Path,
    pairs: list[Pair],
    data: Path,
    model: Path,
    judge: Path | None,
    figures: Path | None,
) -> dict[str, dict]:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    pipe = G2GAN.from_pretrained(str(checkpoint))
    rig = Rig.load(data / RIG, pipe.shape_model)
    scorer = Scorer(model)
    with FaceApi(judge) if judge else nullcontext() as outside:
        return {
            pair.person: measure_person(pipe, rig, scorer, outside, pair, figures) for pair in pairs
        }


def measure_person(
    pipe: G2GAN,
    rig: Rig,
    scorer: Scorer,
    judge: FaceApi | None,
    pair: Pair,
    figures: Path | None,
) -> dict:
    """Everything about one person; see `evaluate_expressions`."""
    photo = np.asarray(Image.open(pair.neutral).convert("RGB"))
    face = pipe.detect(photo)[0]

    def scored(rgb: np.ndarray) -> dict[str, float]:
        return set_values(scorer(rgb))

    def put(name: str, **options: float) -> np.ndarray:
        made = pipe.synthesize(photo, name, face=face, from_neutral=True, **options)
        return np.asarray(made.images[0])

    record: dict = {"neutral": scored(photo), "animated": [], "ours": [], "strips": []}
    record |= {"told": {"synthesis": {}, "removal": {}, "removal_honest": {}}}
    record["landmarks"] = {"animated": {}, "ours": {}}
    rows = [[photo], [photo], [photo]]
    for name in SEVEN:
        target = pose_mesh(rig, face.mesh, RECIPES[name][0])
        animated = animate(rig, photo, face.mesh, target, RECIPES[name][0])
        named = put(name)
        record["animated"].append(scored(animated))
        record["ours"].append(scored(named))
        record["strips"].append([scored(put(name, intensity=float(t))) for t in INTENSITIES])
        told = pipe.synthesize(photo, landmarks=target[:, :2], face=face, from_neutral=True)
        told = np.asarray(told.images[0])
        read = _nearest(pipe, animated, face)
        calm = pipe.remove(animated, landmarks=face.mesh[:, :2], face=read)
        honest = np.asarray(pipe.remove(animated, face=read).images[0])
        moved = warp_photo(photo, face.mesh, target)
        back = warp_photo(animated, read.mesh, face.mesh)
        pictures = {
            "synthesis": (animated, {"ours": told, "warp": moved, "copy": photo}, target),
            "removal": (
                photo,
                {"ours": np.asarray(calm.images[0]), "warp": back, "copy": animated},
                read.mesh,
            ),
            "removal_honest": (photo, {"ours": honest, "copy": animated}, read.mesh),
        }
        for task, (truth, made, mesh) in pictures.items():
            record["told"][task][name] = {
                method: _compare(rgb, truth, face.mesh, mesh) for method, rgb in made.items()
            }
        for kind, rgb in (("animated", animated), ("ours", told)):
            seen = _nearest(pipe, rgb, face).mesh[: metrics.FACE_POINTS, :2]
            off = np.linalg.norm(seen - target[: metrics.FACE_POINTS, :2], axis=1).mean()
            record["landmarks"][kind][name] = float(off) / face.eye_distance
        for row, rgb in zip(rows, (animated, named, honest), strict=True):
            row.append(rgb)
    if judge:
        record["judged"] = _judged(judge, pair, *rows[:2])
    record["gaze"] = float(np.mean([_goes(pipe, put(n), face, *way) for n, way in GAZES.items()]))
    record["blink"] = _blinks(pipe, rig, scorer, photo, face)
    record["camera"] = _gaze_left(pipe, rig, photo, face)
    record["rims"] = _rims(pipe, photo, face, int(pair.person))
    if figures:
        matrix = WORKING.matrix(face.mesh) * (SHEET / WORKING.side)
        sheet = [np.hstack([crop(rgb, matrix, SHEET) for rgb in row]) for row in rows]
        Image.fromarray(np.vstack(sheet)).save(figures / f"{pair.person}.png")
    return record


def _nearest(pipe: G2GAN, rgb: np.ndarray, face: Face) -> Face:
    """The face in an edited picture that lies where the original's does."""
    faces = pipe.detect(rgb)
    if not faces:
        raise ValueError("the detector found no face in a result")
    return min(faces, key=lambda each: np.abs(each.mesh - face.mesh).sum())


def _compare(
    made: np.ndarray, truth: np.ndarray, neutral: np.ndarray, expressed: np.ndarray
) -> dict[str, float]:
    """PSNR and SSIM in the face mask; both pictures lie alike already."""
    matrix = metrics.frame_matrix(neutral, SIDE)
    meshes = (transform(matrix, mesh) for mesh in (neutral, expressed))
    mask = metrics.face_mask(*meshes, SIDE)
    pictures = [metrics.to_frame(rgb, neutral, SIDE) for rgb in (made, truth)]
    return {"psnr": metrics.psnr(*pictures, mask), "ssim": metrics.ssim(*pictures, mask)}


def _goes(pipe: G2GAN, rgb: np.ndarray, face: Face, axis: int, sign: int) -> bool:
    """Do both detected irises lie on the asked side of where they were?"""
    seen = _nearest(pipe, rgb, face).mesh
    moved = _iris_offsets(seen) - _iris_offsets(face.mesh)
    return bool((sign * moved[:, axis] > 0).all())


def _blinks(
    pipe: G2GAN, rig: Rig, scorer: Scorer, photo: np.ndarray, face: Face
) -> tuple[float, float, float]:
    """The blink score of the photo, of its eyes closed, and of these opened by `remove`."""
    closed = LOOKS["eyes closed"]
    target = pose_mesh(rig, face.mesh, closed)
    asleep = animate(rig, photo, face.mesh, target, closed)
    seen = _nearest(pipe, asleep, face)
    opened = np.asarray(pipe.remove(asleep, parts=["eyes"], face=seen).images[0])
    found = [scorer(rgb) for rgb in (photo, asleep, opened)]
    return tuple((s["eyeBlinkLeft"] + s["eyeBlinkRight"]) / 2 for s in found)


def _iris_offsets(mesh: np.ndarray) -> np.ndarray:
    """Both irises' centres (2, 2) beside the middle of their eye's corners."""
    return np.array([mesh[i, :2] - mesh[list(c), :2].mean(0) for i, c in IRISES.items()])


def _gaze_left(pipe: G2GAN, rig: Rig, photo: np.ndarray, face: Face) -> float:
    """What is left of a gaze to the side when the eyes are turned back to the camera: a share."""
    away = CONTROLS["look left"]
    target = pose_mesh(rig, face.mesh, away)
    gazing = animate(rig, photo, face.mesh, target, away)
    seen = _nearest(pipe, gazing, face)
    back = np.asarray(pipe.remove(gazing, parts=["eyes"], face=seen).images[0])
    centre = _iris_offsets(_nearest(pipe, photo, face).mesh)
    turned, left = (
        (_iris_offsets(mesh) - centre)[:, 0].mean()
        for mesh in (seen.mesh, _nearest(pipe, back, face).mesh)
    )
    return float(abs(left) / max(abs(turned), 1e-6))


def _rims(pipe: G2GAN, photo: np.ndarray, face: Face, seed: int) -> dict[str, list[float]]:
    """How far each expression moves the rims of drawn glasses, in the frame of `RIMS_SIDE` px."""
    matrix = metrics.frame_matrix(face.mesh, RIMS_SIDE)
    glasses = draw_glasses(np.random.default_rng(seed), pipe.shape_model)
    glasses = replace(glasses, colour=np.full(3, 20.0), glare=0.0)
    before = wear(photo, pipe.shape_model.pose(face.mesh), glasses)
    pose = pipe.shape_model.pose(transform(matrix, face.mesh))
    moved: dict[str, list[float]] = {"ours": [], "warp": []}
    for name in SEVEN:
        edit = pipe.synthesize(before, name, face=face, from_neutral=True)
        warped = warp_photo(before, face.mesh, edit.faces[0].mesh)
        for method, rgb in (("ours", np.asarray(edit.images[0])), ("warp", warped)):
            pair = (metrics.to_frame(each, face.mesh, RIMS_SIDE) for each in (before, rgb))
            moved[method].append(rims_moved(*pair, pose, glasses)[0])
    return moved


@mistakes_are_said()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path, help="folder; expressions.json is written into it")
    parser.add_argument("--london", type=Path, required=True, help="folder of the London set")
    parser.add_argument("--data", type=Path, default=Path("data/london"), help="prepared set")
    parser.add_argument("--scores", type=Path, required=True, help="face_landmarker.task")
    parser.add_argument("--face-api", type=Path, help="folder of the outside judge")
    parser.add_argument("--figures", type=Path, help="folder for contact sheets, for the eye only")
    arguments = parser.parse_args()
    results = evaluate_expressions(
        arguments.checkpoint,
        arguments.london,
        arguments.data,
        arguments.scores,
        arguments.face_api,
        arguments.figures,
    )
    write_json(arguments.checkpoint / EXPRESSIONS_FILE, results)
    print(json.dumps({k: results[k] for k in ("animated", "ours", "told", "strips")}, indent=1))


if __name__ == "__main__":
    main()
