"""Draws what a mouth shows when it opens: the 3D model's teeth, gums and tongue, from the front.

    python -m train.draw_mouth --facekit FACEKIT --shape checkpoints/g2gan-london/shape_model

writes the pictures that `g2gan.mouth` lays between lips into the package.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from g2gan import mouth as package
from g2gan.mouth import ABOVE, BELOW, CHIN, HALF_WIDTH, PER_UNIT, Mouth
from g2gan.shape import ShapeModel
from train.command import mistakes_are_said
from train.facekit import Carried, FaceKit, carry
from train.files import write_json

OPENINGS = np.linspace(0, 0.7, 8)  # of the shape jawOpen
FINER = 4  # drawn finer, then averaged

TOOTH = np.array([0.98, 0.92, 0.83])  # albedo, R G B
GUM = np.array([0.74, 0.42, 0.41])
TONGUE = np.array([0.72, 0.40, 0.39])
LIGHT = np.array([0.0, -0.45, -0.9])  # towards the light: in front and a little above
OVERBITE = 0.03  # how far the upper incisors cover the lower ones
DEEP = 0.45  # eye distances behind the upper incisors, where teeth end
AMBIENT, FALL = 0.6, 1.2  # light from everywhere; how fast it falls with depth, per eye distance


def draw_mouth(kit: FaceKit, carried: Carried) -> tuple[Mouth, np.ndarray]:
    """The pictures, of the 3D model's mean mouth, and what its shapes do to the jaw.

    Args:
        kit: the model.
        carried: where it lies on the mean mesh.

    Returns:
        The mouth, and how far each expression shape moves the lower incisors, (53, 3).
    """
    flip = np.array([1, -1, -1]) * carried.scale
    vertices = kit.vertices * flip
    teeth = np.arange(kit.upper.start, kit.upper.stop)
    tip = teeth[np.argmax(vertices[teeth, 1] - 2 * np.abs(vertices[teeth, 0]))]
    edge = vertices[tip].copy()
    edge[0] = 0
    low = np.arange(kit.lower.start, kit.lower.stop)
    low_tip = low[np.argmin(vertices[low, 1] + 2 * np.abs(vertices[low, 0]))]
    moves = kit.deltas.astype(np.float64) * flip
    jaw = moves[kit.names.index("jawOpen")]
    still = np.linalg.norm(jaw, axis=1) < 0.02
    front = still & (vertices[:, 2] < edge[2] + DEEP)  # what hides the jaw; the throat does not
    upper = _draw(kit, vertices, front, edge)
    bitten = vertices - [0, OVERBITE, 0]
    lower = np.stack([_draw(kit, bitten + amount * jaw, ~front, edge) for amount in OPENINGS])
    chin = carried.shapes[kit.names.index("jawOpen"), list(CHIN), 1].mean()
    drops = OPENINGS[:, None] * jaw[low_tip]
    return Mouth(upper, lower, drops, float(jaw[low_tip, 1] / chin)), moves[:, low_tip]


def _draw(kit: FaceKit, vertices: np.ndarray, chosen: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """The chosen vertices' triangles from the front, (h, w, 4) float32, nearer ones on top."""
    inside = np.zeros(len(vertices), bool)
    inside[kit.gums.start : kit.lower.stop] = True
    triangles = kit.triangles[(inside & chosen)[kit.triangles].all(1)]
    corners = vertices[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    of_vertex = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(of_vertex, triangles[:, k], normals)
    smooth = of_vertex[triangles].sum(1)
    smooth /= np.linalg.norm(smooth, axis=1, keepdims=True) + 1e-12
    # the flip of two axes keeps the orientation: outward normals point to the viewer, -z
    seen = normals[:, 2] < 0
    lit = np.clip(smooth @ (LIGHT / np.linalg.norm(LIGHT)), 0, 1)
    is_tooth = triangles[:, 0] >= kit.upper.start
    tongue = np.abs(corners[:, :, 0]).max(1) < 0.24
    tongue &= corners[:, :, 2].mean(1) > edge[2] + 0.12
    albedo = np.where(is_tooth[:, None], TOOTH, np.where(tongue[:, None], TONGUE, GUM))
    behind = np.clip(corners[:, :, 2].mean(1) - edge[2], 0, None)
    colour = albedo * (AMBIENT + (1 - AMBIENT) * lit)[:, None] * np.exp(-FALL * behind)[:, None]
    order = np.flatnonzero(seen)[np.argsort(-corners[seen, :, 2].mean(1), kind="stable")]
    size = (round((ABOVE + BELOW) * PER_UNIT), round(2 * HALF_WIDTH * PER_UNIT))
    canvas = np.zeros((size[0] * FINER, size[1] * FINER, 4), np.float32)
    pixels = (corners[..., :2] - edge[:2] + [HALF_WIDTH, ABOVE]) * PER_UNIT * FINER
    for triangle, paint in zip(
        np.rint(pixels[order] * 16).astype(np.int32), colour[order], strict=True
    ):
        cv2.fillConvexPoly(canvas, triangle, (*paint, 1.0), shift=4)
    return cv2.resize(canvas, size[::-1], interpolation=cv2.INTER_AREA)


@mistakes_are_said()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--facekit", type=Path, required=True, help="folder of facekit.npz")
    parser.add_argument("--shape", type=Path, required=True, help="a checkpoint's shape model")
    arguments = parser.parse_args()
    kit = FaceKit.load(arguments.facekit)
    mean = ShapeModel.from_pretrained(arguments.shape).mean.double().numpy()
    mouth, _ = draw_mouth(kit, carry(kit, mean))
    folder = Path(package.__file__).parent
    sheet = np.concatenate([mouth.upper[None], mouth.lower]).reshape(-1, *mouth.upper.shape[1:])
    levels = np.rint(255 * sheet).clip(0, 255).astype(np.uint8)
    data = cv2.imencode(".png", cv2.cvtColor(levels, cv2.COLOR_RGBA2BGRA))[1]
    unfinished = folder / "mouth.png.part"
    unfinished.write_bytes(data.tobytes())
    unfinished.replace(folder / "mouth.png")
    told = {"drops": mouth.drops.round(5).tolist(), "of_chin": round(mouth.of_chin, 4)}
    write_json(folder / "mouth.json", told)


if __name__ == "__main__":
    main()
