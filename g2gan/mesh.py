"""The detector's mesh as a graph: which of its 478 points belong to what, and how they are joined.

Triangles and mirror images are facts about MediaPipe's canonical face (Apache 2.0), kept in
`topology.json`, so that nothing here depends on the installed release.
"""

import json
from importlib.resources import files

import numpy as np

POINTS = 478

# Rings are ordered round the opening, starting at one corner; "right" is the person's own right.
FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
OUTER_LIPS = (
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185,
)  # fmt: skip
INNER_LIPS = (
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191,
)  # fmt: skip
RIGHT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
LEFT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
RIGHT_BROW = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
LEFT_BROW = (336, 296, 334, 293, 300, 276, 283, 282, 295, 285)
NOSE = (129, 358, 1, 2)  # its wings, its tip and what is below it
RIGHT_IRIS, LEFT_IRIS = 468, 473  # the centres; four points on the rim follow each

# Bones move these, expressions hardly do: forehead, temples, bridge of the nose, eye corners.
RIGID = (
    10, 151, 9, 8, 168, 6, 197, 195, 5, 109, 338, 67, 297, 103, 332, 54, 284, 21, 251, 162, 389,
    127, 356, 33, 133, 362, 263,
)  # fmt: skip

_TOPOLOGY = json.loads((files(__package__) / "topology.json").read_text("utf-8"))
SKIN_TRIANGLES = np.array(_TOPOLOGY["triangles"], np.int32)  # (852, 3): open at eyes and mouth
MIRROR = np.array(_TOPOLOGY["mirror"], np.int32)  # (478,): each point's twin across the face
for _array in (SKIN_TRIANGLES, MIRROR):
    _array.setflags(write=False)


def mouth_triangles() -> np.ndarray:
    """Triangles (18, 3) that close the inner lips: a strip from corner to corner."""
    lower, upper = INNER_LIPS[:11], (INNER_LIPS[0], *INNER_LIPS[:9:-1])
    strip = []
    for i in range(10):
        strip += [(lower[i], lower[i + 1], upper[i + 1]), (lower[i], upper[i + 1], upper[i])]
    return np.array([t for t in strip if len(set(t)) == 3], np.int32)


def eye_triangles() -> np.ndarray:
    """Triangles (32, 3) that close both eyes: fans round the irises' centres."""
    fans = [
        (centre, ring[i], ring[(i + 1) % len(ring)])
        for centre, ring in ((RIGHT_IRIS, RIGHT_EYE), (LEFT_IRIS, LEFT_EYE))
        for i in range(len(ring))
    ]
    return np.array(fans, np.int32)
