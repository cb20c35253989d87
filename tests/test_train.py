"""From photographs to a checkpoint, on drawn people."""

import json
import os
from collections import Counter
from copy import copy
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import drawn_set
import numpy as np
import pytest
import torch
from faces import draw_face
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny import eye_distance
from torch import nn

from g2gan import G2GAN, CheckpointError
from g2gan.engines import MODEL_VARIABLE
from g2gan.models.warp_generator import render, warp
from train.card import weights_digest
from train.config import PRESETS, LossWeights, TrainConfig
from train.data import PreparedSet, batch_at
from train.export import export
from train.expressions import SEVEN
from train.losses import weighted_l1
from train.origins import ORIGINS, origins
from train.pack import pack
from train.prepare import READINGS, prepare
from train.sources import DataError, Pair, london_pairs, split_people
from train.trainer import CURVES, STATE, Trainer

SMOKE = PRESETS["smoke"]


class TinyRecognizer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3, stride=4), nn.ReLU(), nn.Flatten())

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        return self.layers(faces)


def recognizer() -> nn.Module:
    torch.manual_seed(7)
    return TinyRecognizer()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    drawn_set.write(folder)
    return folder / "set"


@pytest.fixture(scope="module")
def data(prepared) -> PreparedSet:
    return PreparedSet(prepared)


def states(trainer: Trainer) -> dict[str, torch.Tensor]:
    networks = {
        "generator": trainer.generators,
        "average": trainer.averages,
        "discriminator": trainer.discriminators,
    }
    return {
        f"{name}.{key}": value.clone()
        for name, group in networks.items()
        for key, value in group.state_dict().items()
    }


def test_nobody_is_in_training_and_in_test():
    split = split_people()
    assert not set(split["train"]) & set(split["test"])
    assert {part: len(people) for part, people in split.items()} == {"train": 72, "test": 18}


@pytest.mark.parametrize(
    "layout",
    [
        ("{}_neutral.jpg", "{}_smiling.jpg"),
        ("neutral_front/{}_03.jpg", "smiling_front/{}_08.jpg"),
    ],
)
def test_the_london_set_is_found_as_it_unpacks_and_says_who_is_missing(tmp_path, layout):
    people = split_people()["test"]
    for person in people:
        for name in layout:
            path = tmp_path / name.format(person)
            path.parent.mkdir(exist_ok=True)
            path.touch()
    assert [pair.person for pair in london_pairs(tmp_path, "test")] == people
    (tmp_path / layout[1].format(people[3])).unlink()
    with pytest.raises(DataError, match=f"1 people of the test split: {people[3]};"):
        london_pairs(tmp_path, "test")


def test_a_prepared_set_holds_every_reading_of_every_photo(data):
    assert data.people == ["0", "1", "2"]
    assert len(data.morphs) == 2
    everyone = data.people + data.morphs
    pairs = {f"{p}/{s}" for p in everyone for s in ("neutral", "smiling")}
    assert set(data.images) == {*pairs, "alone/neutral"}
    for meshes in (data.meshes, data.guesses):
        assert {mesh.shape for mesh in meshes.values()} == {(len(READINGS), 478, 3)}


def test_a_movement_is_read_by_one_detector(data):
    """Beside readings by a detector that sees faces 15% higher, nobody changes height."""
    both = copy(data)
    both.rig = None
    for kind in ("meshes", "guesses"):
        seen = getattr(data, kind)
        stretched = {name: m.mean(1, keepdims=True) for name, m in seen.items()}
        stretched = {name: m + (seen[name] - m) * [1, 1.15, 1] for name, m in stretched.items()}
        setattr(both, kind, {n: np.concatenate([seen[n], stretched[n]]) for n in seen})
    batch = batch_at(both, "synthesis", seed=0, step=0, size=16)
    before, after = (
        points[:, 8, 1] - points[:, 27, 1]  # chin to nose
        for points in (batch.source_landmarks, batch.target_landmarks)
    )
    assert (after / before - 1).abs().max() < 0.07
    assert before.max() / before.min() > 1.1  # both detectors' readings are used


