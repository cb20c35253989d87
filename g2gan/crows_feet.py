"""Crow's feet: the lines beside the eyes that a smile draws, and that go with it.

Where the cheek's movement ends, beside the eyes, a network says little: few of those that it was
trained on have lines there, and hardly anything moves. So they are taken out by what they are,
fine lines, and the skin's grain stays.
"""

import cv2
import numpy as np

from g2gan.alignment import WORKING
from g2gan.lips import smile_undone
from g2gan.mesh import MIRROR

# Round the skin beside the right eye, from its corner up; `MIRROR` has the left one
BESIDE_EYE = (130, 124, 139, 34, 227, 116, 117, 118, 119, 120, 231, 230, 229, 228, 31, 226)
RIM, SOFT = 5, 3.0  # pixels of the crop: the rim that is left alone, and how softly it fades


def beside_eyes(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Where crow's feet go, and how much of them: (side, side) float32 in [0, 1].

    Args:
        source, target: (478, 3) meshes in crop pixels, before and after.
    """
    share = smile_undone(source, target)
    skin = np.zeros((WORKING.side, WORKING.side), np.float32)
    if share > 0:
        for ring in (list(BESIDE_EYE), MIRROR[list(BESIDE_EYE)]):
            outline = np.rint(np.asarray(target)[ring, :2] * 16).astype(np.int32)
            cv2.fillPoly(skin, [outline], share, shift=4)
        skin = cv2.GaussianBlur(cv2.erode(skin, np.ones((RIM, RIM))), (0, 0), SOFT)
    return skin
