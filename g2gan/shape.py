"""The shape model: which geometry an expression gives a person, and which they have without it.

Shapes are the detector's mesh, (478, 3), in pixels. Inside, they are turned into the *head's
frame* (the similarity in space that lays the rigid points on the mean neutral face, unit: the eye
distance), so that a turned head smiles along its own face.

With `points=68` the same class holds the paper's model: shapes are the 68 landmarks, (68, 3) with
z = 0, normalised by the eyes alone.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from diffusers.configuration_utils import register_to_config

from g2gan.alignment import eye_centres
from g2gan.errors import PartError, UnknownExpressionError
from g2gan.landmarks import LANDMARKS_68
from g2gan.mesh import LEFT_EYE, LEFT_IRIS, POINTS, RIGHT_EYE, RIGHT_IRIS, RIGID
from g2gan.models.checkpointed import CheckpointedModel
from g2gan.own import own_numbers

HANDLES = np.array(LANDMARKS_68)
LANDMARKS = len(LANDMARKS_68)
STRONGEST = 2.0  # intensity, or share of an expression; beyond it faces come apart
SPREAD = 0.3  # eye distances over which a landmark pulls its surroundings along
RELUCTANCE = 0.035  # eye distances by which what nobody touched may follow a dragged landmark
RIGHT_GAZE, LEFT_GAZE = LANDMARKS, LANDMARKS + 1  # the irises, where landmarks are moved
# Parts of a face that are edited or kept by themselves, and the landmarks that belong to each
PARTS = {
    "mouth": (*range(3, 14), *range(31, 36), *range(48, 68)),
    "eyes": tuple(range(36, 48)),
    "brows": tuple(range(17, 27)),
}
EYEBALL = 0.19  # radius in eye distances: 12 of 63 mm
LIDS = 0.06  # eye distances round an eye's opening in which skin goes with the lids
ASLEEP = (0.5, 0.65)  # share of the mean face's opening: lids that are closed, and that are not
OPENED = (0.4, 1.6)  # limits of how far a person's eyes are open, as a share of the mean face's
# Points of the inner and the outer rim of the upper and the lower lip
LIPS = (((13, 0), (82, 37), (312, 267)), ((14, 17), (87, 84), (317, 314)))
TOPIC = 5  # of `own_numbers`: one in which each tells people well apart
PART_BORDER = 0.06  # eye distances over which one part gives way to the next


@dataclass(frozen=True)
class Pose:
    """Where a head is: `point = scale * head_point @ rotation + offset`, in pixels of the photo."""

    scale: float
    rotation: np.ndarray
    offset: np.ndarray

    def to_head(self, mesh: np.ndarray) -> np.ndarray:
        """Points (N, 3) of the photo in the head's frame."""
        return (mesh - self.offset) @ self.rotation.T / self.scale

    def displacement(self, in_head: np.ndarray) -> np.ndarray:
        """A displacement (N, 3) in the head's frame, in pixels of the photo."""
        return self.scale * in_head @ self.rotation


