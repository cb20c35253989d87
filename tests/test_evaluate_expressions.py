"""The expressions' own scores: known values in, known scores out."""

import numpy as np
import pytest

from train.evaluate_expressions import SCORE_SETS, SEVEN, own_scores, set_values

NAMES = sorted({entry[1:] for entries in SCORE_SETS.values() for entry in entries})


def values(**changed: float) -> dict[str, float]:
    return dict.fromkeys(NAMES, 0.1) | changed


def test_a_score_is_the_mean_of_both_sides_and_asymmetry_their_difference():
    scores = {"jawOpen": 0.4, "mouthSmileLeft": 0.2, "mouthSmileRight": 0.6}
    sided = {name.removeprefix("asym:") for name in NAMES} - {"jawOpen", "mouthSmile"}
    scores |= {f"{name}{side}": 0.0 for name in sided for side in ("Left", "Right")}
    found = set_values(scores)
    assert found["jawOpen"] == 0.4
    assert found["mouthSmile"] == pytest.approx(0.4)
    assert found["asym:mouthSmile"] == pytest.approx(0.4)


def test_a_neutral_face_scores_nothing_where_neutral_faces_are_alike():
    assert own_scores([values()], [values(), values()]) == pytest.approx(np.zeros((1, 7)))


def test_each_score_counts_by_its_sign_and_in_deviations_of_at_least_the_floor():
    smile = own_scores([values(mouthSmile=0.2)], [values(), values()])[0]
    by_name = dict(zip(SEVEN, smile, strict=True))
    happy, angry = SCORE_SETS["happiness"], SCORE_SETS["anger"]
    assert by_name["happiness"] == pytest.approx(0.1 / 0.05 / len(happy))
    assert by_name["anger"] == pytest.approx(-0.1 / 0.05 / len(angry))
    assert by_name["disgust"] == pytest.approx(0)
