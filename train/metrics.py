"""How near an edited photo is to the real one: every figure of the tables.

Pictures are uint8 RGB arrays (H, W, 3); meshes are MediaPipe's (468 or 478, 2 or 3), of which the
irises never count. Here, and only here, pixel (row j, column i) covers [i, i + 1) x [j, j + 1): its
centre lies half a pixel from its number. A pair is compared after each photo was brought into the
evaluation frame by its own eyes; an edit by the eyes of the photo it was made from.
"""

from dataclasses import replace

import cv2
import numpy as np
from scipy.spatial import ConvexHull
from skimage.metrics import structural_similarity

from g2gan.alignment import EVALUATION, invert, scale_of, transform
from g2gan.mesh import INNER_LIPS, LEFT_EYE, OUTER_LIPS, RIGHT_EYE

FACE_POINTS = 468  # the mesh without its irises
RENDER = 512  # px; every picture is resampled to this side once, then only averaged
LUMA = (0.299, 0.587, 0.114)  # R, G, B of BT.601
SSIM_BORDER = 5  # px at the edge where the 11 x 11 window is not whole

LIPS = OUTER_LIPS + INNER_LIPS
LIDS = RIGHT_EYE + LEFT_EYE


def frame_matrix(mesh: np.ndarray, side: int) -> np.ndarray:
    """The 2 x 3 similarity that carries a photo with this mesh into the evaluation frame."""
    return replace(EVALUATION, side=side).matrix(mesh)


