"""Photographed and animated meshes -> a `ShapeModel`: basis, expressions, neutral shapes."""

from dataclasses import dataclass

import numpy as np
import torch

from g2gan.alignment import EYE_CORNERS, Frame, transform
from g2gan.mesh import MIRROR
from g2gan.own import own_numbers
from g2gan.shape import TOPIC, ShapeModel, lip_thickness
from train.sources import person_of

UNIT = Frame(side=1, eye_distance=1.0, eye_line=0.0)  # eye distance 1; the eyes' middle at (0.5, 0)
LEEWAY = 1.25  # how far beyond what was seen in training a parameter is still plausible
COMPONENTS, NEUTRAL_COMPONENTS = 56, 96  # with animated expressions
# How a neutral shape is guessed, by cross-validation over people. The few photographed faces move
# differently by chance: this share of their covariance counts. Who wants a neutral face shows a
# photographed expression so many times as often as an animated one or none. What a point is off by
# at least, in eye distances; how far depth is trusted; how far the covariance within kinds, which
# tells them apart, is made round.
SHRUNK, OFTEN = 0.5, 8.0
POINT_NOISE, DEPTH, ROUNDED = 0.005, 0.3, 0.02
STRONGER_HALF = 0.5  # an expression is the mean of this share of its pairs, the larger ones;
# "happiness" of those only that part the lips by so many eye distances (a mean of open and closed
# smiles is neither), a little milder, for broader ones lift the upper lip as disgust does, and with
# a squint: smiles for a camera leave the eyes out, the rest do not
PARTED, MILDER = 0.05, 0.9
TWINKLE, SQUINTS = 0.6, ("squint left", "squint right")
WAYS = 6  # in which those smiles differ most; everybody's own does by a deviation at most


@dataclass(frozen=True)
class Kind:
    """Faces that show one kind of expression, shapes (N, 478, 3) in the head's frame.

    Args:
        seen: as they are.
        rest: the same people's at rest.
        share: of the covariance of their displacements that is believed.
        often: how often there is one, for each face that is at rest already.
    """

    seen: np.ndarray
    rest: np.ndarray
    share: float = 1.0
    often: float = 1.0


@dataclass(frozen=True)
class AnimatedShapes:
    """What animating people's neutral photos gave.

    Args:
        people: (N,), whose.
        neutral: (N, 478, 3), before.
        intended: (N, 478, 3), as asked.
        detected: (N, 478, 3), as the detector reads the animated pictures.
        expressions, looks, controls: name -> displacement (478, 3) in the head's frame.
    """

    people: np.ndarray
    neutral: np.ndarray
    intended: np.ndarray
    detected: np.ndarray
    expressions: dict[str, np.ndarray]
    looks: dict[str, np.ndarray]
    controls: dict[str, np.ndarray]

    def of(self, chosen: np.ndarray) -> "AnimatedShapes":
        """The chosen (N,) pictures alone."""
        arrays = (self.people, self.neutral, self.intended, self.detected)
        return AnimatedShapes(
            *(array[chosen] for array in arrays), self.expressions, self.looks, self.controls
        )


