"""A judge from outside: what the npm package @vladmandic/face-api sees in a picture.

Its classifier and its recognition network (MIT) took no part in anything of ours. It runs in Node,
without a network, from a folder made by

    npm install @vladmandic/face-api @tensorflow/tfjs @tensorflow/tfjs-backend-wasm
"""

import base64
import json
import subprocess
from pathlib import Path
from typing import NamedTuple, Self

import cv2
import numpy as np

SCRIPT = Path(__file__).with_suffix(".mjs")
SIDE = 512  # px of the longer side of what it is shown
NAMES = {
    "angry": "anger",
    "disgusted": "disgust",
    "fearful": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "sad": "sadness",
    "surprised": "surprise",
}


class Judgement(NamedTuple):
    """What the package says of a picture."""

    expressions: dict[str, float]  # shares that add up to 1, by the names that we use
    identity: np.ndarray  # (128,); the distance between pictures of one person is small


class FaceApi:
    """The package at work until it is closed; a context manager.

    Args:
        folder: where npm installed it.

    Raises:
        FileNotFoundError: it is not there, or Node is not installed.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / "node_modules" / "@vladmandic" / "face-api").is_dir():
            raise FileNotFoundError(f"no @vladmandic/face-api in {folder}; see {SCRIPT.stem}.py")
        self._node = subprocess.Popen(
            ["node", str(SCRIPT), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._node.stdin.close()
        self._node.wait()

    def __call__(self, rgb: np.ndarray) -> Judgement | None:
        """Its judgement of the surest face of a picture (H, W, 3); None where it finds none.

        Raises:
            RuntimeError: it ended.
        """
        scale = min(1.0, SIDE / max(rgb.shape[:2]))
        small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        height, width = small.shape[:2]
        asked = {"width": width, "height": height, "rgb": base64.b64encode(small).decode()}
        self._node.stdin.write(json.dumps(asked) + "\n")
        self._node.stdin.flush()
        line = self._node.stdout.readline()
        if not line:
            raise RuntimeError("face-api ended without an answer")
        found = json.loads(line)
        if found is None:
            return None
        shares = {ours: found["expressions"][theirs] for theirs, ours in NAMES.items()}
        return Judgement(shares, np.array(found["identity"]))
