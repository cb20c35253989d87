"""Expressions as blends of the 3D face's shapes: named ones, and draws for training.

`recipes.json` holds several variants of each of the seven; `LOOKS` are those that have a name of
their own, and combinations that people ask for; `CONTROLS` single movements for sliders.
Names without _L or _R set both sides (the person's own left and right); beside the 3D face's shapes
there are "seal" (1 closes the lips' gap), "gazeRight" and "gazeDown" (of the irises, in eye
distances, to the picture's right and down), "shade" (strength of the folds' light) and "teeth" (how
much lower than usual the upper ones reach).
"""

import json
from collections.abc import Collection
from pathlib import Path

import numpy as np

SETTINGS = ("seal", "shade", "teeth")  # which have no intensity
SEVEN = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
RECIPES: dict[str, list[dict[str, float]]] = json.loads(
    Path(__file__).with_name("recipes.json").read_text("utf-8")
)

LOOKS: dict[str, dict[str, float]] = {
    "happiness/closed lips": RECIPES["happiness"][1],
    "anger/bared teeth": RECIPES["anger"][1],
    "contempt/pressed lips": RECIPES["contempt"][1],
    "disgust/closed lips": RECIPES["disgust"][1],
    "fear/open mouth": RECIPES["fear"][1],
    "sadness/heavy lids": RECIPES["sadness"][1],
    "surprise/lips apart": RECIPES["surprise"][1],
    "laugh": {
        "mouthSmile": 0.9, "mouthUpperUp": 0.4, "jawOpen": 0.26, "mouthLowerDown": 0.2,
        "cheekSquint": 0.5, "eyeSquint": 0.6, "shade": 0.2,
    },
    "lopsided grin": {
        "mouthSmile_L": 0.75, "mouthDimple_L": 0.4, "cheekSquint_L": 0.5, "eyeSquint_L": 0.3,
        "mouthSmile_R": 0.1, "seal": 1.0, "shade": 0.5,
    },
    "wink left": {"eyeBlink_L": 1.0, "cheekSquint_L": 0.5, "mouthSmile_L": 0.3, "seal": 1.0},
    "wink right": {"eyeBlink_R": 1.0, "cheekSquint_R": 0.5, "mouthSmile_R": 0.3, "seal": 1.0},
    "eyes closed": {"eyeBlink": 1.0},
    "one brow up": {"browOuterUp_L": 1.1, "browInnerUp_L": 0.5, "browDown_R": 0.5},
    "pout": {"mouthPucker": 0.35, "mouthShrugLower": 0.7, "mouthFrown": 0.4, "seal": 1.0},
    "kiss": {"mouthPucker": 1.0, "seal": 1.0},
    "open mouth": {"jawOpen": 0.5},
}  # fmt: skip

CONTROLS: dict[str, dict[str, float]] = {
    "smile left": {"mouthSmile_L": 0.8, "cheekSquint_L": 0.4},
    "smile right": {"mouthSmile_R": 0.8, "cheekSquint_R": 0.4},
    "corner down left": {"mouthFrown_L": 1.2},
    "corner down right": {"mouthFrown_R": 1.2},
    "open jaw": {"jawOpen": 0.5},
    "pucker lips": {"mouthPucker": 1.0},
    "stretch lips": {"mouthStretch": 1.0},
    "upper lip up": {"mouthUpperUp": 0.8},
    "lower lip down": {"mouthLowerDown": 1.0},
    "raise brow left": {"browInnerUp_L": 0.9, "browOuterUp_L": 0.9},
    "raise brow right": {"browInnerUp_R": 0.9, "browOuterUp_R": 0.9},
    "lower brow left": {"browDown_L": 1.5},
    "lower brow right": {"browDown_R": 1.5},
    "wrinkle nose": {"noseSneer": 1.0},
    "widen eye left": {"eyeWide_L": 1.2},
    "widen eye right": {"eyeWide_R": 1.2},
    "squint left": {"eyeSquint_L": 0.9, "cheekSquint_L": 0.5},
    "squint right": {"eyeSquint_R": 0.9, "cheekSquint_R": 0.5},
    "close eye left": {"eyeBlink_L": 1.0},
    "close eye right": {"eyeBlink_R": 1.0},
    "look left": {"gazeRight": 0.07},
    "look right": {"gazeRight": -0.07},
    "look up": {"gazeDown": -0.04, "eyeLookUp": 0.7},
    "look down": {"gazeDown": 0.04, "eyeLookDown": 0.6},
}

