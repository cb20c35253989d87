"""People who do not exist: pairs of photographs between those of two people, for training.

A morph's neutral and smiling shapes lie between its parents' shapes, and so does its skin; hair and
surroundings are the first parent's. Both photos are made alike, so that a morph's smile is as real
as its parents'. A morph belongs to the split of both its parents.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from g2gan.flow import warp_photo
from g2gan.mesh import FACE_OVAL

SHARE = (0.25, 0.75)  # of the second parent
SOFT = 0.12  # eye distances over which the second parent's skin fades at the oval


@dataclass(frozen=True)
class Parents:
    """Whose pictures make a morph.

    Args:
        first, second: people; hair and surroundings are the first one's.
        share: the second one's in shape and skin, in [0, 1].
    """

    first: str
    second: str
    share: float

    @property
    def name(self) -> str:
        """The morph's name in the prepared set."""
        return f"{self.first}+{self.second}"


def draw_parents(people: list[str], count: int, seed: int = 0) -> list[Parents]:
    """`count` different couples, everyone first in turn.

    Raises:
        ValueError: there are not that many couples.
    """
    if count > len(people) * (len(people) - 1):
        raise ValueError(f"{len(people)} people make fewer than {count} couples")
    rng = np.random.default_rng(seed)
    drawn: dict[str, Parents] = {}
    while len(drawn) < count:
        first = people[len(drawn) % len(people)]
        second = people[rng.integers(len(people))]
        morph = Parents(first, second, float(rng.uniform(*SHARE)))
        if first != second and morph.name not in drawn:
            drawn[morph.name] = morph
    return list(drawn.values())


def between(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """`(1 - share) first + share second`, for shapes of one frame."""
    return (1 - share) * first + share * second


def morph_picture(
    first: np.ndarray,
    first_mesh: np.ndarray,
    second: np.ndarray,
    second_mesh: np.ndarray,
    share: float,
) -> np.ndarray:
    """The picture between two of one frame, uint8 (H, W, 3).

    The second one takes on the first one's mean colour, so that no rim shows.

    Args:
        first, second: uint8 (H, W, 3), both faces in about the same place.
        first_mesh, second_mesh: (478, 3) in their pixels.
        share: of the second, in [0, 1].
    """
    mesh = between(first_mesh, second_mesh, share)
    outline = mesh[list(FACE_OVAL), :2]
    inside = np.zeros(first.shape[:2], np.uint8)
    cv2.fillPoly(inside, [np.rint(outline).astype(np.int32)], 255)
    a, b = warp_photo(first, first_mesh, mesh), warp_photo(second, second_mesh, mesh)
    colour = np.subtract(*(cv2.mean(picture, inside)[:3] for picture in (a, b)))
    blur = SOFT / 2 * np.ptp(outline[:, 0]) / 2  # the oval is about two eye distances wide
    core = cv2.erode(inside, np.ones((3, 3)), iterations=round(3 * blur))
    soft = cv2.GaussianBlur(core, (0, 0), blur)
    weight = share * soft[..., None].astype(np.float32) / 255
    return np.clip(np.rint(a + weight * (b + colour - a)), 0, 255).astype(np.uint8)
