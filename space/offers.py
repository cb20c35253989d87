"""What a checkpoint offers a visitor: looks to choose, sliders, and moves that one click makes.

Left and right in the names of looks and controls are the person's own; on the page they are the
picture's, where the person's right side is on the left.
"""

import numpy as np

from g2gan import G2GAN
from g2gan.landmarks import LANDMARKS_68
from g2gan.mesh import LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS
from g2gan.shape import LEFT_GAZE, RIGHT_GAZE, ShapeModel
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
EYEBALL = 0.19  # eye distances from an eye's centre to its pupil
TURN = 0.12  # eye distances that one click moves an iris at most
NARROW = 0.005  # eye distances by which lids are nearer than usual, that anybody would notice
EYES = ((RIGHT_GAZE, RIGHT_EYE, RIGHT_IRIS), (LEFT_GAZE, LEFT_EYE, LEFT_IRIS))
LIDS = (((37, 41), (38, 40)), ((43, 47), (44, 46)))  # landmarks, upper over lower


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
    """Moves that bring a face (478, 3) to look at the camera, and its eyes open.

    Each is {"label", "moves"}, as in a preset; landmarks that are right already are not named.
    """
    pose = model.pose(mesh)
    head, mean = pose.to_head(mesh), model.mean.detach().cpu().numpy().astype(float)
    # an eyeball turns against the head by as much as the head has turned from the camera
    camera = EYEBALL * (np.array([0, 0, -1.0]) @ pose.rotation.T)[:2]
    look = {}
    for gaze, lids, iris in EYES:
        seen, straight = ((face[iris] - face[list(lids)].mean(0))[:2] for face in (head, mean))
        look[str(gaze)] = np.clip(straight + camera - seen, -TURN, TURN).round(4).tolist()
    open_eyes = {}
    for pairs in LIDS:
        for upper, lower in pairs:
            points = [LANDMARKS_68[upper], LANDMARKS_68[lower]]
            own, usual = ((face[points[1]] - face[points[0]])[1] for face in (head, mean))
            missing = float(usual - own)
            if missing > NARROW:
                open_eyes[str(upper)] = [0.0, round(-0.85 * missing, 4)]
                open_eyes[str(lower)] = [0.0, round(0.15 * missing, 4)]
    return [
        {"label": "Look at camera", "moves": look},
        {"label": "Open eyes", "moves": open_eyes},
    ]
