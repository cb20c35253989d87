"""What the networks are trained to make small: the paper's four losses, then those of our warp.

Pictures are (B, C, H, W) with values in [0, 1], and the paper's weights (10, 5, 0.1 to 0.5) are
meant on that scale. A norm is taken as the mean over all values, as in pix2pix.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from accelerate.utils import reduce
from torch import Tensor, distributed, nn
from torch.nn import functional

from g2gan.models.warp_generator import BANDS, blurs
from train.metrics import LUMA, SSIM_BORDER

REACH = 4  # octaves over which the strength of detail is averaged, sigma 6.5 pixels
QUIET = 0.002  # of [0, 1]: weaker detail is nobody's
LEAST_SQUARE = 2e-4  # of [0, 1]: who is nearer on average (37 dB) has little to gain
# Structural similarity as tables measure it: a Gaussian window, and what keeps quotients finite
WINDOW_SIGMA, STEADY = 1.5, (0.01**2, 0.03**2)


@dataclass(frozen=True)
class AdversarialLoss:
    """The game of generator and discriminator, eq. 1 and 2, on maps of logits.

    Args:
        form: "bce", the non-saturating loss of pix2pix (the paper does not say which), or "lsgan",
            least squares to 1 for real and 0 for fake.
    """

    form: Literal["bce", "lsgan"] = "bce"

    def __post_init__(self) -> None:
        if self.form not in ("bce", "lsgan"):
            raise ValueError(f"form must be 'bce' or 'lsgan', got {self.form!r}")

    def generator(self, fake: Tensor) -> Tensor:
        """Eq. 1: small where the discriminator takes generated pictures for real ones."""
        return self._distance(fake, 1.0)

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Eq. 2: small where real and generated are told apart; halved, as in pix2pix.

        Detach the generated pictures before the discriminator judges them.
        """
        return (self._distance(real, 1.0) + self._distance(fake, 0.0)) / 2

    def _distance(self, logits: Tensor, label: float) -> Tensor:
        labels = torch.full_like(logits, label)
        if self.form == "lsgan":
            return functional.mse_loss(logits, labels)
        return functional.binary_cross_entropy_with_logits(logits, labels)


def pixel_loss(output: Tensor, target: Tensor) -> Tensor:
    """Eq. 3, `||G(I, H) - I_target||_1`: mean absolute difference of pictures of one shape."""
    return functional.l1_loss(output, target)


def cycle_loss(restored: Tensor, image: Tensor) -> Tensor:
    """Eq. 4, `||G'(G(I, H), H) - I||_1`: there and back again (the L1 norm is an assumption)."""
    return functional.l1_loss(restored, image)


class IdentityLoss:
    """Eq. 5, `||F(G(I, H)) - F(I)||_1`: a face recogniser sees the same person after the edit.

    No nn.Module on purpose: the recogniser is frozen here, and no optimiser, saved state or call of
    `train()` can reach it through the loss.

    Args:
        recognizer: `F`, any network from (B, C, size, size) in [0, 1] to features of any shape, on
            the device of the pictures; the paper's is the feature layer of Light CNN-9. It is set
            to evaluation mode and its parameters stop requiring gradients.
        size: side in pixels of what the recogniser sees.
    """

    def __init__(self, recognizer: nn.Module, size: int) -> None:
        self.recognizer = recognizer.eval().requires_grad_(False)
        self.size = size

    def __call__(self, output: Tensor, image: Tensor) -> Tensor:
        """Mean absolute difference of features; gradients reach `output`, not `image`."""
        with torch.no_grad():
            asked = self._features(image)
        return functional.l1_loss(self._features(output), asked)

    def _features(self, image: Tensor) -> Tensor:
        size = (self.size, self.size)
        return self.recognizer(functional.interpolate(image, size, mode="bilinear", antialias=True))


def identity_weight(progress: float, first: float = 0.1, last: float = 0.5) -> float:
    """`w_id(t)` of eq. 6, from 0.1 to 0.5; that it rises linearly is an assumption.

    Args:
        progress: share of the training that is done, in [0, 1].
        first, last: the weight at the beginning and at the end.
    """
    return first + (last - first) * progress