def fit_shape_model(
    neutral: np.ndarray,
    smiling: np.ndarray,
    animated: AnimatedShapes | None = None,
    expressions: list[str | None] | None = None,
) -> ShapeModel:
    """Fit everything that a `ShapeModel` stores.

    Args:
        neutral: meshes (people, readings, 478, 3) of each person's neutral photo, read several
            times (mirrored, shifted), so that the model learns how unsure a reading is.
        smiling: the same of their smiling photo.
        animated: other expressions; without them, the model knows what was photographed alone.
        expressions: what each "smiling" photo shows, `None` for what has no name; by default all
            show "happiness".
    """
    shown = np.array(expressions or ["happiness"] * len(smiling), object)
    photographed = {name for name in shown if name}
    chosen = {name: shown == name for name in photographed}
    if "happiness" in chosen:
        chosen["happiness"] &= _parts_lips(neutral, smiling, chosen["happiness"])
    model = _sized_model(animated, photographed)
    _store(model, mean=_mean_shape(neutral))
    at_rest, happy = _in_head(model, neutral), _in_head(model, smiling)
    true_rest = at_rest.mean(1, keepdims=True)
    displacement = happy - true_rest
    smiles = _with_mirrors(displacement).reshape(-1, at_rest[0, 0].size)
    displaced = {name: displacement[who] for name, who in chosen.items()}
    named = {
        name: _with_mirrors(moved.mean(1)[_stronger(moved)]).mean(0)
        for name, moved in displaced.items()
    }

    rows, identities = [smiles], true_rest[:, 0]
    readings = (happy.reshape(-1, *happy.shape[2:]), np.repeat(identities, happy.shape[1], 0))
    kinds = [Kind(*readings, SHRUNK, OFTEN)]
    if animated is not None:
        rest, moved, read = (
            _in_head(model, meshes)
            for meshes in (animated.neutral, animated.intended, animated.detected)
        )
        controls = animated.controls
        if "happiness" in named:
            twinkle = TWINKLE * sum(controls[squint] for squint in SQUINTS)
            named["happiness"] = MILDER * named["happiness"] + twinkle
        named = animated.expressions | named | animated.looks | controls
        directions = _with_mirrors(np.stack([*named.values()]))
        moves = _with_mirrors(moved - rest)
        rows += [moves.reshape(len(moves), -1), directions.reshape(len(directions), -1)]
        repeats = max(1, len(moves) // (2 * len(smiles)))  # photographs count half as much together
        rows += [smiles] * (repeats - 1)
        identities = rest[np.unique(animated.people, return_index=True)[1]]
        kinds.append(Kind(read, rest))
    displacements = np.concatenate(rows)
    basis, deviation = _principal(displacements, model.config.components, 0.0)
    parameters = displacements @ basis
    limits = LEEWAY * np.stack([parameters.min(0).clip(max=0), parameters.max(0).clip(min=0)])
    table = [named[name].ravel() @ basis for name in model.learned[1:]]
    _store(model, basis=_as_shapes(basis), deviation=deviation, limits=limits)
    _store(model, expression_table=np.stack([np.zeros_like(deviation), *table]))
    if "happiness" in displaced:
        own = _own_smiles(displaced["happiness"], true_rest[chosen["happiness"], 0], neutral, basis)
        _store(model, own_smiles=own)
    _fit_neutral(model, identities, at_rest, kinds, happy - happy.mean(1, keepdims=True))
    return model


def _stronger(moved: np.ndarray) -> np.ndarray:
    """Which of displacements (people, readings, 478, 3) are the larger ones, (people,) boolean."""
    sizes = np.linalg.norm(moved.mean(1).reshape(len(moved), -1), axis=1)
    return sizes >= np.quantile(sizes, STRONGER_HALF)


def _own_smiles(
    moved: np.ndarray, at_rest: np.ndarray, neutral: np.ndarray, basis: np.ndarray
) -> np.ndarray:
    """What makes smiles differ, (WAYS + 2 + 1, components): own numbers, lips, the constant.

    Lips thin by as much as their thickness tells (a ridge regression, since that is read with an
    error). In what nothing tells, people's smiles differ in the ways that the given ones do, by
    their deviation at most; but nobody's are fainter or stronger, since `intensity` says how much
    they smile.

    Args:
        moved: displacements (people, readings, 478, 3) of those whose smiles these are.
        at_rest: the same people's neutral shapes (people, 478, 3) in the head's frame.
        neutral: everybody's meshes (people, readings, 478, 3).
        basis: Φ, (features, components).
    """
    smiles = _with_mirrors(moved.mean(1)).reshape(2 * len(moved), -1) @ basis
    thickness = np.array([lip_thickness(shape) for shape in at_rest])
    stronger = np.tile(_stronger(moved), 2)
    strong = smiles[stronger].mean(0)
    smiles = smiles - np.outer(smiles @ strong / (strong @ strong), strong)
    thicker = np.tile(thickness - thickness.mean(0), (2, 1))
    unsure = len(smiles) * POINT_NOISE**2 * np.eye(thicker.shape[1])
    thinning = np.linalg.solve(thicker.T @ thicker + unsure, thicker.T @ smiles)
    rest = (smiles - thicker @ thinning)[stronger]
    ways, deviations = _principal(rest, WAYS, rest.mean(0))
    numbers = np.array([own_numbers(each.mean(0), WAYS, TOPIC) for each in neutral])
    slope = np.vstack([deviations[:, None] * ways.T, thinning])
    usual = np.append(numbers.mean(0), thickness.mean(0))
    return np.vstack([slope, -usual @ slope])


def _parts_lips(neutral: np.ndarray, smiling: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Whose lips part in the smile, (people,) boolean; everybody's, where none of the asked do.

    Args:
        neutral, smiling: meshes (people, readings, 478, 3).
        asked: (people,) boolean.
    """

    def gap(meshes: np.ndarray) -> np.ndarray:
        right, left = (meshes[..., list(corners), :2].mean(-2) for corners in EYE_CORNERS)
        lips = np.linalg.norm(meshes[..., 13, :2] - meshes[..., 14, :2], axis=-1)
        return (lips / np.linalg.norm(left - right, axis=-1)).mean(1)

    parted = gap(smiling) - gap(neutral) > PARTED
    return parted if (parted & asked).any() else np.ones(len(parted), bool)


def _sized_model(animated: AnimatedShapes | None, photographed: set[str]) -> ShapeModel:
    """An empty model that can hold what is to be fitted."""
    ways = WAYS if "happiness" in photographed else 0
    if animated is None:
        return ShapeModel(expressions=("neutral", *sorted(photographed)), ways=ways)
    return ShapeModel(
        expressions=("neutral", *sorted({*animated.expressions, *photographed})),
        looks=tuple(animated.looks),
        controls=tuple(animated.controls),
        components=COMPONENTS,
        neutral_components=NEUTRAL_COMPONENTS,
        kinds=2,
        ways=ways,
    )


def cross_fitted_neutrals(
    neutral: np.ndarray,
    smiling: np.ndarray,
    animated: AnimatedShapes | None = None,
    people: list[str] | None = None,
    folds: int = 6,
) -> tuple[np.ndarray, np.ndarray]:
    """What is guessed of people whom it was not fitted on.

    `people` names the pairs of the first axis, so that nobody's other pairs and animated shapes are
    in their own fit.

    Returns:
        The guessed neutral of each neutral and of each smiling mesh, shaped like the arguments.
    """
    whose = [person_of(name) for name in people] if people else list(range(len(neutral)))
    number = {person: index for index, person in enumerate(dict.fromkeys(whose))}
    folds = min(folds, len(number))
    fold_of = np.array([number[person] % folds for person in whose])
    guesses = np.empty_like(neutral), np.empty_like(smiling)
    for fold in range(folds):
        out = fold_of == fold
        others = animated
        if animated is not None:
            others = animated.of(~np.isin(animated.people, np.array(people)[out]))
        model = fit_shape_model(neutral[~out], smiling[~out], others)
        for guess, meshes in zip(guesses, (neutral, smiling), strict=True):
            guess[out] = [[model.neutral(mesh) for mesh in person] for person in meshes[out]]
    return guesses


def _fit_neutral(
    model: ShapeModel,
    identities: np.ndarray,
    at_rest: np.ndarray,
    kinds: list[Kind],
    errors: np.ndarray,
) -> None:
    """The linear-Gaussian model behind `ShapeModel.neutral`.

    With s = n + d + e, all of them normal and independent, E[d | s] = E d + Cov(d) Cov(s)^-1 (s -
    E s), where Cov(s) = Cov(n) + Cov(d) + Cov(e). Which kind d is of, linear discriminants say
    (Fisher 1936; their covariance is regularised as Friedman 1989 does).

    Args:
        identities: (people, 478, 3), n: everybody at rest, also those of whom no more is known.
        at_rest: (..., 478, 3), faces at rest as they are read; the last of the kinds.
        errors: (..., 478, 3), e: by how much readings of one face differ.
    """
    trust = np.array([1, 1, DEPTH])
    mean = model.mean.double().numpy()

    def rows_of(shapes: np.ndarray) -> np.ndarray:
        return (_with_mirrors(shapes) * trust).reshape(-1, mean.size)

    groups = [rows_of(shapes - mean) for shapes in (*(kind.seen for kind in kinds), at_rest)]
    spread = np.concatenate([rows / np.sqrt(len(rows)) for rows in groups])
    basis = _principal(spread, model.config.neutral_components, 0.0)[0]
    size = basis.shape[1]
    noise = _covariance(rows_of(errors) @ basis) + POINT_NOISE**2 * np.eye(size)
    people = rows_of(identities - mean) @ basis
    weights = []
    for kind in kinds:
        moved = rows_of(kind.seen - kind.rest) @ basis
        back = _with_mirrors(kind.rest - kind.seen).reshape(len(moved), -1)
        total = _covariance(people) + kind.share * _covariance(moved) + noise
        slope = np.linalg.solve(total, kind.share * _covariance(moved, back))
        expected = people.mean(0) + moved.mean(0)
        weights.append(np.vstack([slope, back.mean(0) - expected @ slope]))
    groups = [rows @ basis for rows in groups]
    means = np.array([rows.mean(0) for rows in groups])
    within = np.mean([_covariance(rows) for rows in groups], 0)
    within += ROUNDED * np.trace(within) / size * np.eye(size)
    scores = np.linalg.solve(within, means.T)
    often = np.log([kind.often for kind in kinds] + [1.0])
    constants = often - (means.T * scores).sum(0) / 2
    _store(
        model,
        neutral_basis=_as_shapes(basis) * trust[:, None],
        neutral_weights=np.reshape(weights, (len(kinds), size + 1, -1, 3)),
        neutral_kinds=np.vstack([scores, constants]),
    )


def _covariance(rows: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
    """Of the columns of (N, A) with those of (N, B) or with themselves, (A, B)."""
    others = rows if others is None else others
    return (rows - rows.mean(0)).T @ (others - others.mean(0)) / len(rows)


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
