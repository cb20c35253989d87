"""Lips that come to rest when a smile is taken off.

Stretched lips are smooth; at rest they have fine dark lines, and a darker one where they meet. A
network that is trained on pictures hedges about lines, so they are strengthened here: by how much
was measured on the training people, real lips at rest beside those of removed smiles.
"""

import cv2
import numpy as np

from g2gan.alignment import WORKING
from g2gan.folds import SMILE, movement
from g2gan.mesh import OUTER_LIPS

LINES = 0.8  # of a dark line that is added to it
SHADE = 0.15  # by which what is painted between the lips is darker
WHOLE_SMILE = 0.10  # eye distances that the mouth's corners move back
RIM, SOFT = 3, 1.5  # pixels of the crop: the rim that is left alone, and how softly it fades


def resting(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Where lips come to rest, and how much: (side, side) float32 in [0, 1].

    Args:
        source, target: (478, 3) meshes in crop pixels, before and after.
    """
    return undone_within(source, target, [list(OUTER_LIPS)], RIM, SOFT)


def undone_within(
    source: np.ndarray, target: np.ndarray, rings: list[list[int]], rim: int, soft: float
) -> np.ndarray:
    """The share of a smile that is undone, inside some outlines: (side, side) float32 in [0, 1].

    Args:
        source, target: (478, 3) meshes in crop pixels, before and after.
        rings: points of the mesh round each part, as it is after.
        rim: pixels of the crop that are left alone inside an outline.
        soft: pixels in which the share fades there.
    """
    share = smile_undone(source, target)
    inside = np.zeros((WORKING.side, WORKING.side), np.float32)
    if share > 0:
        for ring in rings:
            outline = np.rint(np.asarray(target)[ring, :2] * 16).astype(np.int32)
            cv2.fillPoly(inside, [outline], 1, shift=4)
        inside = cv2.GaussianBlur(cv2.erode(inside, np.ones((rim, rim))), (0, 0), soft)
    return np.float32(share) * inside


def smile_undone(source: np.ndarray, target: np.ndarray) -> float:
    """The share in [0, 1] of a whole smile that the mouth's corners go back.

    Args:
        source, target: (478, 3) meshes in crop pixels, before and after.
    """
    fold = SMILE["beside the nose"]  # moves with the mouth's corner
    back = -np.mean([movement(fold, source, target, mirrored) for mirrored in (False, True)])
    return float(np.clip(back / WHOLE_SMILE, 0, 1))