def carry_matrix(mesh: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """The 2 x 3 similarity from one photo into another that makes the eyes of both coincide.

    Args:
        mesh: points of the photo that is left, in its pixels.
        onto: points of the photo that is entered, in its pixels.
    """
    leave, enter = frame_matrix(mesh, RENDER), invert(frame_matrix(onto, RENDER))
    return np.column_stack([enter[:, :2] @ leave[:, :2], transform(enter, leave[:, 2:].T)[0]])


def carry(mesh: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """A photo's mesh (N, 2 or 3) in another photo's pixels, by the eyes of both."""
    return transform(carry_matrix(mesh, onto), mesh)


def to_frame(photo: np.ndarray, mesh: np.ndarray, side: int) -> np.ndarray:
    """The photo in the evaluation frame, uint8 (side, side, 3), by the eyes of `mesh`.

    One bicubic resampling to `RENDER` px, edges replicated, then `shrink` to `side`. Resampling
    alone moves a PSNR by 0.3 dB, so every picture of a table must come through here.
    """
    matrix = frame_matrix(mesh, RENDER)
    scale = scale_of(matrix)
    if scale < 0.7:
        photo = cv2.GaussianBlur(photo, (0, 0), 0.4 / scale)
    # OpenCV numbers pixels by their centres: half a pixel in, half a pixel out
    matrix[:, 2] = transform(matrix, np.array([[0.5, 0.5]]))[0] - 0.5
    picture = cv2.warpAffine(
        photo, matrix, (RENDER, RENDER), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return shrink(picture, side)


def shrink(picture: np.ndarray, side: int) -> np.ndarray:
    """Area average of a square picture; `side` must divide its own."""
    if len(picture) % side:
        raise ValueError(f"side must divide the picture's {len(picture)} px, got {side}")
    if len(picture) == side:
        return picture
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)


def luminance(picture: np.ndarray) -> np.ndarray:
    """BT.601 luma (H, W) in [0, 255], float64: full range, not rounded."""
    red, green, blue = np.moveaxis(np.asarray(picture, np.float64), -1, 0)
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue


def psnr(result: np.ndarray, truth: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Peak signal-to-noise ratio of the luminance in dB, inside a boolean mask (H, W) if given."""
    if result.dtype != np.uint8 or truth.dtype != np.uint8:
        raise ValueError(f"pictures must be uint8, got {result.dtype} and {truth.dtype}")
    squared = (luminance(result) - luminance(truth)) ** 2
    error = squared.mean() if mask is None else squared[mask].mean()
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def ssim(result: np.ndarray, truth: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Structural similarity (Wang et al. 2004), mean of R, G and B, Gaussian window of sigma 1.5.

    With a mask the map is averaged over its pixels; windows may reach outside of it. The edge
    where no whole window fits never counts.
    """
    _, similarity = structural_similarity(
        result,
        truth,
        channel_axis=2,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    whole = slice(SSIM_BORDER, -SSIM_BORDER)
    inside = similarity.mean(2)[whole, whole]
    return float((inside if mask is None else inside[mask[whole, whole]]).mean())


def _pixel_centres(side: int) -> np.ndarray:
    return np.arange(side) + 0.5


def face_mask(mesh: np.ndarray, other: np.ndarray, side: int) -> np.ndarray:
    """Pixels inside the convex hull of two faces, boolean (side, side).

    Args:
        mesh, other: both photos' meshes in the frame of this side. The hull of both holds every
            pixel that the face covers before or after; what leaves the frame is cut.
    """
    both = np.concatenate([np.asarray(m)[:FACE_POINTS, :2] for m in (mesh, other)])
    x, y = np.meshgrid(_pixel_centres(side), _pixel_centres(side))
    mask = np.ones((side, side), bool)
    # single precision, as the reference rounds; the tolerance keeps centres that lie on an edge
    for normal_x, normal_y, offset in ConvexHull(both.astype(np.float32)).equations:
        mask &= normal_x * x + normal_y * y + offset <= 1e-9
    return mask


def box_mask(
    mesh: np.ndarray, points: tuple[int, ...], side: int, margin: float = 0.04
) -> np.ndarray:
    """Pixels of the bounding box of some points, boolean (side, side).

    Args:
        mesh: a mesh in the frame of this side.
        points: indices of the points that the box holds.
        margin: what is added on each side, as a share of the frame's side.
    """
    inside = np.asarray(mesh)[list(points), :2]
    low, high = inside.min(0) - margin * side, inside.max(0) + margin * side
    centres = _pixel_centres(side)
    columns, rows = ((low[axis] <= centres) & (centres < high[axis]) for axis in (0, 1))
    return np.outer(rows, columns)


def sharpness(picture: np.ndarray, mask: np.ndarray) -> float:
    """Mean absolute Laplacian (four neighbours) of the luminance inside the mask."""
    return float(np.abs(cv2.Laplacian(luminance(picture), cv2.CV_64F, ksize=1))[mask].mean())


def sharpness_ratio(result: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> float:
    """Sharpness of the result as a share of the truth's; 1 is as sharp as the photograph."""
    return sharpness(result, mask) / sharpness(truth, mask)


def score(
    result: np.ndarray, truth: np.ndarray, source: np.ndarray, target: np.ndarray
) -> dict[str, float]:
    """Every figure of one result, as tables name them.

    Args:
        result, truth: uint8 pictures in the evaluation frame, of one side.
        source, target: meshes of the two *photographs* in the frame of that side, each by its own
            eyes. The boxes are the target's.
    """
    side = len(result)
    face = face_mask(source, target, side)
    mouth = box_mask(target, OUTER_LIPS, side)
    return {
        "psnr": psnr(result, truth),
        "ssim": ssim(result, truth),
        "psnr_face": psnr(result, truth, face),
        "ssim_face": ssim(result, truth, face),
        "psnr_mouth": psnr(result, truth, mouth),
        "ssim_mouth": ssim(result, truth, mouth),
        "sharp": sharpness_ratio(result, truth, face),
        "sharp_mouth": sharpness_ratio(result, truth, mouth),
        "sharp_eyes": sharpness_ratio(result, truth, box_mask(target, LIDS, side)),
    }


def lip_distance(detected: np.ndarray, asked: np.ndarray) -> float:
    """Mean distance of the lip points (both rims) of two meshes of one photo, in its pixels."""
    lips = list(LIPS)
    return float(np.linalg.norm(detected[lips, :2] - asked[lips, :2], axis=1).mean())


def lip_landmark_error(detected: np.ndarray, asked: np.ndarray, unedited: np.ndarray) -> float:
    """How much of the asked lip movement is missing: 0 none of it, 1 as if nothing was edited.

    Args:
        detected: the mesh found on the result.
        asked: the mesh that the edit was told.
        unedited: the mesh found on the input. All in pixels of the photo.
    """
    return lip_distance(detected, asked) / lip_distance(unedited, asked)


def bootstrap_interval(
    differences: np.ndarray, seed: int = 0, repeats: int = 10_000
) -> tuple[float, float, float]:
    """Mean of paired differences and its 95% interval when the people are drawn again.

    Args:
        differences: one number a person (N,), such as ours minus the baseline's.

    Returns:
        Mean, lower and upper bound.
    """
    differences = np.asarray(differences, np.float64)
    drawn = np.random.default_rng(seed).integers(0, len(differences), (repeats, len(differences)))
    low, high = np.percentile(differences[drawn].mean(1), [2.5, 97.5])
    return float(differences.mean()), float(low), float(high)
