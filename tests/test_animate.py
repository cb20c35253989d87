"""Animating: shapes carried exactly, nothing asked changes nothing, eyes and mouths as asked."""

from pathlib import Path

import numpy as np
import pytest
from face_kit import NAMES, face_kit, shapes

from g2gan import G2GAN
from g2gan.alignment import WORKING, crop, transform
from g2gan.images import open_photo
from g2gan.landmarks import LandmarkDetector
from g2gan.mesh import INNER_LIPS, LEFT_EYE, LEFT_IRIS, RIGHT_EYE
from g2gan.shape import ShapeModel
from train.animate import Rig, animate, pose_mesh
from train.animated_set import animate_person, read_animated, write_animated
from train.expressions import CONTROLS, LOOKS, RECIPES, draw, mirrored, of_parts, scaled
from train.facekit import FaceKit, carry
from train.sources import DataError

ROOT = Path(__file__).parents[1]
LOWER, UPPER = list(INNER_LIPS[1:10]), list(INNER_LIPS[:10:-1])
LID, LOWER_LID = list(LEFT_EYE[:8:-1]), list(LEFT_EYE[1:8])


@pytest.fixture(scope="module")
def model() -> ShapeModel:
    return G2GAN.from_pretrained(ROOT / "checkpoints" / "g2gan-london").shape_model


@pytest.fixture(scope="module")
def rig(model) -> Rig:
    return Rig.build(face_kit(model), model)


@pytest.fixture(scope="module")
def photo() -> tuple[np.ndarray, np.ndarray]:
    """A composite's neutral portrait in the working frame, and its mesh."""
    image = open_photo(ROOT / "examples" / "woman-20s-fair-neutral.jpg").rgb
    mesh = LandmarkDetector().detect(image)[0].mesh
    matrix = WORKING.matrix(mesh)
    return crop(image, matrix, WORKING.side), transform(matrix, mesh)


def test_shapes_of_the_mesh_itself_are_carried_to_where_they_came_from(model):
    carried = carry(face_kit(model), model.mean.double().numpy())
    expected = shapes(model.mean.double().numpy())
    assert np.abs(carried.shapes[:, :468] - expected[:, :468]).max() < 0.005


def test_the_lower_lip_alone_goes_with_the_jaw(rig):
    jaw = rig.shapes[NAMES.index("jawOpen")]
    assert np.allclose(jaw[LOWER, 1], 0.4, atol=0.005)
    assert np.allclose(jaw[UPPER], 0, atol=0.005)


def test_no_expression_gives_the_photo_back_bit_for_bit(rig, photo):
    picture, mesh = photo
    target = pose_mesh(rig, mesh, {})
    assert np.allclose(target, mesh, atol=1e-9)
    assert np.array_equal(animate(rig, picture, mesh, mesh, {}), picture)


def test_a_blink_closes_one_eye_of_anybody_and_leaves_the_other(rig, photo):
    _, mesh = photo
    closed = pose_mesh(rig, mesh, {"eyeBlink_L": 1.0})
    unit = rig.model.pose(mesh).scale
    assert np.abs(closed[LID, 1] - closed[LOWER_LID, 1]).mean() < 0.25 * (
        np.abs(mesh[LID, 1] - mesh[LOWER_LID, 1]).mean()
    )
    assert np.abs(closed - mesh)[list(RIGHT_EYE)].max() < 0.01 * unit


def test_rims_never_cross_however_strong_the_shapes(rig, photo):
    _, mesh = photo
    moved = pose_mesh(rig, mesh, {"eyeBlink_L": 2.0, "jawOpen": -0.6})
    head = rig.model.pose(mesh).to_head(moved)
    assert (head[LOWER_LID, 1] > head[LID, 1]).all()
    assert (head[LOWER, 1] > head[UPPER, 1]).all()


def test_a_seal_brings_opened_lips_back_to_the_gap_they_had(rig, photo):
    _, mesh = photo
    moved = pose_mesh(rig, mesh, {"jawOpen": 0.3, "seal": 1.0})
    gaps = [shape[LOWER, 1] - shape[UPPER, 1] for shape in (mesh, moved)]
    assert np.abs(gaps[1] - gaps[0]).max() < 0.02 * rig.model.pose(mesh).scale


def test_an_open_mouth_shows_teeth_above_and_below_and_the_dark_between(rig, photo):
    picture, mesh = photo
    weights = {"jawOpen": 0.9}
    target = pose_mesh(rig, mesh, weights)
    shown = animate(rig, picture, mesh, target, weights)
    middle = int(target[[13, 14], 0].mean())
    top, bottom = int(target[13, 1]), int(target[14, 1])
    column = shown[top:bottom, middle].astype(int).sum(1)
    thirds = np.array_split(column, 3)
    assert thirds[1].min() < 0.5 * min(thirds[0].max(), thirds[2].max())