def weighted_l1(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """`sum(w |a - b|) / (C sum(w))`: plain L1 where the weight is 1 everywhere.

    Args:
        a, b: (B, C, H, W).
        weight: (B, 1, H, W), not negative; the loss is 0 where it is 0 everywhere. Where several
            processes train, sum(w) is the mean of theirs: they weigh as one batch.
    """
    total, weights = (weight * (a - b).abs()).sum(), weight.sum()
    if distributed.is_initialized():
        weights = reduce(weights, "mean")
    return total / (a.shape[1] * weights).clamp(min=torch.finfo(a.dtype).tiny)


def l1_of_each(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """`weighted_l1` of every picture of the batch by itself, (B,)."""
    total, weights = (weight * (a - b).abs()).sum((1, 2, 3)), weight.sum((1, 2, 3))
    return total / (a.shape[1] * weights).clamp(min=torch.finfo(a.dtype).tiny)


def pooled_l1(a: Tensor, b: Tensor, weight: Tensor, cells: int = 4) -> Tensor:
    """`weighted_l1` of pictures averaged over `cells` x `cells` pixels: colour and light.

    The weight is averaged as well. Shapes as in `weighted_l1`.
    """
    return weighted_l1(*(functional.avg_pool2d(x, cells) for x in (a, b, weight)))


def gradient_l1(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """`weighted_l1` of the forward differences, mean of horizontal and vertical: edges and folds.

    A difference has the mean weight of its two pixels. Shapes as in `weighted_l1`.
    """
    across = weighted_l1(a.diff(dim=3), b.diff(dim=3), (weight[..., 1:] + weight[..., :-1]) / 2)
    down = weighted_l1(a.diff(dim=2), b.diff(dim=2), (weight[:, :, 1:] + weight[:, :, :-1]) / 2)
    return (across + down) / 2


def detail_l1(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """`weighted_l1` of how strong detail is, in three octave bands: pores, stubble, folds.

    A band's strength is the root of its mean square over a few pixels (`REACH`). Where detail lies
    does not count, how much of it there is does: no smaller by smoothing what cannot be aligned.
    Shapes as in `weighted_l1`.
    """
    terms = [weighted_l1(x, y, weight) for x, y in zip(_strengths(a), _strengths(b), strict=True)]
    return torch.stack(terms).sum()


def _strengths(image: Tensor) -> list[Tensor]:
    """Strength (B, 1, H, W) of each band of a picture's luminance."""
    levels = blurs(image.mean(1, keepdim=True), BANDS + 1)
    squares = torch.cat([(fine - coarse).square() for fine, coarse in pairwise(levels)])
    means = blurs(squares, REACH)[-1]
    return list((means + QUIET**2).sqrt().chunk(BANDS))


def log_square(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """Half the logarithm of each picture's weighted mean square of luminance, their mean: PSNR.

    A decibel is worth the same in every picture, be it an easy one or a hard one; one that is 8.69
    dB nearer to its target counts 1 less. Shapes as in `weighted_l1`.
    """
    luma = torch.tensor(LUMA).to(a).reshape(1, 3, 1, 1)
    squares = ((a - b) * luma).sum(1, keepdim=True).square()
    means = (weight * squares).sum((1, 2, 3)) / weight.sum((1, 2, 3))
    return (means + LEAST_SQUARE).log().mean() / 2


def dissimilarity(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean of 1 - SSIM (Wang et al. 2004), as Zhao et al. (2016) train with.

    Pictures are halved in size first, which brings the working crop's faces near the size at which
    tables measure. Where no whole window fits, nothing counts. Shapes as in `weighted_l1`.
    """
    with torch.autocast(a.device.type, enabled=False):  # differences of squares need all digits
        a, b, weight = (
            functional.avg_pool2d(x.to(torch.promote_types(x.dtype, torch.float32)), 2)
            for x in (a, b, weight)
        )
        places = torch.arange(-SSIM_BORDER, SSIM_BORDER + 1).to(a)
        taps = torch.exp(-((places / WINDOW_SIGMA) ** 2) / 2)
        row = (taps / taps.sum()).expand(a.shape[1], 1, 1, -1)

        def local_mean(x: Tensor) -> Tensor:
            across = functional.conv2d(x, row, groups=len(row))
            return functional.conv2d(across, row.mT, groups=len(row))

        mean_a, mean_b = local_mean(a), local_mean(b)
        squares, product = mean_a**2 + mean_b**2, mean_a * mean_b
        variances = local_mean(a * a + b * b) - squares
        covariance = local_mean(a * b) - product
        light, detail = STEADY
        similarity = (2 * product + light) * (2 * covariance + detail)
        similarity = similarity / ((squares + light) * (variances + detail))
        inside = weight[..., SSIM_BORDER:-SSIM_BORDER, SSIM_BORDER:-SSIM_BORDER]
        return weighted_l1(similarity, torch.ones_like(similarity), inside)


def total_variation(flow: Tensor) -> Tensor:
    """Mean absolute forward difference of a field (B, C, H, W), horizontal and vertical alike."""
    return (flow.diff(dim=3).abs().mean() + flow.diff(dim=2).abs().mean()) / 2


def mouth_squares(image: Tensor, centres: Tensor, side: float | Tensor, size: int) -> Tensor:
    """Upright squares cut from pictures, round the mouth or anywhere; gradients reach the picture.

    Args:
        image: (B, C, H, W), in single precision at least (the cut is placed in its precision).
        centres: (B, 2) x, y in pixels, pixel centres at integers: a square of `side` 4 whose first
            pixel is 10 has its centre at 11.5. What lies outside repeats the picture's border.
        side: side of the square in pixels of the picture: one, or (B,).
        size: side of the result in pixels, not far below `side` (sampling is bilinear).

    Returns:
        (B, C, size, size).
    """
    height, width = image.shape[2:]
    centres, side = centres.to(image), torch.as_tensor(side).to(image).reshape(-1, 1)
    steps = (torch.arange(size).to(image) + 0.5) / size - 0.5
    x = centres[:, :1] + side * steps  # (B, size)
    y = centres[:, 1:] + side * steps
    # grid_sample counts from -1 to 1 between the outer edges of the picture, which lie at -0.5
    # and width - 0.5
    x, y = (2 * x + 1) / width - 1, (2 * y + 1) / height - 1
    grid = torch.stack(
        [x[:, None, :].expand(-1, size, -1), y[:, :, None].expand(-1, -1, size)], dim=-1
    )
    return functional.grid_sample(
        image, grid, mode="bilinear", padding_mode="border", align_corners=False
    )
