"""ICT-FaceKit's own files -> `facekit.npz`, which `train.facekit` reads.

The model (USC Institute for Creative Technologies, MIT licence) is a mesh for each expression and
each variation between people; what each adds to the mean face is kept, in half precision.
"""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np

COMMIT = "da5f95a607f5e6b37755b38d3385d7f2853732e5"
IDENTITIES = 20  # the largest of a hundred
# Each file of the commit that is needed, and git's digest of it.
ASSETS: dict[str, str] = json.loads(
    Path(__file__).with_name("facekit_files.json").read_text("utf-8")
)
MEAN, INDICES = "generic_neutral_mesh.obj", "vertex_indices.json"


def write_kit(assets: Path, out: Path) -> None:
    """Write `facekit.npz` to the folder `out` from the files of `ASSETS` in the folder `assets`."""
    indices = json.loads((assets / INDICES).read_text("utf-8"))
    names = indices["expressions"]
    mean = read_vertices(assets / MEAN)

    def deltas(files: list[str]) -> np.ndarray:
        return np.stack(
            [(read_vertices(assets / f"{file}.obj") - mean).astype(np.float16) for file in files]
        )

    unfinished = out / "facekit.part.npz"
    np.savez_compressed(
        unfinished,
        vertices=mean.astype(np.float32),
        triangles=read_triangles(assets / MEAN),
        expression_names=np.array(names),
        expression_deltas=deltas(names),
        identity_deltas=deltas([f"identity{number:03d}" for number in range(IDENTITIES)]),
        landmarks68=np.array(indices["idx_to_landmark_verts"], np.int32),
    )
    unfinished.replace(out / "facekit.npz")


def read_vertices(path: Path) -> np.ndarray:
    """The vertices (V, 3) of a Wavefront OBJ file."""
    lines = path.read_text("utf-8").splitlines()
    return np.array([line.split()[1:4] for line in lines if line.startswith("v ")], np.float64)


def read_triangles(path: Path) -> np.ndarray:
    """The faces of a Wavefront OBJ file as triangles (T, 3) of vertices, counted from 0.

    A polygon is cut into a fan from its first corner.
    """
    triangles = []
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("f "):
            first, *rest = (int(corner.split("/")[0]) - 1 for corner in line.split()[1:])
            triangles += [(first, *pair) for pair in pairwise(rest)]
    return np.array(triangles, np.int32)
