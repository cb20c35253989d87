"""The paper's data path: aligned pictures, crops and flips, presets and one step of training."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import tiny_paper
import torch
from PIL import Image

from g2gan.alignment import eye_centres
from g2gan.heatmaps import heatmaps
from train.config import PRESETS, LossWeights, ablations
from train.paper_data import MIRROR_68, PaperSet, centre_crop, crop_of, paper_batch_at
from train.paper_prepare import SOURCES, prepare
from train.sources import (
    DataError,
    Reading,
    Sequence,
    Skipped,
    Still,
    london_sequences,
    split_people,
)
from train.trainer import Trainer

NARROW = {"generator_arguments": {"image_channels": 1, "width": 2}, "discriminator_width": 2}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    return tiny_paper.prepared(tmp_path_factory.mktemp("paper"))


@pytest.fixture(scope="module")
def data(prepared) -> PaperSet:
    return PaperSet.load(prepared)


def test_eyes_lie_where_the_frame_says(data):
    for sequence in data.sequences:
        for points in sequence.landmarks:
            np.testing.assert_allclose(eye_centres(points), [(49, 48), (95, 48)], atol=1e-4)
        assert sequence.picture(0).shape == (144, 144, 1)


def test_the_parts_share_nobody_and_every_expressed_picture_is_a_pair(prepared, data):
    test = PaperSet.load(prepared, "test")
    assert {s.person for s in data.sequences} == {"0", "1", "2"}
    assert {s.person for s in test.sequences} == {"3"}
    assert len(data.pairs) == 3 * 3 * 2
    assert all(number > 0 for _, number in data.pairs)


def test_a_crop_is_the_aligned_pictures_own_pixels(data):
    sequence = data.sequences[0]
    picture, points = crop_of(sequence, 1, np.array([3, 5]), flip=False)
    expected = sequence.picture(1)[5:133, 3:131, 0].astype(np.float32) / 255
    np.testing.assert_array_equal(picture[0].numpy(), expected)
    np.testing.assert_allclose(points.numpy(), sequence.landmarks[1] - [3, 5], atol=1e-4)
    middle, _ = centre_crop(sequence, 1)
    assert torch.equal(middle, crop_of(sequence, 1, np.array([8, 8]), flip=False)[0])


def test_a_flip_mirrors_the_picture_and_exchanges_left_and_right_channels(data):
    corner = np.array([8, 8])
    plain, points = crop_of(data.sequences[0], 1, corner, flip=False)
    flipped, mirrored = crop_of(data.sequences[0], 1, corner, flip=True)
    assert torch.equal(flipped, plain.flip(-1))
    drawn, drawn_mirrored = (heatmaps(p[None], 128, 2.0)[0] for p in (points, mirrored))
    torch.testing.assert_close(drawn_mirrored, drawn[list(MIRROR_68)].flip(-1))


def test_twins_are_each_others_and_the_middle_is_its_own():
    mirror = np.array(MIRROR_68)
    np.testing.assert_array_equal(mirror[mirror], np.arange(68))
    own = [8, 27, 28, 29, 30, 33, 51, 57, 62, 66]
    np.testing.assert_array_equal(np.flatnonzero(mirror == np.arange(68)), own)


def test_both_directions_of_a_step_see_the_same_crops(data):
    there, back = (paper_batch_at(data, way, 0, 3, 5) for way in ("synthesis", "removal"))
    assert torch.equal(there.source, back.target)
    assert torch.equal(there.target, back.source)
    assert torch.equal(there.target_landmarks, back.source_landmarks)
    assert there.source.shape == (5, 1, 128, 128)
    assert 0 <= there.source.min() < there.source.max() <= 1
    again, other = (paper_batch_at(data, "synthesis", 0, step, 5) for step in (3, 4))
    assert torch.equal(again.source, there.source)
    assert not torch.equal(other.source, there.source)


def test_an_epoch_sees_every_pair_once(data):
    batches = [paper_batch_at(data, "synthesis", 0, step, 6) for step in range(3)]
    mouths = torch.cat([b.target_landmarks[:, 48:, 1].mean(1) for b in batches])
    expected = [
        sequence.landmarks[number, 48:, 1].mean()
        for sequence, number in ((data.sequences[i], n) for i, n in data.pairs)
    ]
    assert len(mouths) == len(expected)
    assert abs(mouths.mean().item() - (np.mean(expected) - 8)) < 4  # crops begin at 8, on average


def test_pictures_that_cannot_be_used_are_listed_and_do_not_stop_the_rest(tmp_path):
    reading = tiny_paper.reading(tmp_path)
    (tmp_path / "0-0-1.png").write_bytes(b"no picture")
    (tmp_path / "1-0-0.png").unlink()
    split = {"train": ["0", "1", "2"], "test": ["3"]}
    skipped = prepare(reading, split, tmp_path / "set", 3, "drawn", lambda picture: None)
    assert [one.place for one in skipped] == ["0/0/0-0-1.png", "1/0/1-0-0.png"]
    data = PaperSet.load(tmp_path / "set")
    assert len(data.sequences) == 8
    assert len(data.sequences[0].pictures) == 2
    assert data.sequences[0].picture(1).shape == (144, 144, 3)
    manifest = json.loads((tmp_path / "set/manifest.json").read_text())
    assert len(manifest["skipped"]) == 2
    assert str(tmp_path) not in json.dumps(manifest["parts"])


def test_too_few_people_for_a_split_are_said_with_what_was_skipped():
    lost = Skipped("S005/001", "half-copied")
    alone = Sequence("S205", "001", Still(Path("a")), (Still(Path("b")),), None)
    with pytest.raises(DataError, match=r"two people at least.*S205.*\n  S005/001: half-copied"):
        SOURCES["ck"].divide(Reading((alone,), (lost,)), None)


def test_colours_keep_their_order(tmp_path):
    reading = tiny_paper.reading(tmp_path, people=2)
    for path in tmp_path.glob("*.png"):
        Image.new("RGB", (200, 200), (250, 100, 10)).save(path)
    split = {"train": ["0"], "test": ["1"]}
    prepare(reading, split, tmp_path / "set", 3, "drawn", lambda picture: None)
    colour = PaperSet.load(tmp_path / "set").sequences[0].picture(0)[72, 72]
    np.testing.assert_allclose(colour, (250, 100, 10), atol=1)


def test_a_part_of_which_nothing_is_usable_is_refused(tmp_path):
    reading = tiny_paper.reading(tmp_path)
    for path in tmp_path.glob("3-*-0.png"):
        path.unlink()
    split = {"train": ["0", "1", "2"], "test": ["3"]}
    with pytest.raises(DataError, match="nothing of the test part is usable; skipped 3"):
        prepare(reading, split, tmp_path / "set", 1, "drawn", lambda picture: None)
    with pytest.raises(DataError, match="is no prepared set"):
        PaperSet.load(tmp_path / "set")


@pytest.mark.parametrize(("name", "channels"), [("ck", 1), ("oulu", 3), ("crema", 3)])
def test_presets_have_the_papers_weights_and_nothing_of_ours(name, channels):
    config = PRESETS[name]
    used = {name: weight for name, weight in asdict(config.losses).items() if weight}
    assert used == {"pixel": 10, "adversarial": 1, "cycle": 5, "identity": 1}
    assert (config.batch, config.average, config.clip, config.generator) == (5, 0, 0, "unet")
    assert config.generator_arguments == {"image_channels": channels}


def test_the_four_rows_of_the_tables_differ_in_cycle_and_identity_only():
    rows = ablations(PRESETS["ck"])
    weights = {name: (c.losses.cycle, c.losses.identity) for name, c in rows.items()}
    assert weights == {
        "without_both": (0, 0),
        "without_cycle": (0, 1),
        "without_identity": (5, 0),
        "full": (5, 1),
    }
    same = [replace(config, losses=LossWeights()) for config in rows.values()]
    assert all(config == same[0] for config in same)


def test_a_step_of_the_paper_has_every_loss_and_the_average_is_the_network(data, tmp_path):
    config = replace(PRESETS["ck"], images=20, **NARROW)
    trainer = Trainer(config, data, tmp_path, tiny_paper.recognizer(1))
    terms = trainer.train_step()
    expected = {
        f"{way}/{loss}"
        for way in ("synthesis", "removal")
        for loss in ("pixel", "adversarial", "cycle", "identity")
    }
    assert {*terms} == expected | {"discriminator"}
    assert all(np.isfinite(value) for value in terms.values())
    for a, b in zip(trainer.averages.parameters(), trainer.generators.parameters(), strict=True):
        assert torch.equal(a, b)


def test_rates_stay_for_half_of_the_run_and_fall_to_nothing(data, tmp_path):
    config = replace(ablations(PRESETS["ck"])["without_both"], images=20, **NARROW)
    trainer = Trainer(config, data, tmp_path)
    optimizers = (trainer.generator_optimizer, trainer.discriminator_optimizer)
    rates = []
    for _ in range(trainer.steps):
        trainer.train_step()
        rates.append([optimizer.param_groups[0]["lr"] for optimizer in optimizers])
    assert rates[:3] == [[2e-4, 2e-4]] * 3
    np.testing.assert_allclose(rates[3], [1e-4] * 2)  # at three quarters of the run


def test_a_stopped_run_of_the_paper_ends_as_an_undisturbed_one_bit_for_bit(data, tmp_path):
    config = replace(PRESETS["ck"], images=15, **NARROW)
    whole = Trainer(config, data, tmp_path / "whole", tiny_paper.recognizer(1))
    whole.train()
    for _ in range(10):
        legs = Trainer(config, data, tmp_path / "legs", tiny_paper.recognizer(1))
        if legs.step == legs.steps:
            break
        legs.train(minutes=0)  # one step a leg
    assert legs.step == whole.step == 3
    for a, b in ((whole.generators, legs.generators), (whole.discriminators, legs.discriminators)):
        for (name, value), other in zip(
            a.state_dict().items(), b.state_dict().values(), strict=True
        ):
            assert torch.equal(value, other), name


def test_the_london_set_goes_the_papers_way_with_its_own_split(tmp_path):
    people = split_people()
    for person in people["train"] + people["test"]:
        for name in ("neutral", "smiling"):
            (tmp_path / f"{person}_{name}.jpg").touch()
    reading = london_sequences(tmp_path)
    assert len(reading.sequences) == 90
    assert SOURCES["london-paper"].split(reading.people, 0) == people
    first = reading.sequences[0]
    assert (first.neutral.path.name, first.expressed[0].path.name) == (
        f"{first.person}_neutral.jpg",
        f"{first.person}_smiling.jpg",
    )
