"""The prepared set -> batches: seeded, augmented, found again after a stop by their number alone.

A sample asks for a shape and shows what the face looks like in it. The two photos of a pair differ
in exposure, which nobody can know: the target photo is brought to the source's.
"""

import json
from itertools import product
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from safetensors.torch import load_file

from g2gan.alignment import WORKING, crop, invert, transform
from g2gan.flow import base_flow, gates
from g2gan.landmarks import LANDMARKS_68
from g2gan.mesh import FACE_OVAL, LEFT_EYE, MIRROR, OUTER_LIPS, RIGHT_EYE
from g2gan.shape import PARTS, Pose, ShapeModel
from train.animate import Rig, dress, pose_mesh
from train.animated_set import read_animated
from train.augment import draw_backdrop, draw_jitter, draw_look, draw_turn
from train.config import Direction
from train.expressions import draw, of_parts
from train.files import digest
from train.glasses import draw_glasses, wear
from train.morphs import Parents, between
from train.origins import ANIMATED, ORIGINS, origins
from train.pack import unpacked
from train.prepare import ANIMATED_FOLDER, MANIFEST, READINGS, RIG, SHAPE_MODEL, SHARD, STATES

# How often each kind of shape is asked for. "told": the target photo's own, head pose included.
# "rigid": its expression on the source's head, at a varying gain. "guessed": what the shape
# model guesses, as in use, while the true neutral is shown, in its own pose: nobody can foretell
# that, but where something may lie is learned. "rest": a neutral face in, its guessed neutral asked
# for, and the face as it is shown.
KINDS = {
    "synthesis": {"told": 0.5, "rigid": 0.5},
    "removal": {"told": 0.2, "guessed": 0.7, "rest": 0.1},
}
GAIN = (0.75, 1.15)
MOVED = 0.3  # share of samples that show animated pictures, where the set has a rig
READ = 0.4  # share of these that are taken from disk, with the mesh as a detector reads it
GUESSED = 0.5  # share of animated removals whose neutral shape is guessed
PARTIAL = 0.3  # share of pairs animated while training whose neutral photo keeps some parts' look
# Share of samples that wear glasses: of pairs, of animated ones, whose rims bend most.
GLASSES, GLASSES_ANIMATED = 0.15, 0.6
MORPHED = 0.7  # share of samples that show morphs
# Loss weights: outside the face, and what mouth and eyes add to 1. Real pairs' eyes look elsewhere.
OUTSIDE, MOUTH, EYES = 0.15, 3.0, 2.0


class Batch(NamedTuple):
    """Crops of side S of one direction; float32 where nothing else is said."""

    source: torch.Tensor  # (B, 3, S, S) in [0, 1]
    target: torch.Tensor  # (B, 3, S, S) in [0, 1]
    base_flow: torch.Tensor  # (B, 2, S, S), source to asked shape
    gates: torch.Tensor  # (B, 2, S, S), where the asked shape may be painted, detail changed
    weight: torch.Tensor  # (B, 1, S, S), of the reconstruction losses
    source_landmarks: torch.Tensor  # (B, 68, 2)
    target_landmarks: torch.Tensor  # (B, 68, 2), the asked ones
    origin: torch.Tensor  # (B,) int64, how the pair came about: which of `ORIGINS`
    back_flow: torch.Tensor | None = None  # (B, 2, S, S), asked shape to source: for the cycle loss
    back_gates: torch.Tensor | None = None  # (B, 2, S, S), the source shape's

    def warp_inputs(self) -> tuple[torch.Tensor, ...]:
        """The arguments of `WarpGenerator.forward`, in its order."""
        return (
            self.source,
            self.base_flow,
            self.gates,
            self.source_landmarks,
            self.target_landmarks,
        )

    def back(self, edited: torch.Tensor) -> "Batch":
        """The way back from `edited` (B, 3, S, S) to the source, for the cycle loss."""
        return self._replace(
            source=edited,
            target=self.source,
            base_flow=self.back_flow,
            back_flow=self.base_flow,
            gates=self.back_gates,
            back_gates=self.gates,
            source_landmarks=self.target_landmarks,
            target_landmarks=self.source_landmarks,
        )