@pytest.mark.skipif(
    MODEL_VARIABLE not in os.environ, reason=f"{MODEL_VARIABLE} names no face_landmarker.task"
)
def test_a_second_detectors_readings_follow_the_firsts(tmp_path, monkeypatch):
    landmarker = os.environ[MODEL_VARIABLE]
    monkeypatch.delenv(MODEL_VARIABLE)
    pairs = []
    for number in range(2):
        paths = [tmp_path / f"{number}{smile}.png" for smile in (0.0, 0.7)]
        for path, smile in zip(paths, (0.0, 0.7), strict=True):
            Image.fromarray(draw_face(512, smile=smile, seed=number)).save(path)
        pairs.append(Pair(str(number), *paths))
    prepare(pairs, tmp_path / "set", "drawn", 0, landmarker=Path(landmarker))
    meshes = PreparedSet(tmp_path / "set").meshes["0/neutral"]
    assert len(meshes) == 2 * len(READINGS)
    first, second = meshes[: len(READINGS)].mean(0), meshes[len(READINGS) :].mean(0)
    apart = np.linalg.norm((first - second)[:, :2], axis=1).mean() / eye_distance(first)
    assert 0.002 < apart < 0.1


def test_everybody_but_morphs_is_animated_and_read_again(data):
    assert set(data.animated) == {*data.people, "alone"}
    for made in data.animated.values():
        assert made.intended.shape == made.detected.shape == (len(made.names), 478, 3)
        assert set(made.names) == {*SEVEN, "free"}


@pytest.mark.parametrize("turned", [0.0, 1.0])
@pytest.mark.parametrize("direction", ["synthesis", "removal"])
def test_an_animated_pair_agrees_where_nothing_moves(data, direction, monkeypatch, turned):
    """However the head is turned: both photos alike."""
    monkeypatch.setattr("train.augment.TURNED", turned)
    monkeypatch.setattr("train.data.MOVED", 1.0)
    monkeypatch.setattr("train.data.READ", 0.0)
    monkeypatch.setattr("train.data.GUESSED", 0.0)  # a guess moves the whole head a little
    batch = batch_at(data, direction, seed=1, step=0, size=4)
    still = (batch.base_flow.abs().sum(1, keepdim=True) == 0) & (batch.weight < 0.16)
    difference = (batch.source - batch.target).abs().amax(1, keepdim=True)
    assert still.float().mean() > 0.1
    assert difference[still].median() < 0.02


def test_a_morph_lies_between_its_parents_in_the_prepared_set(data, prepared):
    couples = json.loads((prepared / "manifest.json").read_text("utf-8"))["morphs"]
    assert {couple[key] for couple in couples for key in ("first", "second")} <= set(data.people)
    couple = couples[0]
    name = f"{couple['first']}+{couple['second']}/smiling"
    for shapes in (data.meshes, data.guesses):
        first, second = (shapes[f"{couple[key]}/smiling"] for key in ("first", "second"))
        expected = first + couple["share"] * (second - first)
        np.testing.assert_allclose(shapes[name], expected, atol=1e-3)


def test_what_is_no_prepared_set_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"train\.prepare"):
        PreparedSet(tmp_path)
    with pytest.raises(DataError, match=r"train\.prepare"):
        pack(tmp_path, tmp_path / "set.zip")
    with ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("notes.txt", "no set")
    with pytest.raises(DataError, match=r"other\.zip is no prepared set"):
        PreparedSet(tmp_path / "other.zip")


def test_a_packed_set_is_small_and_trains_as_the_set_does(prepared, data, tmp_path, monkeypatch):
    """All but its animated pictures, which are made anew while training."""
    pack(prepared, tmp_path / "set.zip")
    first = (tmp_path / "set.zip").read_bytes()
    pack(prepared, tmp_path / "set.zip")
    assert (tmp_path / "set.zip").read_bytes() == first
    folder = sum(path.stat().st_size for path in prepared.rglob("*") if path.is_file())
    assert len(first) < folder / 3
    packed = PreparedSet(tmp_path / "set.zip")
    assert list(tmp_path.iterdir()) == [tmp_path / "set.zip"]
    assert not packed.animated
    monkeypatch.setattr("train.data.READ", 0.0)
    for direction in ("synthesis", "removal"):
        for a, b in zip(
            batch_at(packed, direction, 0, 0, 8), batch_at(data, direction, 0, 0, 8), strict=True
        ):
            assert a is b is None or torch.equal(a, b)


