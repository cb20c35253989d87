"""The example portraits: averages of at least four people, whom nobody can recognise.

python -m train.composites --london ../shared/data/london --out examples

Photos are laid over each other by their meshes, then by everything else (outline, hairline, ears,
collar), averaged, and the average is given back the strength of detail that averaging took.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from g2gan.alignment import eye_centres, invert, scale_of, transform
from g2gan.landmarks import LandmarkDetector
from g2gan.mesh import FACE_OVAL
from train.command import mistakes_are_said
from train.congeal import mesh_flow, register, warp
from train.sources import london_pairs

WIDTH, HEIGHT = 768, 960
EYE_DISTANCE, EYE_LINE = 185, 470  # pixels: head and upper shoulders of every photo fit
JPEG_QUALITY = 92


@dataclass(frozen=True)
class Group:
    """Who is averaged.

    Args:
        people: ids of the London set's training people, at least four; alike in hair.
        smiles: whether their smiles are alike too (teeth shown by all or by none): a twin is made.
        loose_hair: hair hangs beside some necks, and must not be taken for the neck's outline.
    """

    people: tuple[str, ...]
    smiles: bool = False
    loose_hair: bool = False


GROUPS = {
    "woman-20s-fair": Group(("100", "118", "010", "122"), smiles=True, loose_hair=True),
    "woman-20s-dark": Group(("014", "086", "011", "090"), smiles=True),
    "woman-black": Group(("025", "126", "129", "094"), smiles=True, loose_hair=True),
    "woman-east-asian": Group(("030", "034", "087", "134"), loose_hair=True),
    "woman-west-asian": Group(("135", "066", "064", "134")),
    "man-20s": Group(("063", "130", "132", "104", "012"), smiles=True),
    "man-30s": Group(("105", "172", "121", "101", "033"), smiles=True),
    "man-black": Group(("082", "137", "114", "061", "044"), smiles=True),
    "man-east-asian": Group(("045", "119", "024", "036")),
    "man-west-asian": Group(("008", "070", "037", "121"), smiles=True),
}

FEATURE_WEIGHTS = np.array([1, 0.7, 0.7, 3], np.float32)  # L, a, b, distance from the outline
FEWEST = 2.2  # people that any pixel outside the face is the average of, at least (effectively)
OUTLIER = 9  # Lab distance from the median above which a person counts little there
# Octaves of detail, finest first: the most that one is strengthened, and the amplitude (in L)
# above which it is an edge, which averaging left intact.
MOST_GAIN, EDGE = (2.2, 2.2, 1.8, 1.4, 1.2), (4, 5, 5, 4, 4)


README = """# Example portraits

Nobody here exists. Each portrait is the average of at least four adults, all counting alike in the
face; a name says what they have in common. `python -m train.composites` makes these files.

| portrait | people | expressions |
| --- | --- | --- |
{rows}

