"""Our generator on any set: a folder of one's own, and clips of CREMA-D."""

from dataclasses import replace
from pathlib import Path

import miniatures
import numpy as np
import pytest
from PIL import Image

from g2gan import G2GAN
from train.config import PRESETS
from train.data import PreparedSet
from train.export import export
from train.prepare_pairs import prepare_pairs
from train.sources import DataError, Pair, person_of
from train.trainer import Trainer

SMOKE = replace(
    PRESETS["smoke"],
    images=4,
    losses=replace(PRESETS["smoke"].losses, identity=0.0),
)


def test_a_pairs_name_tells_whose_it_is():
    people = ["001", "001", "a~b", "a~b"]
    numbered = zip(people, (0, 3, 0, 3), strict=True)
    names = [Pair(person, Path(), Path(), None, number).name for person, number in numbered]
    assert len(set(names)) == 4
    assert [person_of(name) for name in names] == people


def test_too_few_people_are_refused_with_what_was_skipped(tmp_path):
    folder = miniatures.own(tmp_path / "own", people=3)
    blank = Image.fromarray(np.full((400, 360, 3), 128, np.uint8))
    for person in (0, 1, 2):
        blank.save(folder / f"person {person}" / "neutral.png")
    with pytest.raises(
        DataError, match=r"0 usable people who train, 2 are needed; skipped 4:\n.*no face"
    ):
        prepare_pairs("own", folder, tmp_path / "set")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "expressions"), [("own", ("happiness", "surprise")), ("crema", ("anger", "happiness"))]
)
def test_our_generator_learns_the_expressions_of_a_set(tmp_path, name, expressions):
    folder = getattr(miniatures, name)(tmp_path / "data")
    if name == "own":
        (folder / "person 0" / "broken.jpg").write_bytes(b"no picture")
    skipped = prepare_pairs(name, folder, tmp_path / "set")
    assert ("broken" in skipped) == (name == "own")
    data = PreparedSet(tmp_path / "set")
    assert len({person_of(pair) for pair in data.people}) == 2 < len(data.people)
    Trainer(SMOKE, data, tmp_path / "run").train()
    export([tmp_path / "run"], tmp_path / "set", tmp_path / "made")
    pipe = G2GAN.from_pretrained(tmp_path / "made")
    assert pipe.expressions == ("neutral", *expressions)
    moved = [np.abs(pipe.shape_model.parameters_of({name: 1.0})).max() for name in expressions]
    assert min(moved) > 0
    assert moved[0] != moved[1]
    assert not list((tmp_path / "set").rglob("*.png"))