@pytest.mark.parametrize("direction", ["synthesis", "removal"])
def test_a_batch_is_the_same_whenever_it_is_asked_for(data, direction):
    first, again = (batch_at(data, direction, 0, 5, 2, cycle=True) for _ in range(2))
    other = batch_at(data, direction, 0, 6, 2, cycle=True)
    for name, a, b, c in zip(first._fields, first, again, other, strict=True):
        assert torch.equal(a, b)
        if name == "origin":
            assert a.dtype == torch.int64
        else:
            assert not torch.equal(a, c)
            assert a.dtype == torch.float32


@pytest.mark.parametrize("direction", ["synthesis", "removal"])
def test_a_turn_by_nothing_changes_no_bit_of_a_batch(data, direction, monkeypatch):
    batches = {}
    for share, reach in ((0.0, 10.0), (1.0, 0.0), (1.0, 10.0)):
        monkeypatch.setattr("train.augment.TURNED", share)
        monkeypatch.setattr("train.augment.YAW", reach)
        monkeypatch.setattr("train.augment.PITCH", reach)
        batches[share, reach] = batch_at(data, direction, 3, 0, 12)
    none, by_nothing, turned = batches.values()
    for name, a, b in zip(none._fields, none, by_nothing, strict=True):
        assert a is b is None or torch.equal(a, b), name
    assert not torch.equal(none.source_landmarks, turned.source_landmarks)
    assert torch.equal(none.origin, turned.origin)


def test_every_picture_of_a_prepared_set_says_how_it_came_about(data, prepared):
    found = origins(prepared)
    animated = {f"{p}/animated/{k}" for p, m in data.animated.items() for k in range(len(m.images))}
    assert set(found) == set(data.images) | animated
    assert found["alone/neutral"] == found["1/smiling"] == "real"
    assert {found[f"{morph}/neutral"] for morph in data.morphs} == {"morphed"}
    counts = Counter(found.values())
    assert counts["real"] == 2 * 3 + 1
    assert counts["morphed"] == 2 * 2
    assert counts["animated"] == len(animated)


@pytest.mark.parametrize(
    ("moved", "morphed", "origin"), [(0, 0, "real"), (0, 1, "morphed"), (1, 1, "animated")]
)
def test_every_sample_says_how_its_pair_came_about(data, monkeypatch, moved, morphed, origin):
    monkeypatch.setattr("train.data.MOVED", float(moved))
    monkeypatch.setattr("train.data.MORPHED", float(morphed))
    batch = batch_at(data, "synthesis", 0, 0, 4)
    assert [ORIGINS[number] for number in batch.origin] == 4 * [origin]


def test_the_pixel_term_is_noted_for_each_origin_by_itself(data, tmp_path):
    trainer = Trainer(SMOKE, data, tmp_path, recognizer())
    batch = trainer._batch("synthesis", 0)
    terms = trainer.train_step()
    named = {name.rsplit("/")[-1]: v for name, v in terms.items() if "synthesis/pixel/" in name}
    assert set(named) == {ORIGINS[number] for number in batch.origin}
    assert all(value > 0 for value in named.values())


@pytest.mark.parametrize("direction", ["synthesis", "removal"])
def test_the_base_flow_brings_the_source_nearer_to_the_target_and_back(
    data, direction, monkeypatch
):
    for share in ("GLASSES", "GLASSES_ANIMATED"):  # which it bends, and the target's are not
        monkeypatch.setattr(f"train.data.{share}", 0.0)
    batch = batch_at(data, direction, 0, 0, 32, cycle=True)
    there = warp(batch.source, batch.base_flow)
    copied, warped = (
        ((x - batch.target).abs() * batch.weight).mean() for x in (batch.source, there)
    )
    assert warped < copied
    back = batch.back(there)
    returned = warp(back.source, back.base_flow)
    assert (returned - batch.source).abs().mean() < 0.02
    assert torch.equal(back.target, batch.source)
    assert torch.equal(back.target_landmarks, batch.source_landmarks)