UNPAIRED = (
    "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthFunnel", "mouthLeft",
    "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower",
    "mouthShrugUpper", "gazeRight", "gazeDown",
)  # fmt: skip
GAIN = (0.2, 1.2)
UNEVEN = 0.12  # deviation of each weight's logarithm, and of left against right
NAMED = 0.6  # share of draws that are variants of the seven; the others combine movements freely
TEETH = (-0.02, 0.03)
GAZING, FARTHEST = 0.3, (0.09, 0.05)  # share of draws with another gaze, and its reach
BLINKING = 0.25  # share of draws with lids that are half or wholly closed


def draw(rng: np.random.Generator) -> tuple[str, dict[str, float]]:
    """A random expression: the name of what it is a variant of ("free" where of none), its weights.

    Every weight wavers, left and right by themselves; the one-sided ones come on either side.
    """
    if rng.random() < NAMED:
        name = SEVEN[rng.integers(len(SEVEN))]
        variants = RECIPES[name]
        weights = scaled(variants[rng.integers(len(variants))], rng.uniform(*GAIN))
    else:
        name, weights = "free", {}
        movements = list(CONTROLS.values())
        for index in rng.choice(len(movements), rng.integers(1, 5), replace=False):
            for shape, weight in scaled(movements[index], rng.uniform(0.2, 1.2)).items():
                weights[shape] = weights.get(shape, 0.0) + weight
        if rng.random() < 0.3:
            weights["seal"] = 1.0
    uneven = {}
    for shape, weight in weights.items():
        if shape in SETTINGS:
            uneven[shape] = weight
            continue
        weight *= rng.lognormal(0, UNEVEN)
        if shape.endswith(("_L", "_R")) or shape in UNPAIRED:
            uneven[shape] = uneven.get(shape, 0.0) + weight
            continue
        for side in ("_L", "_R"):
            uneven[shape + side] = uneven.get(shape + side, 0.0) + weight * rng.lognormal(0, UNEVEN)
    uneven["teeth"] = rng.uniform(*TEETH)
    if rng.random() < GAZING:
        uneven["gazeRight"] = rng.uniform(-1, 1) * FARTHEST[0]
        uneven["gazeDown"] = down = rng.uniform(-1, 1) * FARTHEST[1]
        lids = "eyeLookDown" if down > 0 else "eyeLookUp"
        uneven[lids] = abs(down) * 16
    if rng.random() < BLINKING:
        for side in ("_L", "_R"):
            uneven["eyeBlink" + side] = rng.uniform(0.3, 1.0)
    return name, mirrored(uneven) if rng.random() < 0.5 else uneven


def of_parts(weights: dict[str, float], parts: Collection[str]) -> dict[str, float]:
    """What of a blend belongs to some of `g2gan.shape.PARTS`; settings stay."""

    def part(name: str) -> str:
        if name.startswith(("eye", "gaze")):
            return "eyes"
        return "brows" if name.startswith("brow") else "mouth"

    return {n: weight for n, weight in weights.items() if n in SETTINGS or part(n) in parts}


def scaled(weights: dict[str, float], gain: float) -> dict[str, float]:
    """A blend at another intensity; settings stay."""
    return {name: weight if name in SETTINGS else gain * weight for name, weight in weights.items()}


def mirrored(weights: dict[str, float]) -> dict[str, float]:
    """The same blend with left and right exchanged."""
    twins = {"_L": "_R", "_R": "_L"}
    swapped = {}
    for name, weight in weights.items():
        if name == "gazeRight":
            weight = -weight
        elif name in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
            name = name.replace("Left", "#").replace("Right", "Left").replace("#", "Right")
        swapped[name[:-2] + twins[name[-2:]] if name[-2:] in twins else name] = weight
    return swapped
