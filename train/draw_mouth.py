"""Draws what a mouth shows when it opens: the 3D model's teeth, gums and tongue, from the front.

    python -m train.draw_mouth --facekit FACEKIT --shape checkpoints/g2gan-london/shape_model

writes the pictures that `g2gan.mouth` lays between lips into the package.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from g2gan import mouth as package
from g2gan.mouth import ABOVE, BELOW, CHIN, HALF_WIDTH, PER_UNIT, Mouth
from g2gan.shape import ShapeModel
from train.command import mistakes_are_said
from train.facekit import Carried, FaceKit, carry
from train.files import write_bytes, write_json

OPENINGS = np.linspace(0, 0.7, 8)  # of the shape jawOpen
FINER = 4  # drawn finer, then averaged

# Albedo, R G B: of teeth at their edge and at their neck, of gums, of the tongue (wet: above 1)
TOOTH, NECK = np.array([1.0, 0.97, 0.92]), np.array([0.95, 0.88, 0.77])
GUM, TONGUE = np.array([0.74, 0.42, 0.41]), np.array([1.15, 0.66, 0.64])
CROWN, ROOT = 0.17, 0.22  # eye distances from a tooth's edge to the gum, and to where it is hidden
INWARDS, ARCH, SOFT = 0.12, 2.2, 0.05  # behind the arch of the teeth lies the tongue
GROOVE, WIDE = 0.05, 0.04  # how dark the tongue's middle is, and half its width
PAPILLAE = 0.09  # spread of the specks on it
LIGHT = np.array([0.0, -0.45, -0.9])  # towards the light: in front and a little above
VIEWER = np.array([0.0, 0.0, -1.0])  # towards the viewer
GLOSS, SHARP = 0.3, 30.0  # what is wet mirrors the light: how much, how sharply
OVERBITE = 0.03  # how far the upper incisors cover the lower ones
DEEP = 0.45  # eye distances behind the upper incisors, where teeth end
AMBIENT, FALL = 0.6, 1.2  # light from everywhere; how fast it falls with depth, per eye distance
THROAT = 4.2  # the same on the tongue, which palate and teeth shade
NICHE, SHADED = 0.02, 14.0  # what lies deeper than what is so near gets darker, per eye distance
ROUNDED = 0.6  # of Phong tessellation (Boubekeur and Alexa 2008): 0 leaves triangles flat


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
    uppers, lowers = (np.arange(teeth.start, teeth.stop) for teeth in (kit.upper, kit.lower))
    x, y, z = vertices.T
    tip = uppers[np.argmax((y - 2 * np.abs(x))[uppers])]
    low_tip = lowers[np.argmin((y + 2 * np.abs(x))[lowers])]
    edge = np.array([0, y[tip], z[tip]])
    moves = kit.deltas.astype(np.float64) * flip
    jaw = moves[kit.names.index("jawOpen")]
    still = np.linalg.norm(jaw, axis=1) < 0.02
    front = still & (z < edge[2] + DEEP)  # what hides the jaw; the throat does not
    behind = ~front
    behind[uppers] = False
    height = np.full(len(vertices), np.nan)  # from a tooth's edge towards its root
    height[uppers], height[lowers] = y[tip] - y[uppers], y[lowers] - y[low_tip]
    model = _Model(kit, edge, vertices, height)
    upper = model.draw(vertices, front)
    bitten = vertices - [0, OVERBITE, 0]
    lower = np.stack([model.draw(bitten + amount * jaw, behind) for amount in OPENINGS])
    chin = carried.shapes[kit.names.index("jawOpen"), list(CHIN), 1].mean()
    drops = OPENINGS[:, None] * jaw[low_tip]
    return Mouth(upper, lower, drops, float(jaw[low_tip, 1] / chin)), moves[:, low_tip]


@dataclass(frozen=True)
class _Model:
    """Teeth, gums and tongue to be drawn; lengths in eye distances, y down, z away.

    Args:
        kit: whose triangles they are.
        edge: (3,), of the upper incisors.
        rest: (V, 3), the vertices while the mouth is closed.
        height: (V,), from a tooth's edge towards its root; NaN where no tooth is.
    """

    kit: FaceKit
    edge: np.ndarray
    rest: np.ndarray
    height: np.ndarray

    def draw(self, vertices: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """The chosen vertices' triangles from the front, (h, w, 4) float32, nearer ones on top."""
        inside = np.zeros(len(vertices), bool)
        inside[self.kit.gums.start : self.kit.lower.stop] = True
        inside &= chosen & ~(self.height > ROOT)
        triangles = self.kit.triangles[inside[self.kit.triangles].all(1)]
        places, normals, rest, height = _finer(
            vertices[triangles],
            _normals(vertices, triangles)[triangles],
            self.rest[triangles],
            self.height[triangles][..., None],
        )
        size = (round((ABOVE + BELOW) * PER_UNIT), round(2 * HALF_WIDTH * PER_UNIT))
        pixels = (places[..., :2] - self.edge[:2] + [HALF_WIDTH, ABOVE]) * PER_UNIT * FINER
        nearest = _nearest(pixels, places[..., 2].mean(1), (size[0] * FINER, size[1] * FINER))
        hit = nearest >= 0
        share = _barycentric(pixels[nearest[hit]], np.argwhere(hit)[:, ::-1])

        def at_pixels(values: np.ndarray) -> np.ndarray:
            return np.einsum("nk,nkc->nc", share, values[nearest[hit]])

        depth = np.full(hit.shape, np.float32(places[..., 2].max()))
        depth[hit] = at_pixels(places)[:, 2]
        niche = depth - cv2.GaussianBlur(depth, (0, 0), NICHE * PER_UNIT * FINER)
        light = np.exp(-SHADED * np.clip(niche[hit], 0, None))
        canvas = np.zeros((*hit.shape, 4), np.float32)
        canvas[hit, :3] = self._colour(*map(at_pixels, (normals, rest, height)))
        canvas[hit, :3] *= light[:, None]
        canvas[hit, 3] = 1
        return cv2.resize(canvas, size[::-1], interpolation=cv2.INTER_AREA)

    def _colour(self, normals: np.ndarray, rest: np.ndarray, height: np.ndarray) -> np.ndarray:
        """R G B (N, 3) of points with their normals, places at rest and heights on a tooth."""
        normals = normals / (np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12)
        behind = np.clip(rest[:, 2:] - self.edge[2], 0, None)
        neck = np.clip(height / CROWN, 0, 1) ** 1.5
        x = rest[:, :1]
        tongue = np.clip((behind - INWARDS - ARCH * x**2) / SOFT, 0, 1)
        specks = 1 + PAPILLAE * _specks(rest[:, [0, 2]])
        groove = 1 - GROOVE * np.exp(-((x / WIDE) ** 2))
        soft = GUM + tongue * (TONGUE * groove * specks - GUM)
        is_tooth = ~np.isnan(height)
        albedo = np.where(is_tooth, TOOTH + neck * (NECK - TOOTH), soft)
        towards = LIGHT / np.linalg.norm(LIGHT)
        halfway = towards + VIEWER
        halfway /= np.linalg.norm(halfway)
        lit = AMBIENT + (1 - AMBIENT) * np.clip(normals @ towards, 0, 1)
        gloss = GLOSS * np.clip(normals @ halfway, 0, 1) ** SHARP
        fall = np.exp(-np.where(is_tooth, FALL, FALL + tongue * (THROAT - FALL)) * behind)
        return (albedo * lit[:, None] + gloss[:, None]) * fall