def test_every_loss_of_the_paper_is_in_a_step_and_every_weight_learns(data, tmp_path):
    trainer = Trainer(SMOKE, data, tmp_path, recognizer())
    before = states(trainer)
    for _ in range(3):  # heads start at zero: what lies behind them learns from the second step
        terms = trainer.train_step()
    for direction in ("synthesis", "removal"):
        for loss in ("pixel", "adversarial", "cycle", "identity"):
            assert np.isfinite(terms[f"{direction}/{loss}"])
    for name, value in states(trainer).items():
        assert not torch.equal(value, before[name]), name


def test_a_stopped_run_ends_as_an_undisturbed_one_bit_for_bit(data, tmp_path):
    whole = Trainer(SMOKE, data, tmp_path / "whole", recognizer())
    whole.train()
    for _ in range(10):
        legs = Trainer(SMOKE, data, tmp_path / "legs", recognizer())
        if legs.step == legs.steps:
            break
        legs.train(minutes=0)  # one step a leg
    assert legs.step == whole.step == SMOKE.images // SMOKE.batch
    for (name, a), b in zip(states(whole).items(), states(legs).values(), strict=True):
        assert torch.equal(a, b), name
    assert not list(tmp_path.rglob("*.part"))


def test_curves_that_were_noted_after_the_saved_state_are_forgotten(data, tmp_path):
    trainer = Trainer(SMOKE, data, tmp_path, recognizer())
    trainer.train_step()
    trainer._note({"loss": 1.0})
    trainer.save()
    trainer.train_step()
    trainer._note({"loss": 2.0})  # and killed here
    Trainer(SMOKE, data, tmp_path, recognizer())
    lines = (tmp_path / CURVES).read_text("utf-8").splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1]


def test_sample_pictures_and_curves_can_be_watched(data, tmp_path):
    trainer = Trainer(SMOKE, data, tmp_path, recognizer())
    trainer._note(trainer.train_step())
    trainer._show()
    trainer.board.flush()
    board = EventAccumulator(str(tmp_path)).Reload()
    assert "synthesis/pixel" in board.Tags()["scalars"]
    assert board.Tags()["images"] == ["synthesis", "removal"]
    picture = board.Images("removal")[0]
    assert picture.width == 3 * 256  # input, output, truth
    assert picture.height == SMOKE.batch * 256


def test_a_state_of_other_settings_is_refused(data, tmp_path):
    Trainer(SMOKE, data, tmp_path, recognizer()).save()
    with pytest.raises(CheckpointError, match="other settings"):
        Trainer(replace(SMOKE, seed=1), data, tmp_path, recognizer())


def test_a_state_of_other_data_is_refused(data, prepared, tmp_path):
    Trainer(SMOKE, data, tmp_path / "run", recognizer()).save()
    other = copy(data)
    other.digest = "another"
    with pytest.raises(CheckpointError, match="other data"):
        Trainer(SMOKE, other, tmp_path / "run", recognizer())
    Trainer(SMOKE, other, tmp_path / "other", recognizer()).save()
    with pytest.raises(CheckpointError, match="other data"):
        export([tmp_path / "other"], prepared, tmp_path / "checkpoint")
    assert not (tmp_path / "checkpoint").exists()


def test_the_papers_generator_trains_too(data, tmp_path):
    config = replace(
        SMOKE, generator="unet", generator_arguments={"width": 2}, adversarial_form="bce"
    )
    terms = Trainer(config, data, tmp_path, recognizer()).train_step()
    assert {"synthesis/pixel", "removal/cycle", "discriminator"} <= set(terms)
    assert all(np.isfinite(value) for value in terms.values())


def test_training_brings_the_picture_nearer_to_the_target(data, tmp_path):
    losses = LossWeights(adversarial=0.0, detail=0.0)  # which does not ask where detail lies
    config = TrainConfig(
        directions=("synthesis",),
        generator_arguments={"widths": (8, 12, 16, 16)},
        images=120,
        learning_rate=2e-3,
        losses=losses,
    )
    smiles = copy(data)
    smiles.rig = None  # one expression is soon learned a little
    trainer = Trainer(config, smiles, tmp_path)
    batch = batch_at(smiles, "synthesis", seed=1, step=0, size=16)

    def error() -> float:
        network = trainer.generators["synthesis"]
        with torch.no_grad():
            output = render(batch.source, batch.base_flow, network(*batch.warp_inputs()))
            return weighted_l1(output, batch.target, batch.weight).item()

    plain_warp = error()
    for _ in range(trainer.steps):
        trainer.train_step()
    assert error() < 0.97 * plain_warp


