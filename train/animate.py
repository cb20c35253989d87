"""A neutral photo -> the same person with an expression, and the mesh that goes with it.

The 3D model's expression shapes move the detector's mesh; the photo follows as in the generator's
own base flow, so that animated pairs ask of a network exactly what geometry does not give: eyeballs
stay behind moving lids, mouths open on teeth and tongue, skin folds change the light.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from safetensors import safe_open

from g2gan.eyes import put_eyes
from g2gan.flow import warp_photo
from g2gan.mesh import INNER_LIPS, LEFT_EYE, LEFT_IRIS, OUTER_LIPS, RIGHT_EYE, RIGHT_IRIS
from g2gan.mouth import Mouth, put_mouth, whites
from g2gan.shape import ShapeModel
from train.draw_mouth import draw_mouth
from train.expressions import SETTINGS
from train.facekit import FaceKit, carry
from train.files import write_tensors
from train.skin import Skin, bind, folds, learn_smile

LOWER_LIP, UPPER_LIP = INNER_LIPS[1:10], INNER_LIPS[:10:-1]  # twins across the opening
LIDS = tuple((eye[1:8], eye[:8:-1]) for eye in (RIGHT_EYE, LEFT_EYE))  # lower, upper
OUTER_LOWER, OUTER_UPPER = OUTER_LIPS[1:10], OUTER_LIPS[:10:-1]
OF_LIDS = ("eyeBlink", "eyeSquint", "eyeWide", "eyeLookDown", "eyeLookUp")  # scale with the eye
# upper lids, and the crease above each
CREASES = (
    ((246, 161, 160, 159, 158, 157, 173), (247, 30, 29, 27, 28, 56, 190)),
    ((466, 388, 387, 386, 385, 384, 398), (467, 260, 259, 257, 258, 286, 414)),
)
WITH_LID = 0.6  # how far the crease follows its lid
GAZE = ("gazeRight", "gazeDown")  # of the irises, in eye distances: not shapes of the 3D model
SHUT = 0.004  # eye distances between rims that touch
SMILES = ("mouthSmile_R", "mouthSmile_L")
REDDER = (0.9, 1.04, 1.06)  # shade on skin is redder than on paper


@dataclass(frozen=True)
class Rig:
    """What moves a face.

    Args:
        model: gives the head's frame.
        names: of the shapes.
        shapes: (53, 478, 3), what they do to the mesh, in the head's frame.
        mouth: teeth, gums and tongue.
        jaw: (53, 3), how far each shape moves the lower incisors, in eye distances.
        skin: what folds.
    """

    model: ShapeModel
    names: tuple[str, ...]
    shapes: np.ndarray
    mouth: Mouth
    jaw: np.ndarray
    skin: Skin

    @classmethod
    def build(cls, kit: FaceKit, model: ShapeModel) -> "Rig":
        """The rig of a shape model's mean face (some seconds)."""
        mean = model.mean.double().numpy()
        carried = carry(kit, mean)
        for lid, crease in CREASES:  # lashes belong to the lid, not to the skin above it
            lid, crease = list(lid), list(crease)
            carried.shapes[:, crease] += WITH_LID * (
                carried.shapes[:, lid] - carried.shapes[:, crease]
            )
        skin = bind(kit, carried, mean)
        return cls(model, kit.names, carried.shapes, *draw_mouth(kit, carried), skin)

    def with_smiles(
        self, pairs: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]
    ) -> "Rig":
        """The same with folds of smiles as photographed.

        Args:
            pairs: neutral photo (H, W, 3) and its mesh (478, 3), smiling photo and its mesh.
        """
        smile = sum(self.shapes[self.names.index(name)] for name in SMILES)
        heads = [[self.model.pose(mesh).to_head(mesh) for mesh in pair[1::2]] for pair in pairs]
        strengths = [((happy - rest) * smile).sum() / (smile**2).sum() for rest, happy in heads]
        ratio = learn_smile(self.skin, [(*p, s) for p, s in zip(pairs, strengths, strict=True)])
        return replace(self, skin=replace(self.skin, smile=ratio))

    def save(self, path: Path) -> None:
        """Write all but the model to a safetensors file."""
        tensors = {"shapes": self.shapes, "jaw": self.jaw}
        for part in ("mouth", "skin"):
            tensors |= {
                f"{part}.{name}": np.asarray(a) for name, a in vars(getattr(self, part)).items()
            }
        tensors["skin.moves"] = self.skin.moves.astype(np.float16)
        write_tensors(path, tensors, {"names": json.dumps(self.names)})

    @classmethod
    def load(cls, path: Path, model: ShapeModel) -> "Rig":
        """What `save` wrote."""
        with safe_open(path, "np") as file:
            names = tuple(json.loads(file.metadata()["names"]))
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        tensors["skin.moves"] = tensors["skin.moves"].astype(np.float32)
        mouth, skin = (
            {
                key.removeprefix(part): array
                for key, array in tensors.items()
                if key.startswith(part)
            }
            for part in ("mouth.", "skin.")
        )
        mouth["of_chin"] = mouth["of_chin"].item()
        return cls(model, names, tensors["shapes"], Mouth(**mouth), tensors["jaw"], Skin(**skin))

    def amounts(self, weights: dict[str, float]) -> np.ndarray:
        """Weights (53,) of the shapes; a name without _L or _R sets both sides."""
        amounts = np.zeros(len(self.names))
        for name, weight in weights.items():
            sides = [k for k, n in enumerate(self.names) if n in (name, f"{name}_L", f"{name}_R")]
            if not sides and name not in (*GAZE, *SETTINGS):
                raise KeyError(name)
            amounts[sides] += weight
        return amounts


