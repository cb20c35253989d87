"""What a visitor has done to a face, as the page sends it, and the geometry that it asks for."""

import math
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from g2gan import G2GAN, G2GANError
from g2gan.shape import LANDMARKS
from space.visits import Start, Visit

STRONGEST = 1.5  # share of an expression
FARTHEST = 1.0  # eye distances that a landmark is moved


class EditError(G2GANError):
    """What was sent is no edit."""


@dataclass(frozen=True)
class FaceEdit:
    """One face's edit.

    Args:
        face: which, the largest is 0.
        plain: the face's own expression is taken off first.
        blend: expression or control -> its share; negative ones undo.
        moves: landmark (0 to 67, then the right and the left iris) -> (x, y) in eye distances.
    """

    face: int = 0
    plain: bool = False
    blend: dict[str, float] = field(default_factory=dict)
    moves: dict[int, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def read(cls, sent: object) -> Self:
        """From JSON: {"face": 0, "plain": true, "blend": {"laugh": 1}, "moves": {"54": [x, y]}}.

        Raises:
            EditError: it is none.
        """
        try:
            blend = {str(name): _number(share, STRONGEST) for name, share in sent["blend"].items()}
            moves = {
                int(landmark): (_number(x, FARTHEST), _number(y, FARTHEST))
                for landmark, (x, y) in sent["moves"].items()
            }
            edit = cls(int(sent["face"]), bool(sent["plain"]), blend, moves)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise EditError("this is no edit; reload the page and try again") from error
        if any(not 0 <= landmark < LANDMARKS + 2 for landmark in moves) or edit.face < 0:
            raise EditError("the edit moves a landmark that does not exist")
        return edit

    @property
    def is_empty(self) -> bool:
        """Whether the photo stays as it is."""
        return not self.plain and not any(self.blend.values()) and not self.moves

    def start(self, visit: Visit) -> Start:
        """The pixels and the face that this edit starts from."""
        if self.face >= len(visit.faces):
            raise EditError("there are not that many faces in the photo")
        return visit.neutral(self.face) if self.plain else visit.as_it_is(self.face)

    def mesh(self, pipe: G2GAN, start: Start) -> np.ndarray:
        """The face's mesh (478, 3) as asked, in pixels of the photo.

        Raises:
            UnknownExpressionError: the checkpoint does not know a name.
        """
        parameters = pipe.shape_model.parameters_of(self.blend)
        return pipe.shape_model.drag(start.face.mesh, parameters, self.moves)


def _number(value: object, largest: float) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value} is not finite")
    return min(max(number, -largest), largest)