class ShapeModel(CheckpointedModel):
    """`s = s_N + Φ p` (eq. 8): expression moves, identity stays.

    `Φ` is a basis of displacements from each person's own neutral shape. The 68 landmarks are its
    handles. Everything learned is a buffer; `train.fit_shape` fills them.

    Args:
        expressions: names of the stored expressions, "neutral" first.
        looks: names of variants and combinations that were learned ("laugh", "wink left").
        controls: names of single movements ("open jaw", "smile left").
        components: columns of Φ.
        neutral_components: principal components of a shape by which its neutral one is guessed.
        kinds: of expressions that the guess tells apart, besides a face at rest.
        ways: in which people's smiles differ from each other.
        points: of a shape, 478 for the mesh or 68 for the paper's landmarks. Where this says
            (478, 3) elsewhere, it is (points, 3).
        noise: what a point is off by, in eye distances, when parameters are fitted to it; 0 for
            plain least squares.
    """

    @register_to_config
    def __init__(
        self,
        expressions: tuple[str, ...] = ("neutral",),
        looks: tuple[str, ...] = (),
        controls: tuple[str, ...] = (),
        components: int = 20,
        neutral_components: int = 24,
        kinds: int = 1,
        ways: int = 0,
        points: int = POINTS,
        noise: float = 0.01,
    ) -> None:
        super().__init__()
        shapes = {
            "mean": (points, 3),  # mean neutral face in the head's frame
            "basis": (points, 3, components),
            "deviation": (components,),  # of each parameter in training
            "limits": (2, components),  # the least and the greatest plausible value of each
            "expression_table": (len(expressions) + len(looks) + len(controls), components),
            # What each of a face's `own_numbers` does to its smile, then how thick either lip is,
            # and last the constant
            "own_smiles": (ways + len(LIPS) + 1, components),
            "neutral_basis": (points, 3, neutral_components),
            # Per kind and component, and last the constant: the displacement, and how likely the
            # kind is (logarithm); at rest is the last kind and moves nothing.
            "neutral_weights": (kinds, neutral_components + 1, points, 3),
            "neutral_kinds": (neutral_components + 1, kinds + 1),
        }
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape))

    def to(self, *args, **kwargs) -> Self:
        """As torch's, to another device; but geometry stays in single precision."""
        kwargs.pop("dtype", None)
        return super().to(*(each for each in args if not isinstance(each, torch.dtype)), **kwargs)

    @property
    def expressions(self) -> tuple[str, ...]:
        """The named expressions, "neutral" first."""
        return tuple(self.config.expressions)

    @property
    def looks(self) -> tuple[str, ...]:
        """Named variants and combinations: those that were learned, then those of `aimed`."""
        return (*self.config.looks, *(name for name in self.aims if name not in self.learned))

    @property
    def controls(self) -> tuple[str, ...]:
        """Named single movements."""
        return tuple(self.config.controls)

    @property
    def names(self) -> tuple[str, ...]:
        """All that `express` knows: expressions, looks, controls."""
        return self.expressions + self.looks + self.controls

    @property
    def learned(self) -> tuple[str, ...]:
        """Those that have parameters, in the order of the expression table's rows."""
        return (*self.expressions, *self.config.looks, *self.controls)

    def pose(self, mesh: np.ndarray) -> Pose:
        """The similarity in space that carries the mean neutral face to `mesh` (478, 3).

        Least squares over the rigid points (Umeyama 1991); of the paper's landmarks, the one in the
        picture's plane that brings both eye centres to (-0.5, 0) and (0.5, 0).
        """
        if self.config.points == LANDMARKS:
            return _pose_by_eyes(mesh)
        model, seen = self._array("mean")[list(RIGID)], np.asarray(mesh, np.float64)[list(RIGID)]
        model_centre, seen_centre = model.mean(0), seen.mean(0)
        u, spread, v = np.linalg.svd((model - model_centre).T @ (seen - seen_centre))
        flip = np.array([1, 1, np.sign(np.linalg.det(u @ v))])
        rotation = (u * flip) @ v
        scale = float((spread * flip).sum() / ((model - model_centre) ** 2).sum())
        return Pose(scale, rotation, seen_centre - scale * model_centre @ rotation)

    def express(self, neutral: np.ndarray, weights: Mapping[str, float]) -> np.ndarray:
        """The neutral mesh (478, 3) with a blend of named expressions, eq. 8.

        Args:
            neutral: the person's neutral mesh in pixels.
            weights: one of `names` -> intensity; 0 changes nothing, 1 is the mean of training.

        Raises:
            UnknownExpressionError: a name is not in `names`.
        """
        return self.deform(neutral, self.parameters_of(weights)) + self.aimed(neutral, weights)

    def parameters_of(self, weights: Mapping[str, float]) -> np.ndarray:
        """Parameters p (components,) of a blend of names, without what `aimed` adds.

        Raises:
            UnknownExpressionError: a name is not in `names`.
        """
        table = self._array("expression_table")
        total = np.zeros(table.shape[1])
        for name, weight in weights.items():
            if name not in self.names:
                raise UnknownExpressionError(
                    f"unknown expression {name!r}; this checkpoint knows " + ", ".join(self.names)
                )
            if name in self.learned:
                total += weight * table[self.learned.index(name)]
        return total

    def aimed(self, mesh: np.ndarray, weights: Mapping[str, float]) -> np.ndarray:
        """What names do to a face beside `Φ p`, which is the same for all, (478, 3) in pixels.

        "look at camera" and "open eyes" lead each face from where its own eyes are to a place that
        is the same for all. "happiness" is everybody's own: people smile in different ways, and
        what is a face's own (`own_numbers`) says in which.

        Args:
            mesh: (478, 3), the face before.
            weights: a blend as in `express`; its other names do nothing here.
        """
        moved = np.zeros_like(mesh)
        for name, aim in self.aims.items():
            if name in weights:
                moved += weights[name] * (aim(mesh) - mesh)
        return moved

    @property
    def aims(self) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
        """Name -> the mesh at full weight; none with the paper's landmarks, which know no iris."""
        if self.config.points == LANDMARKS:
            return {}
        aims = {"look at camera": self.look_at_camera, "open eyes": self.open_eyes}
        return aims | {"happiness": self.own_smile} if self.config.ways else aims

    def own_smile(self, mesh: np.ndarray) -> np.ndarray:
        """The mesh (478, 3) moved by what this person's smile has that "happiness" has not."""
        numbers = own_numbers(mesh, self.config.ways, TOPIC)
        features = np.concatenate([numbers, lip_thickness(self.pose(mesh).to_head(mesh)), [1.0]])
        return self.deform(mesh, features @ self._array("own_smiles"))

    def deform(self, neutral: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        """`s_N + Φ p`: the neutral mesh (478, 3) moved by parameters (components,), in its pose."""
        pose = self.pose(neutral)
        return neutral + pose.displacement(self.basis_of(pose.to_head(neutral)) @ parameters)

    def basis_of(self, head: np.ndarray) -> np.ndarray:
        """Φ for one person, (478, 3, components): their lids move as far as their eyes are open.

        Args:
            head: their mesh (478, 3) in the head's frame.
        """
        basis = self._array("basis")
        if self.config.points == LANDMARKS:
            return basis
        mean, factor = self._array("mean"), np.ones(self.config.points)
        for ring in (RIGHT_EYE, LEFT_EYE):
            lower, upper = list(ring[1:8]), list(ring[:8:-1])
            own, usual = ((each[lower, 1] - each[upper, 1]).mean() for each in (head, mean))
            gaps = np.linalg.norm(mean[:, None, :2] - mean[None, list(ring), :2], axis=-1).min(1)
            of_lids = np.exp(-((gaps / LIDS) ** 2))
            factor += of_lids * (np.clip(own / max(usual, 1e-6), *OPENED) - 1)
        return basis * factor[:, None, None]

    def neutral(self, mesh: np.ndarray) -> np.ndarray:
        """The person's neutral mesh (478, 3), guessed from an expressed one.

        `s_N = E[s_N | s]` where a shape is a face at rest plus a displacement, each normally
        distributed, and the displacement is of one of several kinds: linear within each kind, and
        averaged over how likely each is. A face at rest stays as it is.
        """
        pose = self.pose(mesh)
        seen = pose.to_head(mesh) - self._array("mean")
        features = np.append(np.tensordot(seen, self._array("neutral_basis"), 2), 1.0)
        scores = features @ self._array("neutral_kinds")
        likely = np.exp(scores - np.logaddexp.reduce(scores))
        moved = np.einsum("k,f,kfpc->pc", likely[:-1], features, self._array("neutral_weights"))
        return mesh + pose.displacement(moved)

    def part_share(self, parts: Collection[str]) -> np.ndarray:
        """How far each point (478,) belongs to some of `PARTS`, in [0, 1]; to all of them: 1.

        Raises:
            PartError: there is no such part, or none is named.
        """
        unknown = sorted(set(parts) - set(PARTS))
        if unknown or not parts:
            raise PartError(f"parts are {', '.join(PARTS)}, got {', '.join(unknown) or 'none'}")
        mean, nearness_of = self._array("mean")[:, :2], {}
        for part, landmarks in PARTS.items():
            ends = mean[self._handles[list(landmarks)]]
            gaps = np.linalg.norm(mean[:, None] - ends, axis=-1).min(1)
            nearness_of[part] = np.exp(-gaps / PART_BORDER)
        return sum(nearness_of[part] for part in set(parts)) / sum(nearness_of.values())

    def look_at_camera(self, mesh: np.ndarray) -> np.ndarray:
        """The mesh (478, 3) with its irises where they look at the camera, all else as it is.

        They stand in their eyes as those of the mean face do, turned against the head.
        """
        pose, mean = self.pose(mesh), self._array("mean")
        head = pose.to_head(mesh)
        to_camera = -EYEBALL * pose.rotation[:2, 2]
        for eye, iris in ((RIGHT_EYE, RIGHT_IRIS), (LEFT_EYE, LEFT_IRIS)):
            corners = [eye[0], eye[8]]
            usual = mean[iris, :2] - mean[corners, :2].mean(0) + to_camera
            head[iris : iris + 5, :2] += head[corners, :2].mean(0) + usual - head[iris, :2]
        return mesh + pose.displacement(head - pose.to_head(mesh))

    def open_eyes(self, mesh: np.ndarray) -> np.ndarray:
        """The mesh (478, 3) with lids open that are closed or nearly so, all else as it is.

        They open to what the mean face's do; eyes that are only narrow stay as narrow.
        """
        pose, mean = self.pose(mesh), self._array("mean")
        head = pose.to_head(mesh)
        moved = np.zeros_like(head)
        for ring in (RIGHT_EYE, LEFT_EYE):
            lids = np.array(ring)
            lower, upper = lids[1:8], lids[:8:-1]
            own, usual = ((each[lower, 1] - each[upper, 1]).mean() for each in (head, mean))
            shut = np.clip((ASLEEP[1] - own / usual) / (ASLEEP[1] - ASLEEP[0]), 0, 1)
            corners = [ring[0], ring[8]]
            aim = mean[lids] - mean[corners].mean(0) + head[corners].mean(0)
            change = shut * (aim - head[lids])[:, :2]
            change[[0, 8]] = 0
            gaps = np.linalg.norm(mean[:, None, :2] - mean[None, lids, :2], axis=-1)
            nearest = gaps.argmin(1)
            moved[:, :2] += np.exp(-((gaps.min(1) / LIDS) ** 2))[:, None] * change[nearest]
        moved[RIGHT_IRIS:] = 0
        return mesh + pose.displacement(moved)

    def parameters_between(self, neutral: np.ndarray, expressed: np.ndarray) -> np.ndarray:
        """Parameters p (components,) that best lead from a neutral mesh to an expressed one."""
        head = self.pose(neutral).to_head(neutral)
        asked = self.pose(expressed).to_head(expressed) - head
        return self._least_squares(asked, self.basis_of(head))

    def follow(self, neutral: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """The mesh (478, 3) on which the 68 landmarks lie as asked and the rest looks plausible.

        The parameters that come nearest explain what they can; what remains is spread smoothly
        round each landmark, so that the asked places are met.

        Args:
            neutral: the person's neutral mesh in pixels.
            landmarks: (68, 2), in pixels of the same photo.
        """
        pose, handles = self.pose(neutral), self._handles
        asked = np.zeros((len(handles), 3))
        asked[:, :2] = landmarks - neutral[handles, :2]
        in_head = asked @ pose.rotation.T / pose.scale
        basis = self.basis_of(pose.to_head(neutral))
        fitted = self._least_squares(in_head, basis[handles])
        explained = basis @ np.clip(fitted, *self._array("limits"))
        mesh = neutral + pose.displacement(explained)
        mesh[:, :2] += self._spread() @ (landmarks - mesh[handles, :2])
        return mesh

    def drag(
        self,
        start: np.ndarray,
        weights: Mapping[str, float],
        moves: Mapping[int, tuple[float, float]],
    ) -> np.ndarray:
        """`express` with some landmarks moved by hand, the rest as plausible as it was.

        The moved points are held: parameters follow them as far as faces do that, reluctantly
        where it would move what nobody touched; what remains is spread smoothly round each.

        Args:
            start: the mesh (478, 3) in pixels that the expression starts from.
            weights: of the expression without the moves, as in `express`.
            moves: landmark, 0 to 67, or `RIGHT_GAZE` and `LEFT_GAZE` for the irises -> its (x, y)
                in the head's frame: to the right and down, in eye distances.

        Raises:
            UnknownExpressionError: a name is not in `names`.
        """
        pose, parameters = self.pose(start), self.parameters_of(weights)
        basis = self.basis_of(pose.to_head(start))
        turn = pose.rotation[:, :2]
        moved = {
            landmark: np.array([x, y]) @ turn[:2]
            for landmark, (x, y) in moves.items()
            if landmark < LANDMARKS
        }
        held, asked = list(moved), np.array(list(moved.values())).reshape(-1, 2)
        if held:
            in_picture = np.einsum("pck,cd->pdk", basis[self._handles], turn)
            trust = np.full(LANDMARKS, 1 / RELUCTANCE)
            trust[held] = 1 / max(self.config.noise, 1e-3)
            weighted = (in_picture * trust[:, None, None]).reshape(2 * LANDMARKS, -1)
            aim = np.zeros((LANDMARKS, 2))
            aim[held] = asked * trust[held, None]
            prior = np.diag(np.maximum(self._array("deviation"), 1e-6) ** -2)
            change = np.linalg.solve(weighted.T @ weighted + prior, weighted.T @ aim.ravel())
            low, high = self._array("limits")
            followed = np.clip(
                parameters + change, np.minimum(low, parameters), np.maximum(high, parameters)
            )
            asked = asked - in_picture[held] @ (followed - parameters)
            parameters = followed
        mesh = start + pose.displacement(basis @ parameters) + self.aimed(start, weights)
        if held:
            mesh[:, :2] += pose.scale * self._pull(self._handles[held]) @ asked
        for gaze, iris in ((RIGHT_GAZE, RIGHT_IRIS), (LEFT_GAZE, LEFT_IRIS)):
            if gaze in moves:
                mesh[iris : iris + 5, :2] += pose.scale * np.array(moves[gaze]) @ turn[:2]
        return mesh

    def _least_squares(self, asked: np.ndarray, basis: np.ndarray) -> np.ndarray:
        """The likeliest parameters whose displacement `basis @ p` comes near `asked` (N, 3).

        Depth counts little: it is the least sure of what a detector says.
        """
        trust = np.array([1, 1, 0.1])[:, None]
        basis = (basis * trust).reshape(-1, self.config.components)
        prior = np.diag((self.config.noise / np.maximum(self._array("deviation"), 1e-6)) ** 2)
        aim = (asked * trust[:, 0]).ravel()
        return np.linalg.solve(basis.T @ basis + prior, basis.T @ aim)

    def _spread(self) -> np.ndarray:
        """(478, 68): how far each point follows each landmark, interpolating at the landmarks."""
        return self._pull(self._handles)

    def _pull(self, points: np.ndarray) -> np.ndarray:
        """(478, N): how far each point follows each of some points, interpolating at these."""
        pull = nearness(self.apart(), points)
        return np.linalg.solve(pull[points], pull.T).T

    def apart(self) -> np.ndarray:
        """(478, 2): the mean face with its lips apart, so that the upper does not pull the lower.

        In the head's frame; distances between points are what `SPREAD` is measured in.
        """
        shape = self._array("mean").copy()
        if len(self.expressions) > 1:
            named = self._array("expression_table")[1 : len(self.expressions)]
            shape += 2 * self._array("basis") @ named.mean(0)
        return shape[:, :2]

    @property
    def _handles(self) -> np.ndarray:
        """Which points of a shape are the 68 landmarks."""
        return HANDLES if self.config.points == POINTS else np.arange(LANDMARKS)

    def _array(self, name: str) -> np.ndarray:
        return getattr(self, name).detach().cpu().numpy().astype(np.float64)


def lip_thickness(head: np.ndarray) -> np.ndarray:
    """How thick both lips of a mesh (478, 3) in the head's frame are, (2,): the thicker, the more
    they thin in a smile."""
    return np.array(
        [np.linalg.norm(np.diff(head[np.array(lip)], axis=1), axis=-1).mean() for lip in LIPS]
    )


def nearness(shape: np.ndarray, handles: np.ndarray) -> np.ndarray:
    """(N, handles): 1 at a handle, falling with the distance from it.

    Args:
        shape: (N, 2 or 3) in eye distances.
        handles: indices of points of it.
    """
    gaps = np.linalg.norm(shape[:, None, :2] - shape[None, handles, :2], axis=-1) / SPREAD
    return np.exp(-gaps)  # the kernel that never overshoots between points that lie close


def _pose_by_eyes(landmarks: np.ndarray) -> Pose:
    """Where a flat shape (68, 3) is: upright and of eye distance 1, its eyes' middle is at 0."""
    right, left = eye_centres(landmarks)
    scale = float(np.hypot(*(left - right)))
    cos, sin = (left - right) / scale
    rotation = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    return Pose(scale, rotation, np.append((right + left) / 2, 0))
