"""The paper's own shape model: PCA of absolute, eye-normalised shapes (eq. 7), then eq. 8.

`s = s̄ + Φ p` is fitted on all training images, neutral and expressed, of everybody; to edit a
person, their neutral shape takes the mean's place: `s = s_N + Φ p`. Flat: every z is 0.
"""

import numpy as np
import torch

from g2gan.shape import ShapeModel
from train.paper import ASSUMED
from train.paper_data import AlignedSequence
from train.sources import DataError

LANDMARKS = 68


def fit_paper_shape_model(
    sequences: list[AlignedSequence], variance: float = ASSUMED.shape_variance
) -> ShapeModel:
    """Eq. 7 on every picture of the training sequences, and the named expressions' parameters.

    An expression's parameters are those of its annotated peaks by eq. 7, less those of the same
    sequence's neutral picture, averaged (an assumption).

    Args:
        sequences: aligned pictures' landmarks; a sequence's last picture is its peak.
        variance: share of the variance that the components explain together.

    Raises:
        DataError: all shapes are the same.
    """
    named = sorted({one.expression for one in sequences if one.expression})
    plain = ShapeModel(points=LANDMARKS)  # knows how shapes are normalised, nothing else yet
    shapes = [_normalised(plain, one.landmarks) for one in sequences]
    rows = np.concatenate(shapes)
    mean = rows.mean(0)
    _, spread, basis = np.linalg.svd(rows - mean, full_matrices=False)
    if spread[0] < 1e-9:
        raise DataError("the landmarks of all training pictures are the same")
    explained = np.cumsum(spread**2) / (spread**2).sum()
    components = int(np.searchsorted(explained, variance) + 1)
    basis = basis[:components].T  # Φ, (136, components)

    def parameters(shape: np.ndarray) -> np.ndarray:
        return (shape - mean) @ basis  # eq. 7 solved for p: the columns of Φ are orthonormal

    table = [np.zeros(components)]
    for name in named:
        moved = [
            parameters(shape[-1]) - parameters(shape[0])
            for shape, one in zip(shapes, sequences, strict=True)
            if one.expression == name
        ]
        table.append(np.mean(moved, 0))
    seen = parameters(rows)
    model = ShapeModel(
        expressions=("neutral", *named),
        components=components,
        neutral_components=1,  # the paper guesses no neutral shape: it detects it
        points=LANDMARKS,
        noise=0.0,
    )
    buffers = {
        "mean": flat_shape(mean.reshape(LANDMARKS, 2)),
        "basis": np.pad(basis.reshape(LANDMARKS, 2, components), ((0, 0), (0, 1), (0, 0))),
        "deviation": seen.std(0),
        "limits": np.stack([seen.min(0), seen.max(0)]),
        "expression_table": np.stack(table),
    }
    for name, value in buffers.items():
        getattr(model, name).copy_(torch.from_numpy(value))
    return model


def flat_shape(landmarks: np.ndarray) -> np.ndarray:
    """Landmarks (68, 2) with z = 0, (68, 3)."""
    return np.column_stack([landmarks, np.zeros(len(landmarks))])


def _normalised(model: ShapeModel, landmarks: np.ndarray) -> np.ndarray:
    """Landmarks (N, 68, 2) as rows (N, 136): eyes' middle at 0, their distance 1, upright."""
    shapes = [flat_shape(points) for points in landmarks]
    return np.stack([model.pose(shape).to_head(shape)[:, :2].ravel() for shape in shapes])
