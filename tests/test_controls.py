"""Each movement of the embedded checkpoint moves what its name says, on its side, by a fair amount.

Their shapes were carried from a 3D face to the detector's mesh: the wrong lip, lid or side would
show here. The person's left is the picture's right.
"""

from functools import cache

import drawn_set
import numpy as np
import pytest

from g2gan.mesh import INNER_LIPS, LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS
from g2gan.shape import HANDLES, ShapeModel

LEAST, MOST = 0.02, 0.45  # eye distances that a named movement moves its points
STILL = 0.4  # share of that by which the other side may move
CORNER, CHIN, LIP_BELOW, LIP_ABOVE = {"right": 48, "left": 54}, 8, 57, 51
BROW = {"right": range(18, 21), "left": range(23, 26)}
EYES = {"right": RIGHT_EYE, "left": LEFT_EYE}
OUTWARD = {"right": -1, "left": 1}
OTHER = {"right": "left", "left": "right"}


@cache
def model() -> ShapeModel:
    return ShapeModel.from_pretrained(drawn_set.EMBEDDED)


def moved(name: str) -> np.ndarray:
    """What a control does to the mean face, (478, 3) in eye distances: x to the right, y down."""
    mean = model().mean.double().numpy()
    return model().express(mean, {name: 1.0}) - mean


def of_landmarks(name: str) -> np.ndarray:
    return moved(name)[HANDLES, :2]


def opened(name: str, side: str) -> float:
    """By how much of its opening an eye opens."""
    lower, upper = list(EYES[side][1:8]), list(EYES[side][:8:-1])
    mean, change = model().mean.double().numpy(), moved(name)
    gap, after = ((m[lower, 1] - m[upper, 1]).mean() for m in (mean, mean + change))
    return float(after / gap - 1)


def gap_of_lips(name: str) -> float:
    lower, upper = list(INNER_LIPS[3:8]), list(INNER_LIPS[-3:-8:-1])
    change = moved(name)[:, 1]
    return float((change[lower] - change[upper]).mean())


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize(
    ("name", "down"), [("smile", -1), ("corner down", 1), ("raise brow", -1), ("lower brow", 1)]
)
def test_corners_and_brows_of_one_side_go_up_and_down(name, down, side):
    change = of_landmarks(f"{name} {side}")[:, 1]
    points = {
        each: list(BROW[each]) if "brow" in name else [CORNER[each]] for each in ("right", "left")
    }
    own, other = (down * change[points[each]].mean() for each in (side, OTHER[side]))
    assert LEAST < own < MOST
    assert abs(other) < STILL * own


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_smile_widens_and_puckering_narrows_the_mouth(side):
    change = of_landmarks(f"smile {side}")
    assert LEAST < OUTWARD[side] * change[CORNER[side], 0] < MOST
    for name, outward in (("stretch lips", 1), ("pucker lips", -1)):
        corner = of_landmarks(name)[CORNER[side], 0]
        assert LEAST < outward * OUTWARD[side] * corner < MOST


def test_the_jaw_takes_the_lower_lip_along_and_leaves_the_upper_one():
    change = of_landmarks("open jaw")[:, 1]
    assert LEAST < change[CHIN] < MOST
    assert change[LIP_BELOW] > 0.7 * change[CHIN]
    assert abs(change[LIP_ABOVE]) < 0.1 * change[LIP_BELOW]
    assert gap_of_lips("open jaw") > 0.15


def test_each_lip_moves_by_itself():
    up, down = (of_landmarks(name)[:, 1] for name in ("upper lip up", "lower lip down"))
    assert LEAST < -up[LIP_ABOVE] < MOST
    assert abs(up[LIP_BELOW]) < STILL * -up[LIP_ABOVE]
    assert LEAST < down[LIP_BELOW] < MOST
    assert abs(down[LIP_ABOVE]) < STILL * down[LIP_BELOW]


def test_a_wrinkled_nose_lifts_its_wings():
    change = of_landmarks("wrinkle nose")[:, 1]
    for wing in (31, 35):
        assert LEAST < -change[wing] < MOST
    assert abs(change[CHIN]) < STILL * -change[31]


@pytest.mark.parametrize("side", ["right", "left"])
def test_lids_of_one_eye_open_narrow_and_close(side):
    assert opened(f"widen eye {side}", side) > 0.15
    assert -0.8 < opened(f"squint {side}", side) < -0.15
    assert -1.25 < opened(f"close eye {side}", side) < -0.75
    for name in ("widen eye", "squint", "close eye"):
        assert abs(opened(f"{name} {side}", OTHER[side])) < 0.1


@pytest.mark.parametrize(
    ("name", "axis", "sign"),
    [("look left", 0, 1), ("look right", 0, -1), ("look up", 1, -1), ("look down", 1, 1)],
)
def test_irises_go_where_they_look(name, axis, sign):
    for iris in (RIGHT_IRIS, LEFT_IRIS):
        assert LEAST < sign * moved(name)[iris, axis] < 0.15
