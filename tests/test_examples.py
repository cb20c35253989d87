"""The example portraits: composites of enough people, and faces that the detector finds."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from g2gan.landmarks import LandmarkDetector
from train.composites import GROUPS
from train.sources import split_people

EXAMPLES = Path(__file__).parents[1] / "examples"
PORTRAITS = sorted(EXAMPLES.glob("*.jpg"))


@pytest.fixture(scope="module")
def detector() -> LandmarkDetector:
    return LandmarkDetector()


def test_every_group_has_its_portraits_and_nothing_else_lies_there():
    expected = {f"{name}-neutral.jpg" for name in GROUPS}
    expected |= {f"{name}-smiling.jpg" for name, group in GROUPS.items() if group.smiles}
    assert {path.name for path in PORTRAITS} == expected
    assert len(GROUPS) >= 8
    assert sum(group.smiles for group in GROUPS.values()) >= 4


def test_examples_are_light_enough_to_be_cloned():
    sizes = [path.stat().st_size for path in PORTRAITS]
    assert max(sizes) < 200_000
    assert sum(sizes) < 3_000_000


@pytest.mark.parametrize("path", PORTRAITS, ids=lambda path: path.stem)
def test_an_example_shows_one_face_that_looks_at_the_camera(path, detector):
    image = cv2.imread(str(path))
    assert min(image.shape[:2]) >= 640
    (face,) = detector.detect(np.ascontiguousarray(image[..., ::-1]))
    nose, right, left = face.mesh[[4, 234, 454], 0]
    assert 0.4 < (nose - right) / (left - right) < 0.6  # in the middle between the ears
    assert face.eye_distance > 0.2 * image.shape[1]


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS)
def test_a_composite_is_of_four_or_more_people_who_all_train(group):
    split = split_people()
    people = set(group.people)
    assert len(people) == len(group.people) >= 4
    assert people <= set(split["train"])
    assert not people & set(split["test"])