class PreparedSet:
    """What `train.prepare` wrote, or `train.pack` packed, in memory.

    Raises:
        DataError: the folder is not a prepared set.
    """

    def __init__(self, data: str | Path) -> None:
        with unpacked(Path(data)) as folder:
            self._read(folder)

    def _read(self, folder: Path) -> None:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        self.digest = digest(folder / MANIFEST)
        self.people: list[str] = manifest["people"]
        self.neutral_only: list[str] = manifest["neutral_only"]
        couples = [Parents(**couple) for couple in manifest["morphs"]]
        self.morphs = [couple.name for couple in couples]
        self.shape_model = ShapeModel.from_pretrained(folder / SHAPE_MODEL)
        self.rig = Rig.load(folder / RIG, self.shape_model) if (folder / RIG).is_file() else None
        self.animated = read_animated(folder / ANIMATED_FOLDER)
        self.origins = origins(folder)
        tensors = load_file(folder / SHARD)
        self.images = {
            name.removesuffix("/image"): cv2.imdecode(data.numpy(), cv2.IMREAD_COLOR)[..., ::-1]
            for name, data in tensors.items()
            if name.endswith("/image")
        }
        self.meshes, self.guesses = (
            {
                name.removesuffix(end): data.double().numpy()
                for name, data in tensors.items()
                if name.endswith(end)
            }
            for end in ("/meshes", "/guesses")
        )
        for couple, state, shapes in product(couples, STATES, (self.meshes, self.guesses)):
            first, second = (shapes[f"{p}/{state}"] for p in (couple.first, couple.second))
            shapes[f"{couple.name}/{state}"] = between(first, second, couple.share)
        self.colours = {
            name: _face_colour(image, self.meshes[name].mean(0))
            for name, image in self.images.items()
        }


