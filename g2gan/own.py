"""What is a face's own, though nothing in the photo tells it: how its teeth stand, how it smiles.

No two people are alike in it, and everybody is like themselves in each frame and each photo. So it
follows what expressions hardly change, the proportions of the skull: as good as random from person
to person, and nearly the same in each reading of one face.
"""

from functools import cache

import numpy as np

# Widths whose ratios to the first tell people apart: between the eyes' outer and inner corners, the
# temples, the cheekbones, the sides of the forehead.
WIDTHS = ((33, 263), (133, 362), (127, 356), (234, 454), (54, 284))
APART = 40.0  # radians for each unit of such a ratio's logarithm, which has a spread of some 0.04


def own_numbers(mesh: np.ndarray, count: int, topic: int) -> np.ndarray:
    """Numbers (count,) in [-1, 1] that are a face's own, whatever its expression.

    Args:
        mesh: (478, 3).
        count: how many.
        topic: what they are for; each topic has numbers of its own.
    """
    ends = np.asarray(mesh, np.float64)[np.array(WIDTHS)]
    widths = np.log(np.linalg.norm(ends[:, 0] - ends[:, 1], axis=-1))
    directions, phases = _waves(count, topic)
    return np.sin(directions @ (widths[1:] - widths[0]) + phases)


@cache
def _waves(count: int, topic: int) -> tuple[np.ndarray, np.ndarray]:
    """In which directions (count, ratios) a number changes with the ratios, and its phase."""
    ratios, random = len(WIDTHS) - 1, np.random.default_rng(topic)
    directions = APART * random.normal(size=(count, ratios)) / np.sqrt(ratios)
    return directions, random.uniform(0, 2 * np.pi, count)