def test_the_iris_goes_where_it_is_asked_and_the_lids_stay(rig, photo):
    picture, mesh = photo
    weights = {"gazeRight": 0.08}
    target = pose_mesh(rig, mesh, weights)
    unit = rig.model.pose(mesh).scale
    assert np.allclose((target - mesh)[LEFT_IRIS, 0], 0.08 * unit, rtol=0.05)
    assert np.abs(target - mesh)[:468].max() < 1e-6
    shown = animate(rig, picture, mesh, target, weights).astype(float).sum(2)
    x0, x1 = (round(mesh[k, 0]) for k in (362, 263))
    row = round(mesh[LEFT_IRIS, 1])
    dark = [
        line[x0 + 4 : x1 - 4].argmin() for line in (picture.astype(float).sum(2)[row], shown[row])
    ]
    assert dark[1] - dark[0] == pytest.approx(0.08 * unit, abs=3)


def test_a_rig_is_the_same_after_a_round_trip(rig, photo, tmp_path):
    picture, mesh = photo
    rig.save(tmp_path / "rig.safetensors")
    again = Rig.load(tmp_path / "rig.safetensors", rig.model)
    weights = {"mouthSmile": 0.8, "browInnerUp": 1.0, "jawOpen": 0.3}
    targets = [pose_mesh(each, mesh, weights) for each in (rig, again)]
    assert np.array_equal(*targets)
    first, second = (animate(each, picture, mesh, targets[0], weights) for each in (rig, again))
    assert np.abs(first.astype(int) - second).max() <= 1  # the light's moves are kept in half


def test_a_name_without_side_moves_both_and_an_unknown_one_is_refused(rig):
    amounts = dict(zip(NAMES, rig.amounts({"mouthSmile": 0.5}), strict=True))
    assert amounts.pop("mouthSmile_L") == amounts.pop("mouthSmile_R") == 0.5
    assert not any(amounts.values())
    with pytest.raises(KeyError):
        rig.amounts({"mouthSmirk": 1.0})


def test_draws_are_seeded_and_mirroring_twice_changes_nothing():
    first, second = (draw(np.random.default_rng(3)) for _ in range(2))
    assert first == second
    assert mirrored(mirrored(first[1])) == first[1]


def test_half_an_expression_has_half_the_weights_and_the_same_settings():
    recipe = {"mouthSmile": 0.8, "seal": 1.0}
    assert scaled(recipe, 0.5) == {"mouthSmile": 0.4, "seal": 1.0}


def test_every_blend_names_shapes_of_the_3d_face(rig):
    variants = [blend for blends in RECIPES.values() for blend in blends]
    for blend in [*LOOKS.values(), *CONTROLS.values(), *variants]:
        rig.amounts(blend)


def test_a_blend_is_the_sum_of_its_parts():
    weights = {"eyeBlink_L": 1.0, "gazeDown": 0.1, "browDown": 0.5, "jawOpen": 0.2, "shade": 0.3}
    assert of_parts(weights, ["eyes"]) == {"eyeBlink_L": 1.0, "gazeDown": 0.1, "shade": 0.3}
    assert of_parts(weights, ["mouth", "brows"]) == {"browDown": 0.5, "jawOpen": 0.2, "shade": 0.3}
    assert of_parts(weights, ["mouth", "eyes", "brows"]) == weights


def test_a_person_is_animated_the_same_way_twice(rig, photo):
    picture, mesh = (np.ascontiguousarray(each) for each in photo)
    first, again = (animate_person(rig, picture, mesh, LandmarkDetector(), 3) for _ in range(2))
    assert len(first.names) > len(RECIPES) * 2
    assert first.names == again.names
    assert first.weights == again.weights
    for one, other in zip(first.images, again.images, strict=True):
        assert np.array_equal(one, other)
    assert np.array_equal(first.intended, again.intended)


def test_a_folder_without_the_3d_face_says_what_is_missing(tmp_path):
    for content in (None, b"no archive"):
        if content:
            (tmp_path / "facekit.npz").write_bytes(content)
        with pytest.raises(DataError, match=r"facekit\.npz is missing or not what train\.download"):
            FaceKit.load(tmp_path)


def test_what_was_made_before_a_kill_is_kept_and_the_rest_made_alike(
    rig, photo, tmp_path, monkeypatch
):
    monkeypatch.setattr("train.animated_set.FREE", 1)
    monkeypatch.setattr("train.animated_set.GAINS", (0.7,))
    people = [(name, *(np.ascontiguousarray(each) for each in photo)) for name in ("a", "b")]
    write_animated(rig, people, tmp_path)
    first, second = (tmp_path / f"{name}.safetensors" for name in ("a", "b"))
    made, whole = first.stat().st_mtime_ns, second.read_bytes()
    second.unlink()
    (tmp_path / "b.safetensors.part").write_bytes(whole[:100])  # killed while it was written
    write_animated(rig, people, tmp_path)
    assert first.stat().st_mtime_ns == made
    assert second.read_bytes() == whole
    assert set(read_animated(tmp_path)) == {"a", "b"}


@pytest.mark.slow
def test_many_processes_animate_as_one_does(rig, photo, tmp_path):
    people = [(name, *(np.ascontiguousarray(each) for each in photo)) for name in ("a", "b")]
    for processes in (1, 2):
        write_animated(rig, people, tmp_path / str(processes), processes)
    for name, *_ in people:
        one, two = (tmp_path / folder / f"{name}.safetensors" for folder in ("1", "2"))
        assert one.read_bytes() == two.read_bytes()
