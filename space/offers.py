"""What a checkpoint offers a visitor: looks to choose, sliders, and looks that one click adds.

Left and right in the names of looks and controls are the person's own; on the page they are the
picture's, where the person's right side is on the left.
"""

import numpy as np

from g2gan import G2GAN
from g2gan.mesh import POINTS
from g2gan.shape import ShapeModel
from space.words import NAMES, label

SIDES = (" right", " left")  # as the picture shows them from left to right
# What a slider does at its lower and at its upper end, each as (label, control). A control may
# stand for two, one for each side of the face.
SLIDERS = (
    (("Frown", "corner down"), ("Smile", "smile")),
    (None, ("Open mouth", "open jaw")),
    (("Pucker", "pucker lips"), ("Stretch lips", "stretch lips")),
    (None, ("Upper lip up", "upper lip up")),
    (None, ("Lower lip down", "lower lip down")),
    (("Lower brows", "lower brow"), ("Raise brows", "raise brow")),
    (("Squint", "squint"), ("Widen eyes", "widen eye")),
    (None, ("Close eyes", "close eye")),
    (("Look left", "look right"), ("Look right", "look left")),
    (("Look down", "look down"), ("Look up", "look up")),
    (None, ("Wrinkle nose", "wrinkle nose")),
)
# Looks that one click adds to a face as it is, whatever else is edited
CAMERA, OPEN = SHORTCUTS = "look at camera", "open eyes"
SHUT = 0.02  # eye distances that lids must have to move before opening them is offered


def can_be_dragged(pipe: G2GAN) -> bool:
    """Whether a checkpoint moves single points: ours do, the paper's do not."""
    return pipe.shape_model.config.points == POINTS


def looks(pipe: G2GAN) -> list[dict]:
    """Expressions and looks as {"name", "label"}: the neutral face first, then the smiles."""
    known = pipe.expressions + pipe.looks
    first = [name for name in NAMES if name in known]
    names = first + [name for name in known if name not in first]
    return [{"name": name, "label": label(name)} for name in names]


def sliders(pipe: G2GAN) -> list[dict]:
    """The checkpoint's controls as sliders.

    Each is {"less", "more", "sides"}: the labels of its ends, the lower one empty where it goes one
    way only, and for each side, from the picture's left, the two controls (or null).
    """
    known, rows, used = pipe.controls, [], set()
    for less, more in SLIDERS:
        ends = [end and end[1] for end in (less, more)]
        sided = [[end and end + side for end in ends] for side in SIDES]
        plain = [ends]
        for sides in (plain, sided):
            names = {name for side in sides for name in side if name}
            if names <= set(known):
                rows.append({"less": less[0] if less else "", "more": more[0], "sides": sides})
                used |= names
    rows += [
        {"less": "", "more": label(name), "sides": [[None, name]]}
        for name in known
        if name not in used
    ]
    return rows


def twins(pipe: G2GAN) -> dict[str, str]:
    """Looks and controls of one side of the face -> those of the other."""
    known, pairs = pipe.looks + pipe.controls, {}
    for own, other in (SIDES, SIDES[::-1]):
        for name in known:
            twin = name.removesuffix(own) + other
            if name.endswith(own) and twin in known:
                pairs[name] = twin
    return pairs


def shortcuts(model: ShapeModel, mesh: np.ndarray) -> list[dict]:
    """Looks that one click adds to a face (478, 3), as {"label", "names"}."""
    offered = [{"label": label(CAMERA), "names": [CAMERA]}]
    if np.abs(model.aimed(mesh, {OPEN: 1.0})).max() > SHUT * model.pose(mesh).scale:
        # nobody saw where they look
        offered.append({"label": label(OPEN), "names": [OPEN, CAMERA]})
    return offered
