"""Crow's feet: the lines beside the eyes that a smile draws, and that go with it.

Where the cheek's movement ends, beside the eyes, a network says little: few of those that it was
trained on have lines there, and hardly anything moves. So they are taken out by what they are,
fine lines, and the skin's grain stays.
"""

import numpy as np

from g2gan.lips import undone_within
from g2gan.mesh import MIRROR

# Round the skin beside the right eye, from its corner up; `MIRROR` has the left one
BESIDE_EYE = (130, 124, 139, 34, 227, 116, 117, 118, 119, 120, 231, 230, 229, 228, 31, 226)
RIM, SOFT = 5, 3.0  # pixels of the crop: the rim that is left alone, and how softly it fades


def beside_eyes(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Where crow's feet go, and how much of them: (side, side) float32 in [0, 1].

    Args:
        source, target: (478, 3) meshes in crop pixels, before and after.
    """
    rings = [list(BESIDE_EYE), list(MIRROR[list(BESIDE_EYE)])]
    return undone_within(source, target, rings, RIM, SOFT)