def test_settings_that_contradict_each_other_are_refused(data, tmp_path):
    with pytest.raises(ValueError, match="both directions"):
        replace(SMOKE, directions=("removal",))
    with pytest.raises(ValueError, match="recognition network"):
        Trainer(SMOKE, data, tmp_path)


def test_an_exported_run_is_a_checkpoint_and_a_start_for_the_next(data, prepared, tmp_path):
    config = PRESETS["smoke"]
    trainer = Trainer(config, data, tmp_path / "run", recognizer())
    trainer.train()
    out = tmp_path / "checkpoint"
    for _ in range(2):  # the second replaces the first
        export([tmp_path / "run"], prepared, out)
    pipe = G2GAN.from_pretrained(out)
    assert pipe.expressions == ("neutral", *SEVEN)
    assert {look.split("/")[0] for look in pipe.looks if "/" in look} == set(SEVEN)  # variants
    averaged = trainer.averages["removal"].state_dict()
    for name, value in pipe.removal.state_dict().items():
        assert torch.equal(value, averaged[name].half().float()), name
    record = json.loads((out / "training.json").read_text("utf-8"))
    assert record["directions"]["synthesis"]["run 1"]["images"] == config.images
    assert record["data"]["pictures"] == dict(Counter(origins(prepared).values()))
    assert str(tmp_path) not in "".join(p.read_text("utf-8") for p in out.rglob("*.json"))

    following = Trainer(replace(config, seed=2), data, tmp_path / "next", recognizer())
    following.start_from(out)
    following.save()
    assert Trainer(following.config, data, tmp_path / "next", recognizer()).init
    for name, value in following.generators["removal"].state_dict().items():
        assert torch.equal(value, averaged[name].half().float()), name


def test_two_runs_of_one_direction_are_averaged(data, prepared, tmp_path):
    runs = [tmp_path / "first", tmp_path / "second"]
    weights = []
    for seed, run in enumerate(runs):
        trainer = Trainer(replace(SMOKE, seed=seed), data, run, recognizer())
        trainer.train_step()
        trainer.save()
        weights.append(trainer.averages["removal"].state_dict())
    export(runs, prepared, tmp_path / "out")
    removal = G2GAN.from_pretrained(tmp_path / "out").removal.state_dict()
    for name, value in removal.items():
        mean = (weights[0][name] + weights[1][name]) / 2
        assert torch.equal(value, mean.half().float()), name


def test_a_direction_that_no_run_trains_is_taken_from_another_checkpoint(data, prepared, tmp_path):
    Trainer(SMOKE, data, tmp_path / "both", recognizer()).save()
    export([tmp_path / "both"], prepared, tmp_path / "first")
    losses = LossWeights(adversarial=0.0)
    one = replace(SMOKE, directions=("synthesis",), losses=losses, seed=1)
    trainer = Trainer(one, data, tmp_path / "one")
    trainer.start_from(tmp_path / "first")
    trainer.train_step()
    trainer.save()
    export([tmp_path / "one"], prepared, tmp_path / "second", rest=tmp_path / "first")
    pipes = [G2GAN.from_pretrained(tmp_path / name) for name in ("first", "second")]
    states = [pipe.removal.state_dict() for pipe in pipes]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    records = [
        json.loads((tmp_path / name / "training.json").read_text("utf-8"))["directions"]
        for name in ("first", "second")
    ]
    assert records[1]["removal"] == records[0]["removal"]
    assert records[1]["synthesis"]["run 1"]["init"] == weights_digest(tmp_path / "first")


def test_an_export_deletes_nothing_but_a_checkpoint(prepared, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(CheckpointError, match="would be deleted"):
        export([], prepared, tmp_path)
    assert (tmp_path / "thesis.txt").is_file()


def test_an_export_without_a_direction_names_it(data, prepared, tmp_path):
    losses = LossWeights(adversarial=0.0)
    config = replace(SMOKE, directions=("synthesis",), losses=losses)
    Trainer(config, data, tmp_path).save()
    with pytest.raises(CheckpointError, match="no run trains removal"):
        export([tmp_path], prepared, tmp_path / "out")
    assert (tmp_path / STATE).is_file()
    assert not (tmp_path / "out").exists()
