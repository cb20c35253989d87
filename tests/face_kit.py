"""A 3D face for tests: the detector's own mesh, finer, with some shapes whose effect is known."""

import numpy as np

from g2gan.landmarks import LANDMARKS_68
from g2gan.mesh import INNER_LIPS, LEFT_EYE, OUTER_LIPS, POINTS, SKIN_TRIANGLES
from g2gan.shape import ShapeModel
from train.facekit import FaceKit

UNIT = 6.0  # units of the 3D face to an eye distance
FLIP = np.array([1, -1, -1])
MOVING = ("browInnerUp_L", "eyeBlink_L", "jawOpen", "mouthSmile_L", "mouthSmile_R")
PAIRED = (
    "browDown", "browInnerUp", "browOuterUp", "cheekPuff", "cheekSquint", "eyeBlink", "eyeLookDown",
    "eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide", "mouthDimple", "mouthFrown",
    "mouthLowerDown", "mouthPress", "mouthSmile", "mouthStretch", "mouthUpperUp", "noseSneer",
)  # fmt: skip
SINGLE = (
    "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthFunnel", "mouthLeft",
    "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower",
    "mouthShrugUpper",
)  # fmt: skip
NAMES = (*(f"{name}_{side}" for name in PAIRED for side in "LR"), *SINGLE)
BOX = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
BOX_TRIANGLES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
     [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
)  # fmt: skip


def shapes(mean: np.ndarray) -> np.ndarray:
    """What each of `NAMES` does to the mesh, (53, 478, 3) in eye distances, y down.

    All but those of `MOVING` do nothing.
    """
    moves = np.zeros((len(NAMES), POINTS, 3))
    brow, blink, jaw, left_smile, right_smile = (NAMES.index(name) for name in MOVING)
    x, y = mean[:, 0], mean[:, 1]
    moves[brow, :, 1] = -0.1 * np.exp(-((x - 0.2) ** 2 + (y + 0.25) ** 2) / 0.02)
    lower, upper = list(LEFT_EYE[1:8]), list(LEFT_EYE[:8:-1])
    moves[blink, upper, 1] = mean[lower, 1] - mean[upper, 1]
    below = [*INNER_LIPS[1:10], *OUTER_LIPS[1:10]]
    moves[jaw, below, 1] = 0.4
    for row, corner in ((left_smile, 0.38), (right_smile, -0.38)):
        moves[row, :, 1] = -0.1 * np.exp(-((x - corner) ** 2 + (y - 0.8) ** 2) / 0.03)
    return moves


def face_kit(model: ShapeModel) -> FaceKit:
    """The mesh of a shape model's mean face as a 3D face with a box for each row of teeth."""
    mean = model.mean.double().numpy()
    vertices, triangles = mean[:468], SKIN_TRIANGLES
    deltas = shapes(mean)[:, :468]
    mouth = mean[list(INNER_LIPS)].mean(0)
    boxes = [BOX * [0.5, 0.16, 0.1] + mouth + [-0.25, top, 0.05] for top in (-0.2, -0.15, -0.03)]
    moves = [np.zeros((len(NAMES), 8, 3)) for _ in boxes]
    moves[2][NAMES.index("jawOpen"), :, 1] = 0.4  # the lower teeth go with the jaw
    solids = [BOX_TRIANGLES + 468 + 8 * k for k in range(3)]
    return FaceKit(
        vertices=np.concatenate([vertices, *boxes]) * UNIT * FLIP,
        triangles=np.concatenate([triangles, *solids]),
        deltas=(np.concatenate([deltas, *moves], 1) * UNIT * FLIP).astype(np.float32),
        names=NAMES,
        identities=np.zeros((1, 468 + 24, 3)),
        landmarks=np.array(LANDMARKS_68),
        face=468,
        narrow=468,
        gums=range(468, 476),
        upper=range(476, 484),
        lower=range(484, 492),
    )
