"""Real components in miniature: a drawn face's mesh, people who smile, a model, a pipeline.

The two cached ones are shared between tests: change a copy, never them.
"""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from faces import draw_face

from g2gan.alignment import eye_centres
from g2gan.landmarks import LandmarkDetector
from g2gan.mesh import INNER_LIPS, OUTER_LIPS
from g2gan.models.warp_generator import WarpGenerator
from g2gan.pipeline import G2GAN
from g2gan.shape import ShapeModel
from train.fit_shape import fit_shape_model

LOWER_LIP, UPPER_LIP = (
    [index for ring in (OUTER_LIPS, INNER_LIPS) for index in ring[half]]
    for half in (slice(1, 10), slice(11, None))
)
RIGHT_CORNER, LEFT_CORNER = 61, 291  # of the mouth


@cache
def face_mesh() -> np.ndarray:
    """The mesh (478, 3) that the detector reads on `draw_face(512)`, in its pixels; read-only."""
    mesh = LandmarkDetector().detect(draw_face(512))[0].mesh
    mesh.setflags(write=False)
    return mesh


def eye_distance(mesh: np.ndarray) -> float:
    right, left = eye_centres(mesh)
    return float(np.hypot(*(left - right)))


def smile(mesh: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """A frontal mesh (478, 3) with a smile: corners out and up, lips apart, the rest follows."""
    unit = eye_distance(mesh)
    right, left = mesh[RIGHT_CORNER], mesh[LEFT_CORNER]
    middle = (right + left) / 2
    moved = np.zeros_like(mesh)
    for corner in (right, left):
        near = np.exp(-(((mesh - corner)[:, :2] / unit) ** 2).sum(1) / (2 * 0.25**2))
        outward = np.sign(corner[0] - middle[0])
        moved += near[:, None] * np.array([0.12 * outward, -0.10, 0.05])
    below = np.tanh((mesh[:, 1] - middle[1]) / (0.05 * unit))
    below[LOWER_LIP], below[UPPER_LIP] = 1, -1
    across, down = ((mesh - middle)[:, :2] / unit).T
    near = np.exp(-(across**2) / (2 * 0.22**2) - down**2 / (2 * 0.3**2))
    moved[:, 1] += near * np.where(below > 0, 0.09, 0.03) * below
    return mesh + strength * unit * moved


def people(count: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Neutral and smiling meshes (people, 2 readings, 478, 3), in pixels.

    Each person is the drawn face with proportions of its own and smiles with a strength of its own;
    each reading has its own place, size and tilt, and a detector's jitter.
    """
    rng = np.random.default_rng(seed)
    neutral, smiling = np.empty((2, count, 2, 478, 3))
    for person in range(count):
        face = _somebody(rng)
        smiled = smile(face, rng.uniform(0.6, 1.4))
        for reading in range(2):
            neutral[person, reading] = _read(face, rng)
            smiling[person, reading] = _read(smiled, rng)
    return neutral, smiling


def _somebody(rng: np.random.Generator) -> np.ndarray:
    """The drawn face with other proportions: stretched, and smoothly bent here and there."""
    mesh, unit = face_mesh(), eye_distance(face_mesh())
    face = (mesh - mesh.mean(0)) * (1 + rng.normal(0, 0.03, 3))
    for centre in face[rng.choice(468, 6, replace=False)]:
        near = np.exp(-(((face - centre) / unit) ** 2).sum(1) / (2 * 0.6**2))
        face += near[:, None] * rng.normal(0, 0.02 * unit, 3)
    return face + mesh.mean(0)


def _read(mesh: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    tilt = rng.normal(0, 0.03)
    turned = np.array(
        [[np.cos(tilt), np.sin(tilt), 0], [-np.sin(tilt), np.cos(tilt), 0], [0, 0, 1]]
    )
    jitter = rng.normal(0, 0.003 * eye_distance(mesh), mesh.shape)
    shift = np.append(rng.normal(0, 5, 2), 0)
    return rng.uniform(0.9, 1.1) * ((mesh + jitter) @ turned) + shift


@cache
def tiny_shape_model() -> ShapeModel:
    """A shape model fitted to twelve such people."""
    return fit_shape_model(*people())


def tiny_generator(seed: int = 0) -> WarpGenerator:
    """A narrow generator in evaluation mode whose fields all do something visible."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        generator = WarpGenerator(widths=(4, 6, 8, 8))
        for head, spread in (
            (generator.to_residual, 0.4),
            *((head, 0.04) for head in generator.to_shading),
            (generator.to_paint, 0.3),
        ):
            torch.nn.init.normal_(head.weight, std=spread)
            torch.nn.init.normal_(head.bias, std=spread)
    return generator.eval()


def save_halved(folder: Path) -> None:
    """Save a tiny pipeline as checkpoints are exported: networks in half precision."""
    pipe = tiny_pipeline()
    pipe.synthesis.half()
    pipe.removal.half()
    pipe.save_pretrained(folder)


def with_wider_temples(mesh: np.ndarray, by: float) -> np.ndarray:
    """Another skull: the same face, its temples wider by such a share."""
    wider = mesh.copy()
    wider[[127, 356], 0] += np.array([-by, by]) / 2 * (mesh[356, 0] - mesh[127, 0])
    return wider


def tiny_pipeline() -> G2GAN:
    """A new pipeline with two narrow generators and the tiny shape model."""
    return G2GAN(
        synthesis=tiny_generator(0), removal=tiny_generator(1), shape_model=tiny_shape_model()
    )


LOOKS = {"laugh": 1.4, "wink left": 0.3, "wink right": 0.3}
CONTROLS = {
    "smile left": 0.5,
    "smile right": 0.5,
    "corner down left": -0.4,
    "corner down right": -0.4,
    "open jaw": 0.8,
}


def lively_pipeline() -> G2GAN:
    """`tiny_pipeline` with looks and controls, each so many times the smile."""
    known = tiny_shape_model()
    names = {name for name in known.config if not name.startswith("_")} - {"looks", "controls"}
    model = ShapeModel(
        **{name: known.config[name] for name in names},
        looks=tuple(LOOKS),
        controls=tuple(CONTROLS),
    )
    buffers = known.state_dict()
    smile_row = buffers["expression_table"][known.expressions.index("happiness")]
    rows = [share * smile_row for share in (*LOOKS.values(), *CONTROLS.values())]
    buffers["expression_table"] = torch.stack([*buffers["expression_table"], *rows])
    model.load_state_dict(buffers)
    return G2GAN(synthesis=tiny_generator(0), removal=tiny_generator(1), shape_model=model)