def _normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Of every vertex (V, 3), of length 1: the mean of its triangles', by their area."""
    corners = vertices[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    of_vertex = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(of_vertex, triangles[:, k], normals)
    return of_vertex / (np.linalg.norm(of_vertex, axis=1, keepdims=True) + 1e-12)


def _finer(places: np.ndarray, normals: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """Every triangle as four, rounded towards its corners' tangent planes; all (T, 3, ...)."""
    values = [places, normals, *others]
    middle = [(each + np.roll(each, -1, 1)) / 2 for each in values]
    flat = middle[0]
    onto = np.zeros_like(flat)
    for k in (0, -1):
        corner, normal = np.roll(places, k, 1), np.roll(normals, k, 1)
        onto += ((flat - corner) * normal).sum(-1, keepdims=True) * normal
    middle[0] = flat - ROUNDED * onto / 2
    return [
        np.concatenate(
            [np.stack([each[:, k], half[:, k], half[:, k - 1]], 1) for k in range(3)] + [half]
        )
        for each, half in zip(values, middle, strict=True)
    ]


def _nearest(pixels: np.ndarray, depth: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Which triangle (T, 3, 2) one sees in each pixel, -1 for none; not from behind."""
    ahead, aside = pixels[:, 1] - pixels[:, 0], pixels[:, 2] - pixels[:, 0]
    # the flip of two axes keeps the orientation: outward normals point to the viewer, -z
    front = np.flatnonzero(ahead[:, 0] * aside[:, 1] - ahead[:, 1] * aside[:, 0] < 0)
    order = front[np.argsort(-depth[front], kind="stable")]
    nearest = np.full(size, -1, np.int32)
    corners = np.rint(pixels * 16).astype(np.int32)
    for triangle in order.tolist():
        cv2.fillConvexPoly(nearest, corners[triangle], triangle, shift=4)
    return nearest


def _barycentric(corners: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Shares (N, 3) of triangles' corners (N, 3, 2) at points (N, 2) in or near them."""
    ahead, aside = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    to = points - corners[:, 0]
    whole = ahead[:, 0] * aside[:, 1] - ahead[:, 1] * aside[:, 0]
    second = (to[:, 0] * aside[:, 1] - to[:, 1] * aside[:, 0]) / whole
    third = (ahead[:, 0] * to[:, 1] - ahead[:, 1] * to[:, 0]) / whole
    shares = np.clip(np.stack([1 - second - third, second, third], 1), 0, 1)
    return shares / shares.sum(1, keepdims=True)


def _specks(at: np.ndarray) -> np.ndarray:
    """Smooth noise (N, 1) of deviation 1 at places (N, 2) in eye distances."""
    noise = np.random.default_rng(0).normal(size=(256, 256)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 1.2)
    noise /= noise.std()
    column, row = np.rint(at.T * PER_UNIT).astype(int) % 256
    return noise[row, column][:, None]


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
    write_bytes(folder / "mouth.png", data.tobytes())
    told = {"drops": mouth.drops.round(5).tolist(), "of_chin": round(mouth.of_chin, 4)}
    write_json(folder / "mouth.json", told)


if __name__ == "__main__":
    main()
