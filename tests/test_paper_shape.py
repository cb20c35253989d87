"""The paper's shape model: eq. 7 and 8 on shapes that are known."""

import numpy as np
import pytest
import tiny_paper

from g2gan.shape import ShapeModel
from train.paper_data import AlignedSequence
from train.paper_shape import fit_paper_shape_model, flat_shape
from train.sources import DataError


def sequence(shapes: list[np.ndarray], expression: str | None) -> AlignedSequence:
    return AlignedSequence("p", "s", expression, (), np.stack(shapes))


@pytest.fixture(scope="module")
def people() -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    face = tiny_paper.landmarks(rng)
    return [face + rng.normal(0, 2, face.shape) for _ in range(6)]


@pytest.fixture(scope="module")
def opened() -> np.ndarray:
    """What the mouth does in one expression, (68, 2) pixels."""
    return np.array([0, 12.0]) * (np.arange(68) >= 55)[:, None]


@pytest.fixture(scope="module")
def model(people, opened) -> ShapeModel:
    named = [sequence([face, face + opened / 2, face + opened], "surprise") for face in people]
    return fit_paper_shape_model([*named, sequence(people, None)], variance=1 - 1e-9)


def test_every_training_shape_is_the_mean_and_parameters_of_the_basis(model, people):
    mean, basis = model.mean.double().numpy(), model.basis.double().numpy()
    for face in people:
        shape = model.pose(flat_shape(face)).to_head(flat_shape(face))
        parameters = np.tensordot(shape - mean, basis, 2)  # eq. 7
        np.testing.assert_allclose(mean + basis @ parameters, shape, atol=1e-4)


def test_shapes_are_normalised_by_the_eyes_and_stay_flat(model, people):
    turn = np.array([[0.96, 0.28], [-0.28, 0.96]])
    for face in people[:2]:
        straight, turned = flat_shape(face), flat_shape(3 * face @ turn + [50, -20])
        a, b = (model.pose(shape).to_head(shape) for shape in (straight, turned))
        np.testing.assert_allclose(a, b, atol=1e-9)
        eyes = a[[36, 39]].mean(0), a[[42, 45]].mean(0)
        np.testing.assert_allclose(eyes, [(-0.5, 0, 0), (0.5, 0, 0)], atol=1e-9)
    assert not model.mean[:, 2].any()
    assert not model.basis[:, 2].any()


def test_a_named_expression_moves_a_stranger_as_it_moved_the_others(model, opened):
    stranger = 1.5 * tiny_paper.landmarks(np.random.default_rng(9)) + 10
    assert model.expressions == ("neutral", "surprise")
    moved = model.express(flat_shape(stranger), {"surprise": 1.0}) - flat_shape(stranger)
    np.testing.assert_allclose(moved[:, :2], 1.5 * opened, atol=0.5)  # px; eyes move by noise
    half = model.express(flat_shape(stranger), {"surprise": 0.5}) - flat_shape(stranger)
    np.testing.assert_allclose(half, moved / 2, atol=1e-9)


def test_least_squares_finds_the_parameters_that_were_put_in(model, people):
    neutral = flat_shape(people[0])
    parameters = np.linspace(-0.2, 0.2, model.config.components)
    found = model.parameters_between(neutral, model.deform(neutral, parameters))
    np.testing.assert_allclose(found, parameters, atol=1e-2)  # eyes define the pose on both sides


def test_as_many_components_as_explain_the_variance(people, opened):
    shapes = [sequence([face, face + opened], "surprise") for face in people]
    few, all_of_them = (
        fit_paper_shape_model(shapes, variance).config.components for variance in (0.5, 1 - 1e-9)
    )
    assert 1 <= few < all_of_them


def test_it_is_saved_and_loaded_like_any_other(model, tmp_path):
    model.save_pretrained(tmp_path)
    again = ShapeModel.from_pretrained(tmp_path)
    assert again.config.points == 68
    assert again.basis.equal(model.basis)


def test_shapes_without_any_difference_are_refused(people):
    with pytest.raises(DataError, match="the same"):
        fit_paper_shape_model([sequence([people[0]] * 3, None)])
