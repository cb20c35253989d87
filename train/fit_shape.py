"""Neutral and smiling meshes -> a `ShapeModel`: basis, expressions, neutral regressor."""

import numpy as np
import torch

from g2gan.alignment import Frame, transform
from g2gan.mesh import MIRROR
from g2gan.shape import ShapeModel

UNIT = Frame(side=1, eye_distance=1.0, eye_line=0.0)  # eye distance 1; the eyes' middle at (0.5, 0)
RIDGE = 3.0  # flat between 0.01 and 3 in cross-validation over people: the firmest of them
LEEWAY = 1.25  # how far beyond what was seen in training a parameter is still plausible
STRONGER_HALF = 0.5  # "happiness" is the mean of this share of the smiles, the larger ones


def fit_shape_model(neutral: np.ndarray, smiling: np.ndarray, ridge: float = RIDGE) -> ShapeModel:
    """Fit everything that a `ShapeModel` stores.

    Args:
        neutral: meshes (people, readings, 478, 3) of each person's neutral photo, read several
            times (mirrored, shifted), so that the model learns how unsure a reading is.
        smiling: the same of their smiling photo.
        ridge: weight of the neutral regressor's penalty.
    """
    model = ShapeModel(expressions=("neutral", "happiness"))
    _store(model, mean=_mean_shape(neutral))
    at_rest, happy = _in_head(model, neutral), _in_head(model, smiling)
    true_rest = at_rest.mean(1, keepdims=True)

    displacements = _with_mirrors(happy - true_rest).reshape(-1, at_rest[0, 0].size)
    basis, deviation = _principal(displacements, model.config.components, 0.0)
    parameters = displacements @ basis
    limits = LEEWAY * np.stack([parameters.min(0).clip(max=0), parameters.max(0).clip(min=0)])
    _store(model, basis=_as_shapes(basis), deviation=deviation, limits=limits)

    sizes = np.linalg.norm((happy - true_rest).mean(1).reshape(len(happy), -1), axis=1)
    strong = sizes >= np.quantile(sizes, STRONGER_HALF)
    smile = _with_mirrors((happy - true_rest)[strong]).mean((0, 1)).ravel() @ basis
    _store(model, expression_table=np.stack([np.zeros_like(smile), smile]))

    _fit_neutral(model, at_rest, happy, true_rest, ridge)
    return model


def cross_fitted_neutrals(
    neutral: np.ndarray, smiling: np.ndarray, folds: int = 6, ridge: float = RIDGE
) -> tuple[np.ndarray, np.ndarray]:
    """What the neutral regressor says of people whom it was not fitted on.

    Returns:
        The guessed neutral of each neutral and of each smiling mesh, shaped like the arguments.
    """
    folds = min(folds, len(neutral))
    guesses = np.empty_like(neutral), np.empty_like(smiling)
    for fold in range(folds):
        out = np.arange(len(neutral)) % folds == fold
        model = fit_shape_model(neutral[~out], smiling[~out], ridge)
        for guess, meshes in zip(guesses, (neutral, smiling), strict=True):
            guess[out] = [[model.neutral(mesh) for mesh in person] for person in meshes[out]]
    return guesses


def _fit_neutral(
    model: ShapeModel, at_rest: np.ndarray, happy: np.ndarray, true_rest: np.ndarray, ridge: float
) -> None:
    """Ridge regression from shapes to the displacement back to rest; of shapes at rest, none."""
    seen = np.concatenate([_with_mirrors(happy), _with_mirrors(at_rest)])
    back = np.concatenate([_with_mirrors(true_rest - happy), _with_mirrors(0 * at_rest)])
    seen = (seen - model.mean.double().numpy()).reshape(-1, true_rest[0, 0].size)
    back = back.reshape(seen.shape) @ model.basis.double().numpy().reshape(seen.shape[1], -1)
    basis, deviation = _principal(seen, model.config.neutral_components, seen.mean(0))
    features = np.column_stack([seen @ basis, np.ones(len(seen))])
    penalty = len(seen) * ridge * np.diag(np.append(np.full(len(deviation), 1e-3), 0))
    weights = np.linalg.solve(features.T @ features + penalty, features.T @ back)
    _store(model, neutral_basis=_as_shapes(basis), neutral_weights=weights)


def _mean_shape(meshes: np.ndarray, rounds: int = 4) -> np.ndarray:
    """Mean face (478, 3) in the head's frame: symmetric, eye distance 1, eyes' middle at 0."""
    flat = meshes.reshape(-1, *meshes.shape[-2:]).astype(np.float64)
    shapes = np.stack([transform(UNIT.matrix(mesh), mesh) for mesh in flat])
    model = ShapeModel()
    for _ in range(rounds):
        mean = shapes.mean(0)
        mean[:, 0] -= 0.5 if not model.mean.any() else 0
        mean = (mean + _mirrored(mean)) / 2
        mean = transform(UNIT.matrix(mean), mean) - [0.5, 0, 0]
        _store(model, mean=mean)
        shapes = np.stack([model.pose(mesh).to_head(mesh) for mesh in flat])
    return mean


def _in_head(model: ShapeModel, meshes: np.ndarray) -> np.ndarray:
    """Every mesh (..., 478, 3) in the head's frame."""
    flat = meshes.reshape(-1, *meshes.shape[-2:])
    return np.stack([model.pose(mesh).to_head(mesh) for mesh in flat]).reshape(meshes.shape)


def _mirrored(shapes: np.ndarray) -> np.ndarray:
    """Shapes or displacements (..., 478, 3) of the head's frame, left and right exchanged."""
    return shapes[..., MIRROR, :] * [-1, 1, 1]


def _with_mirrors(shapes: np.ndarray) -> np.ndarray:
    return np.concatenate([shapes, _mirrored(shapes)])


def _principal(
    rows: np.ndarray, components: int, centre: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal basis (features, components) round `centre`, and each component's deviation.

    Where there are fewer rows than components, the last ones are zero.
    """
    _, spread, basis = np.linalg.svd(rows - centre, full_matrices=False)
    missing = max(0, components - len(spread))
    basis, spread = np.pad(basis, ((0, missing), (0, 0))), np.pad(spread, (0, missing))
    return basis[:components].T, spread[:components] / np.sqrt(len(rows))


def _as_shapes(basis: np.ndarray) -> np.ndarray:
    return basis.reshape(-1, 3, basis.shape[1])


def _store(model: ShapeModel, **buffers: np.ndarray) -> None:
    for name, value in buffers.items():
        getattr(model, name).copy_(torch.from_numpy(value))