def pose_mesh(rig: Rig, mesh: np.ndarray, weights: dict[str, float]) -> np.ndarray:
    """The neutral mesh (478, 3) with expression shapes at some weights, in its own pose.

    Lids move as far as the person's own eyes are open, and no rim crosses its twin.

    Args:
        mesh: in pixels.
        weights: shape -> weight; "gazeRight" (to the person's left is positive), "gazeDown" move
            the irises by eye distances; "seal" 1 closes the gap between the lips.
    """
    amounts = rig.amounts(weights)
    pose = rig.model.pose(mesh)
    lids = np.array([name.startswith(OF_LIDS) for name in rig.names])
    moved = np.tensordot(amounts * ~lids, rig.shapes, 1)
    of_lids = np.tensordot(amounts * lids, rig.shapes, 1)
    head, mean = pose.to_head(mesh), rig.model.mean.double().numpy()
    left = mean[:, 0] > 0
    for side, (lower, upper) in zip((~left, left), LIDS, strict=True):
        own = (head[list(lower), 1] - head[list(upper), 1]).mean()
        usual = (mean[list(lower), 1] - mean[list(upper), 1]).mean()
        moved[side] += of_lids[side] * np.clip(own / usual, 0.4, 1.6)
    after = head + moved
    look = np.array([weights.get(GAZE[0], 0.0), weights.get(GAZE[1], 0.0), 0.0])
    for iris in (RIGHT_IRIS, LEFT_IRIS):
        after[iris : iris + 5] = head[iris : iris + 5] + look
    _seal(head, after, weights.get("seal", 0.0))
    for lower, upper in LIDS:
        _uncross(head, after, lower, upper, 0.85)  # the upper lid comes down
    _uncross(head, after, LOWER_LIP, UPPER_LIP, 0.5)
    return mesh + pose.displacement(after - head)


def _seal(before: np.ndarray, after: np.ndarray, share: float) -> None:
    """Brings the lips together, to the gap that they had before; the outer rims come half-way."""
    if not share:
        return
    lower, upper = list(LOWER_LIP), list(UPPER_LIP)
    rest = np.maximum(before[lower, 1] - before[upper, 1], SHUT)
    excess = np.clip(after[lower, 1] - after[upper, 1] - rest, 0, None) * share / 2
    after[lower, 1] -= excess
    after[upper, 1] += excess
    after[list(OUTER_LOWER), 1] -= 0.7 * excess
    after[list(OUTER_UPPER), 1] += 0.7 * excess


def _uncross(
    before: np.ndarray, after: np.ndarray, lower: tuple, upper: tuple, of_upper: float
) -> None:
    """Moves rims apart that crossed; `of_upper` of the way is the upper one's."""
    lower, upper = list(lower), list(upper)
    least = np.minimum(SHUT, before[lower, 1] - before[upper, 1])
    crossed = np.clip(after[upper, 1] + least - after[lower, 1], 0, None)
    after[upper, 1] -= of_upper * crossed
    after[lower, 1] += (1 - of_upper) * crossed


def animate(
    rig: Rig, picture: np.ndarray, mesh: np.ndarray, target: np.ndarray, weights: dict[str, float]
) -> np.ndarray:
    """The photo with the expression, uint8 (H, W, 3).

    Args:
        picture: uint8 RGB (H, W, 3), the neutral photo.
        mesh: (478, 3), its mesh in pixels.
        target: what `pose_mesh` gave for it.
        weights: the same as there; they light the folds and move the jaw's teeth.
    """
    return dress(rig, warp_photo(picture, mesh, target), picture, mesh, target, weights)


def dress(
    rig: Rig,
    moved: np.ndarray,
    picture: np.ndarray,
    mesh: np.ndarray,
    target: np.ndarray,
    weights: dict[str, float],
) -> np.ndarray:
    """The moved photo with what moving does not give: eyeballs, the inner mouth, folds' light.

    Args:
        moved: uint8 (H, W, 3), the photo warped from `mesh` to `target`.

    The other arguments are those of `animate`.
    """
    amounts = rig.amounts(weights)
    smiles = tuple(amounts[rig.names.index(name)] for name in SMILES)
    shade = weights.get("shade", 1.0)
    light = folds(rig.skin, target, amounts, shade, smiles, moved.shape[:2])
    out = moved * cv2.merge([cv2.pow(light, power) for power in REDDER])  # 10 times numpy's speed
    put_eyes(out, picture, mesh, target)
    neutral = rig.model.pose(mesh)
    white, drop = whites(picture, mesh), amounts @ rig.jaw
    put_mouth(rig.mouth, out, neutral, mesh, target, drop, white, weights.get("teeth", 0.0))
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)