Licence: [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/). Made from photographs of the
Face Research Lab London Set (L. DeBruine and B. Jones, 2017, figshare, version 5,
[doi 10.6084/m9.figshare.5047666.v5](https://doi.org/10.6084/m9.figshare.5047666.v5), CC BY 4.0):
aligned, warped to the group's mean shape, averaged, sharpened, put before a plain background.
"""


@dataclass(frozen=True)
class Portrait:
    """One person's photo, in the photo's own pixels, and where it goes.

    Args:
        lab: (h, w, 3) float32, CIE L*a*b*.
        studio: (h, w, 3), the studio's background without the person.
        alpha: (h, w) in [0, 1], the person's share of each pixel.
        outline: (h, w), signed distance from the head's and shoulders' outline, 1 deep inside.
        matrix: 2 x 3, photo to portrait.
        mesh: (478, 2) in the portrait's pixels.
    """

    lab: np.ndarray
    studio: np.ndarray
    alpha: np.ndarray
    outline: np.ndarray
    matrix: np.ndarray
    mesh: np.ndarray


@mistakes_are_said()
def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--london", type=Path, required=True, help="folder of the London set")
    parser.add_argument("--out", type=Path, default=Path("examples"), help="where JPEGs go")
    parser.add_argument("--only", nargs="*", default=GROUPS, help="these groups only")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    pairs = {pair.person: pair for pair in london_pairs(options.london, "train")}
    detector = LandmarkDetector()
    for name in options.only:
        group = GROUPS[name]
        for state in ("neutral", "smiling") if group.smiles else ("neutral",):
            photos = [getattr(pairs[person], state) for person in group.people]
            image = composite([read(photo, detector, group.loose_hair) for photo in photos])
            path = options.out / f"{name}-{state}.jpg"
            cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            print(f"{path}: {len(photos)} people, {path.stat().st_size // 1024} kB")
    (options.out / "README.md").write_text(_readme(), "utf-8")


def composite(portraits: list[Portrait]) -> np.ndarray:
    """The average (HEIGHT, WIDTH, 3), uint8 BGR, of people brought to their mean shape."""
    mesh = np.mean([portrait.mesh for portrait in portraits], axis=0)
    flows = [mesh_flow(mesh, portrait.mesh, (WIDTH, HEIGHT)) for portrait in portraits]
    finer = register(_features(portraits, flows, mesh), _oval(mesh, 0.9, 12))
    flows = [second + warp(first, second) for first, second in zip(flows, finer, strict=True)]
    return _average(portraits, flows, mesh)


def _readme() -> str:
    rows = [
        f"| {name} | {len(group.people)} | {'neutral, smiling' if group.smiles else 'neutral'} |"
        for name, group in GROUPS.items()
    ]
    return README.format(rows="\n".join(rows))


# Reading: where the person ends and the studio begins


def read(path: Path, detector: LandmarkDetector, loose_hair: bool) -> Portrait:
    """A studio photo with its landmarks, separated from its background."""
    bgr = cv2.imread(str(path))
    mesh = detector.detect(np.ascontiguousarray(bgr[..., ::-1]))[0].mesh[:, :2]
    matrix = _placement(mesh)
    soft = cv2.GaussianBlur(bgr.astype(np.float32) / 255, (0, 0), 0.3 / scale_of(matrix))
    lab = cv2.cvtColor(soft, cv2.COLOR_BGR2LAB)
    studio = _studio(lab)
    silhouette, alpha = _matte(lab, studio)
    body = _without_loose_hair(silhouette, lab, mesh) if loose_hair else silhouette
    body = cv2.morphologyEx(body, cv2.MORPH_OPEN, _disc(41))
    inside, outside = (cv2.distanceTransform(part, cv2.DIST_L2, 5) for part in (body, 1 - body))
    outline = np.clip((inside - outside) / 100, -1, 1)
    return Portrait(lab, studio, alpha, outline, matrix, transform(matrix, mesh))


def _placement(mesh: np.ndarray) -> np.ndarray:
    """The 2 x 3 similarity that brings the eyes to the portrait's places for them."""
    right, left = eye_centres(mesh)
    x, y = EYE_DISTANCE * (left - right) / np.sum((left - right) ** 2)
    linear = np.array([[x, y], [-y, x]])
    middle = np.array([(WIDTH - 1) / 2, EYE_LINE])
    return np.column_stack([linear, middle - linear @ ((right + left) / 2)])


def _studio(lab: np.ndarray) -> np.ndarray:
    """The background as a quadratic surface, fitted where nobody stands (found while fitting)."""
    height, width = lab.shape[:2]

    def terms(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)

    y, x = np.mgrid[0:height, 0:width] / np.array([height, width])[:, None, None] - 0.5
    every = (slice(None, None, 10), slice(None, None, 10))
    some, values = terms(x[every].ravel(), y[every].ravel()), lab[every].reshape(-1, 3)
    beside = (np.abs(some[:, 1]) > 0.12) & (some[:, 2] < 0.15)
    empty = (np.abs(some[:, 1]) > 0.3) & (some[:, 2] < 0)
    for _ in range(8):
        surface, *_ = np.linalg.lstsq(some[empty], values[empty], rcond=None)
        empty = beside & (np.linalg.norm(values - some @ surface, axis=1) < 4)
    return (terms(x, y) @ surface).astype(np.float32)


def _matte(lab: np.ndarray, studio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Silhouette (h, w), uint8 0 or 1, and alpha (h, w), float32 in [0, 1]."""
    contrast = np.linalg.norm((lab - studio) * [1, 1.5, 1.5], axis=2).astype(np.float32)
    seen = cv2.morphologyEx((contrast > 5).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3)))
    contours, _ = cv2.findContours(seen, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    silhouette = np.zeros_like(seen)  # a white shirt has holes, the outermost contour has none
    cv2.drawContours(silhouette, [max(contours, key=cv2.contourArea)], -1, 1, -1)
    # How much of the person's own contrast, as it is just inside the outline, a pixel shows.
    full = cv2.dilate(cv2.GaussianBlur(contrast, (0, 0), 1.5) * silhouette, _disc(15))
    alpha = np.clip((contrast - 1.5) / np.maximum(0.75 * full, 6), 0, 1)
    alpha *= cv2.dilate(silhouette, _disc(7))
    return silhouette, np.maximum(alpha, cv2.erode(silhouette, _disc(13))).astype(np.float32)


def _without_loose_hair(silhouette: np.ndarray, lab: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """The silhouette less the hair that hangs beside jaw and neck."""
    right, left = eye_centres(mesh)
    eyes = np.hypot(*(left - right))
    x0, x1, y0, y1 = mesh[[234, 454, 168, 2], [0, 0, 1, 1]].astype(int)
    skin = np.median(lab[y0:y1, x0:x1].reshape(-1, 3), axis=0)
    shade = (lab[..., 1:] @ skin[1:]) / (skin[1:] @ skin[1:])
    hair = (lab[..., 0] < 0.5 * skin[0]) | ((shade < 0.5) & (lab[..., 0] < 75))
    hair[: int(mesh[0, 1])] = False  # above the mouth it belongs to the head
    keep = np.zeros_like(silhouette)
    cv2.fillPoly(keep, [np.rint(mesh[list(FACE_OVAL)]).astype(np.int32)], 1)
    middle = int(mesh[152, 0])
    keep[int(mesh[0, 1]) :, int(middle - 0.7 * eyes) : int(middle + 0.7 * eyes)] = 1
    body = silhouette & (keep | ~hair).astype(np.uint8)
    return cv2.morphologyEx(body, cv2.MORPH_CLOSE, _disc(21))


def _features(
    portraits: list[Portrait], flows: list[np.ndarray], mesh: np.ndarray
) -> list[np.ndarray]:
    """What registration compares, (HEIGHT, WIDTH, 4): colour, with all skins alike, and outline."""
    skin = _oval(mesh, 1, 3) > 0.9
    labs = [_sample(p.lab, p, flow) for p, flow in zip(portraits, flows, strict=True)]
    moments = [(lab[skin].mean(0), lab[skin].std(0)) for lab in labs]
    mean, spread = np.mean(moments, axis=0)
    features = []
    for portrait, flow, lab, (own_mean, own_spread) in zip(
        portraits, flows, labs, moments, strict=True
    ):
        outline = _sample(portrait.outline, portrait, flow)
        body = np.clip(outline * 20 + 0.5, 0, 1)[..., None]
        colour = (lab - own_mean) / own_spread * spread + mean
        colour = body * colour + (1 - body) * np.array([90, 0, 0])
        features.append(np.dstack([colour / 40, outline]).astype(np.float32) * FEATURE_WEIGHTS)
    return features


# Averaging


def _average(portraits: list[Portrait], flows: list[np.ndarray], mesh: np.ndarray) -> np.ndarray:
    backdrop = _backdrop()
    labs, alphas = [], []
    for portrait, flow in zip(portraits, flows, strict=True):
        alpha = np.clip(_sample(portrait.alpha, portrait, flow), 0, 1)[..., None]
        studio = _sample(portrait.studio, portrait, flow)
        # the studio's share is taken out of mixed pixels, else it would show as a bright rim
        own = studio + (_sample(portrait.lab, portrait, flow) - studio) / np.maximum(alpha, 0.5)
        labs.append(_extended(own, np.clip(2 * alpha - 1, 0, 1)))
        alphas.append(alpha)
    weights = _weights(
        np.stack([a * lab + (1 - a) * backdrop for lab, a in zip(labs, alphas, strict=True)]), mesh
    )
    alpha = cv2.GaussianBlur((weights * alphas).sum(0), (0, 0), 1.0)
    # where most people are, and no strands: nothing is half-transparent
    alpha = cv2.morphologyEx(np.clip((alpha - 0.5) / 0.3, 0, 1), cv2.MORPH_OPEN, _disc(9))[
        ..., None
    ]
    alpha = alpha * alpha * (3 - 2 * alpha)
    weights = weights * (np.clip(2 * np.stack(alphas) - 1, 0, 1) + 1e-3)
    lab = _with_detail(np.stack(labs), weights / weights.sum(0))
    lab = alpha * lab + (1 - alpha) * backdrop
    grain = np.random.default_rng(0).standard_normal((HEIGHT, WIDTH)).astype(np.float32)
    lab[..., 0] += 0.35 * cv2.GaussianBlur(grain, (0, 0), 0.6)  # else JPEG makes steps of it
    bgr = cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2BGR)
    return np.clip(np.rint(bgr * 255), 0, 255).astype(np.uint8)


def _weights(labs: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """Shares (n, HEIGHT, WIDTH, 1) that sum to 1: equal in the face.

    Elsewhere, who differs from the median (a lock of hair, a lower shoulder) counts less, but no
    pixel is effectively the average of fewer than `FEWEST` people.
    """
    count = len(labs)
    median = np.median(labs, axis=0)
    strange = [cv2.GaussianBlur(np.linalg.norm(lab - median, axis=2), (0, 0), 6) for lab in labs]
    weights = np.exp(-((np.stack(strange)[..., None] / OUTLIER) ** 2)) + 0.02
    face = np.clip(2 * _oval(mesh, 0.88, 12) - 1, 0, 1)[..., None]
    weights = face + (1 - face) * weights
    weights /= weights.sum(0)
    inequality = (weights**2).sum(0) - 1 / count
    keep = np.sqrt(np.clip((1 / FEWEST - 1 / count) / np.maximum(inequality, 1e-6), 0, 1))
    return keep * weights + (1 - keep) / count


def _with_detail(labs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The weighted mean, its detail as strong as the people's own is on average.

    Pores and hairs of different people cancel; what is left of them is a texture that belongs to
    nobody, only fainter. Each octave of it is strengthened to the mean energy round there.
    """
    mean = (weights * labs).sum(0)
    result = mean.copy()
    owns = list(labs[..., 0])
    for octave, (most, edge) in enumerate(zip(MOST_GAIN, EDGE, strict=True)):
        sigma, reach = 2.0**octave, 12 * 2**octave + 1

        def band(image: np.ndarray, sigma: float = sigma, edge: float = edge) -> np.ndarray:
            return edge * np.tanh((image - cv2.GaussianBlur(image, (0, 0), sigma)) / edge)

        detail = band(mean[..., 0])
        energy = sum(w[..., 0] * band(own) ** 2 for w, own in zip(weights, owns, strict=True))
        own, common = (cv2.blur(each, (reach, reach)) for each in (energy, detail**2))
        gain = np.clip(np.sqrt((own + 1e-3) / (common + 1e-3)), 1, most)
        result[..., 0] += (gain - 1) * detail
        mean = cv2.GaussianBlur(mean, (0, 0), sigma)
        owns = [cv2.GaussianBlur(own, (0, 0), sigma) for own in owns]
    return result


def _extended(lab: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Colours continued a few pixels outward, where `inside` (h, w, 1) is 0."""
    result, have = lab * inside, inside.copy()
    for sigma in (2, 6):
        share = cv2.GaussianBlur(inside, (0, 0), sigma)[..., None]
        near = cv2.GaussianBlur(lab * inside, (0, 0), sigma) / (share + 1e-6)
        more = np.clip(4 * share, 0, 1) * (1 - have)
        result, have = result + more * near, have + more
    return result + (1 - have) * lab


def _backdrop() -> np.ndarray:
    """A plain grey wall (HEIGHT, WIDTH, 3) in Lab, lighter behind the neck."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    away = np.hypot((x - WIDTH / 2) / WIDTH, (y - 0.55 * HEIGHT) / HEIGHT)
    flat = np.ones_like(away)
    return np.dstack([86 - 9 * away, -0.6 * flat, 0.3 * flat]).astype(np.float32)


def _disc(size: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))


def _oval(mesh: np.ndarray, share: float, softness: float) -> np.ndarray:
    """The face oval, scaled round its centre, as a soft mask (HEIGHT, WIDTH) in [0, 1]."""
    oval = mesh[list(FACE_OVAL)]
    oval = oval.mean(0) + share * (oval - oval.mean(0))
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.fillPoly(mask, [np.rint(oval).astype(np.int32)], 1.0)
    return cv2.GaussianBlur(mask, (0, 0), softness)


def _sample(image: np.ndarray, portrait: Portrait, flow: np.ndarray) -> np.ndarray:
    """A picture of the photo's size, seen in the portrait's frame through a flow."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    where = np.stack([x, y], axis=-1) + flow
    back = invert(portrait.matrix)
    where = (where @ back[:, :2].T + back[:, 2]).astype(np.float32)
    return cv2.remap(
        image, where[..., 0], where[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )


if __name__ == "__main__":
    main()