def _face_colour(image: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """The median colour (3,) of the face in an RGB photo (H, W, 3)."""
    inside = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(inside, [np.rint(mesh[list(FACE_OVAL), :2]).astype(np.int32)], 1)
    return np.median(image[inside > 0], axis=0).astype(np.float32)


def batch_at(
    data: PreparedSet,
    direction: Direction,
    seed: int,
    step: int,
    size: int,
    cycle: bool = False,
    part: slice = slice(None),
) -> Batch:
    """Batch number `step` of a run: the same whenever it is asked for.

    Everyone in turn, in a new order each time round; a morph stands in for some of them.

    Args:
        size: number of samples.
        cycle: fill `back_flow` and `back_gates` too.
        part: which of them to make; one process' share.
    """
    samples = []
    for place in range(step * size, (step + 1) * size)[part]:
        lap, index = divmod(place, len(data.people))
        order = np.random.default_rng((seed, lap)).permutation(len(data.people))
        rng = np.random.default_rng((seed, 1 + step, place, direction == "removal"))
        person = data.people[order[index]]
        if data.morphs and rng.random() < MORPHED:
            person = data.morphs[rng.integers(len(data.morphs))]
        if data.rig is not None and rng.random() < MOVED:
            if data.neutral_only and rng.random() < _share_of_neutral(data):
                person = data.neutral_only[rng.integers(len(data.neutral_only))]
            samples.append(_animated_sample(data, person, direction, rng, cycle))
        else:
            samples.append(_sample(data, person, direction, rng, cycle))
    return Batch(*(_stacked(arrays) for arrays in zip(*samples, strict=True)))


def _stacked(arrays: tuple[np.ndarray, ...]) -> torch.Tensor:
    together = np.stack(arrays)
    kind = together.dtype if together.dtype == np.int64 else np.float32
    return torch.from_numpy(together.astype(kind, "C"))


def _sample(
    data: PreparedSet, person: str, direction: Direction, rng: np.random.Generator, cycle: bool
) -> tuple[np.ndarray, ...]:
    """One sample's arrays in the order of `Batch`, channels first."""
    kinds = KINDS[direction]
    kind = rng.choice(list(kinds), p=list(kinds.values()))
    before, after = ("neutral", "smiling") if direction == "synthesis" else ("smiling", "neutral")
    before = "neutral" if kind == "rest" else before
    before, after = f"{person}/{before}", f"{person}/{after}"
    reading = rng.integers(len(data.meshes[before]))
    seen = data.meshes[before][reading]
    truly = data.meshes[after][_reading_beside(reading, rng)]

    turn, about = draw_turn(rng), seen.mean(0)
    source, target, guess = (
        turn(mesh, about) for mesh in (seen, truly, data.guesses[before][reading])
    )
    jitter = draw_jitter(rng)
    to_source = _compose(jitter, WORKING.matrix(source))
    to_target = _compose(jitter, WORKING.matrix(target))
    shown = asked = transform(to_target, target)
    if kind == "guessed":
        asked = transform(to_source, guess)
    elif kind == "rest":
        after, truly, to_target = before, seen, to_source
        shown = transform(to_source, source)
        asked = transform(to_source, guess)
    elif kind == "rigid":
        pose = data.shape_model.pose(source)
        moved = data.shape_model.pose(target).to_head(target) - pose.to_head(source)
        moved = rng.uniform(*GAIN) * pose.displacement(moved)
        shown = asked = transform(to_source, source + moved)
    source = transform(to_source, source)

    picture = turned_crop(data.images[before], to_source, transform(to_source, seen), source)
    truth = warped_crop(data.images[after], to_target, transform(to_target, truly), shown)
    exposed = truth * (data.colours[before] / data.colours[after])
    truth = np.clip(np.rint(exposed), 0, 255).astype(np.uint8)
    pose = data.shape_model.pose(source)
    other = data.shape_model.pose(shown) if kind in ("told", "guessed") else pose
    picture, truth = _with_glasses(data, rng, GLASSES, [(picture, pose), (truth, other)])
    backed = draw_backdrop(rng)  # the same for both photos of a pair, as is the look
    picture, truth = backed(picture, source), backed(truth, shown)
    look = draw_look(rng)
    origin = data.origins[after]
    return _arrays(look(picture), look(truth), source, asked, _weights(asked), origin, rng, cycle)


def _reading_beside(reading: int, rng: np.random.Generator) -> int:
    """Any reading by the detector of this one: what leads from one mesh to another is movement,
    not the difference between two detectors."""
    return reading - reading % len(READINGS) + int(rng.integers(len(READINGS)))


def _share_of_neutral(data: PreparedSet) -> float:
    """How many of all photographed people there is only a neutral photo of."""
    return len(data.neutral_only) / (len(data.neutral_only) + len(data.people))


def _animated_sample(
    data: PreparedSet, person: str, direction: Direction, rng: np.random.Generator, cycle: bool
) -> tuple[np.ndarray, ...]:
    """A sample whose expressed photo is made from the neutral one."""
    changed = None  # how far each point takes part; None for the whole face
    if rng.random() < READ and data.animated:
        neutral, animated, rest, expressed = _read_sample(data, direction, rng)
    else:
        weights = draw(rng)[1]
        kept = rng.permutation(list(PARTS))[: rng.integers(1, len(PARTS))]
        at_rest = of_parts(weights, kept) if rng.random() < PARTIAL else None
        if at_rest is not None:
            changed = data.shape_model.part_share(set(PARTS) - set(kept))
        neutral, animated, rest, expressed = _made_sample(
            data, person, direction, rng, weights, at_rest
        )
    pose = data.shape_model.pose(rest)
    photos = [(neutral, pose), (animated, pose)]
    neutral, animated = _with_glasses(data, rng, GLASSES_ANIMATED, photos)
    backed = draw_backdrop(rng)
    neutral, animated = backed(neutral, rest), backed(animated, expressed)
    look = draw_look(rng)
    if direction == "synthesis":
        shown, source, truth, asked = neutral, rest, animated, expressed
    else:
        shown, source, truth, asked = animated, expressed, neutral, rest
        if rng.random() < GUESSED:
            asked = data.shape_model.neutral(source)
            if changed is not None:
                asked = source + changed[:, None] * (asked - source)
    weights = _weights(asked, EYES)
    return _arrays(look(shown), look(truth), source, asked, weights, ANIMATED, rng, cycle)


def _made_sample(
    data: PreparedSet,
    person: str,
    direction: Direction,
    rng: np.random.Generator,
    weights: dict[str, float],
    at_rest: dict[str, float] | None,
) -> tuple[np.ndarray, ...]:
    """Neutral and animated crop and both meshes, made now.

    Args:
        weights: of the expressed face.
        at_rest: of the neutral one, where it is to keep an expression.
    """
    state = f"{person}/neutral"
    seen = data.meshes[state][rng.integers(len(data.meshes[state]))]
    mesh = draw_turn(rng)(seen, seen.mean(0))
    rest = mesh if at_rest is None else pose_mesh(data.rig, mesh, at_rest)
    expressed = pose_mesh(data.rig, mesh, weights)
    to_crop = _compose(
        draw_jitter(rng), WORKING.matrix(rest if direction == "synthesis" else expressed)
    )
    seen, mesh, rest, expressed = (
        transform(to_crop, each) for each in (seen, mesh, rest, expressed)
    )
    photo = turned_crop(data.images[state], to_crop, seen, mesh)

    def dressed(shown: np.ndarray, blend: dict[str, float]) -> np.ndarray:
        moved = warped_crop(data.images[state], to_crop, seen, shown)
        return dress(data.rig, moved, photo, mesh, shown, blend)

    neutral = photo if at_rest is None else dressed(rest, at_rest)
    return neutral, dressed(expressed, weights), rest, expressed


def _with_glasses(
    data: PreparedSet,
    rng: np.random.Generator,
    share: float,
    photos: list[tuple[np.ndarray, Pose]],
) -> list[np.ndarray]:
    """Some crops of a face, each with its pose, a share of them with the same glasses on."""
    if rng.random() >= share:
        return [picture for picture, _ in photos]
    glasses = draw_glasses(rng, data.shape_model)
    return [wear(picture, pose, glasses) for picture, pose in photos]


def _read_sample(
    data: PreparedSet, direction: Direction, rng: np.random.Generator
) -> tuple[np.ndarray, ...]:
    """Neutral and animated crop and both meshes, from pictures on disk."""
    names = list(data.animated)
    person = names[rng.integers(len(names))]
    made = data.animated[person]
    number = rng.integers(len(made.names))
    state = f"{person}/neutral"
    seen = (
        data.meshes[state][_reading_beside(0, rng)],  # by the detector of the animated ones
        made.detected[number],
    )
    turn = draw_turn(rng)
    rest, expressed = (turn(mesh, seen[0].mean(0)) for mesh in seen)
    to_crop = _compose(
        draw_jitter(rng), WORKING.matrix(rest if direction == "synthesis" else expressed)
    )
    picture = cv2.imdecode(made.images[number], cv2.IMREAD_COLOR)[..., ::-1]
    turned = [transform(to_crop, mesh) for mesh in (rest, expressed)]
    crops = (
        turned_crop(image, to_crop, transform(to_crop, mesh), now)
        for image, mesh, now in zip((data.images[state], picture), seen, turned, strict=True)
    )
    return *crops, *turned


def _arrays(
    picture: np.ndarray,
    truth: np.ndarray,
    source: np.ndarray,
    asked: np.ndarray,
    weights: np.ndarray,
    origin: str,
    rng: np.random.Generator,
    cycle: bool,
) -> tuple[np.ndarray, ...]:
    """A sample in the order of `Batch`, half of the time mirrored."""
    if rng.random() < 0.5:
        picture, truth, weights = (each[:, ::-1] for each in (picture, truth, weights))
        source, asked = _mirrored(source), _mirrored(asked)
    landmarks = list(LANDMARKS_68)
    arrays = (
        picture.transpose(2, 0, 1),
        truth.transpose(2, 0, 1),
        base_flow(source, asked, margin=0).transpose(2, 0, 1),
        gates(asked),
        weights[None],
        source[landmarks, :2],
        asked[landmarks, :2],
        np.int64(ORIGINS.index(origin)),
    )
    if cycle:
        arrays += (base_flow(asked, source, margin=0).transpose(2, 0, 1), gates(source))
    return arrays


def _compose(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The 2 x 3 matrix that does `first`, then `second`."""
    return second @ np.vstack([first, [0, 0, 1]])


def turned_crop(
    image: np.ndarray, matrix: np.ndarray, mesh: np.ndarray, turned: np.ndarray
) -> np.ndarray:
    """The stored photo in the crop, its head turned from `mesh` to `turned` (both in the crop)."""
    if np.array_equal(mesh, turned):
        return crop(image, matrix, WORKING.side)
    return warped_crop(image, matrix, mesh, turned)


def warped_crop(
    image: np.ndarray, matrix: np.ndarray, mesh: np.ndarray, shown: np.ndarray
) -> np.ndarray:
    """The stored photo in the crop, moved from its `mesh` to the one `shown`, resampled once."""
    side = WORKING.side
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    where = np.stack([columns, rows], -1) + base_flow(mesh, shown, margin=0)
    back = invert(matrix).astype(np.float32)
    where = where @ back[:, :2].T + back[:, 2]
    return cv2.remap(image, where, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def _mirrored(mesh: np.ndarray) -> np.ndarray:
    return mesh[MIRROR] * [-1, 1, 1] + [WORKING.side - 1, 0, 0]


def _weights(mesh: np.ndarray, eyes: float = 0.0) -> np.ndarray:
    """Loss weights (S, S): the face counts, the mouth most, what surrounds it little.

    `eyes` is what they add to 1.
    """
    canvas = np.zeros((3, WORKING.side, WORKING.side), np.uint8)
    rings = ((FACE_OVAL,), (OUTER_LIPS,), (RIGHT_EYE, LEFT_EYE))
    for layer, outlines in zip(canvas, rings, strict=True):
        for ring in outlines:
            cv2.fillPoly(layer, [np.rint(mesh[list(ring), :2]).astype(np.int32)], 255)
    wide = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (21, 21))
    face, mouth, eye = (
        cv2.GaussianBlur(x, (0, 0), 5).astype(np.float32) / 255
        for x in (canvas[0], cv2.dilate(canvas[1], wide), cv2.dilate(canvas[2], wide))
    )
    return OUTSIDE + (1 - OUTSIDE) * face + MOUTH * mouth + eyes * eye
