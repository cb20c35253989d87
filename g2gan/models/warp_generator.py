"""Our generator for photographs: geometry moves the pixels, the network adds what it cannot."""

from functools import reduce
from itertools import pairwise
from typing import NamedTuple

import torch
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn import functional

from g2gan.flow import GRAIN, border_ramp
from g2gan.heatmaps import heatmaps
from g2gan.landmarks import LANDMARKS_68
from g2gan.mesh import MIRROR
from g2gan.models.checkpointed import CheckpointedModel

HEATMAP_SIGMA = 1.5  # pixels of the quarter-size grid on which landmarks are drawn
BANDS = 3  # of detail whose strength can change: 0.7 to 1.6, 3.2 and 6.5 pixels of the crop
FOLD = 1  # the band of folds; where it is weakened past the first of these, their lines go as well,
ERASE = (0.35, 0.75)  # and at the second completely
MARK = 0.02  # of [0, 1]: what stands out more in the finest band, a mole or a hair, mostly stays
# Weakened detail keeps the skin's grain, in all bands but the coarsest: what stands out by at most
# so many times the root mean square round it. From so many times its surroundings' strength on
# there is a fold, wholly from the second of these on: no grain stays, and what a network takes out,
# unsure of where exactly it lies, is taken out by so much more.
STANDS_OUT, FOLDED, BOLDER = 2.0, (1.0, 2.0), 0.6
POOLED, FAR = 4, 4  # pixels of the grid on which strengths are compared; octaves of surroundings
# Pixels of base flow from which detail may change fully: above the nose's base also so many pixels
# beside it, for where a cheek sinks, lines beside the eye go as well; below it, where beards and
# the jaw's edge are, nowhere else.
MOVED_ABOVE, REACH, MOVED = 1.5, 32, 2.5
NOSE = 33  # the landmark at its base
FADE = 16  # pixels in which everything fades to nothing at the crop's border
LEAST = 1e-6  # of paint, whose colour counts, and of detail
# Which of the 68 landmarks lies where each was, in a mirror
MIRRORED = [list(LANDMARKS_68).index(MIRROR[point]) for point in LANDMARKS_68]
REST = 0.01  # rms movement of the landmarks, in eye distances, at which the network has half a say


class WarpFields(NamedTuple):
    """What the network predicts for a crop of side S.

    `out = mask * colour + (1 - mask) * (moved + shading - erased * lines(moved - even))`
    with `moved = warp(photo, base + residual)`.
    """

    residual: Tensor  # (B, 2, S, S), pixels, added to the base flow
    shading: Tensor  # (B, 3, S, S), added to the moved photo in [0, 1]
    erased: Tensor  # (B, 1, S, S) in [0, 1], the share of lines in the finest detail that goes
    even: Tensor  # (B, 3, S, S) in [0, 1], the moved photo without its finest detail
    mask: Tensor  # (B, 1, S, S) in [0, 1]
    colour: Tensor  # (B, 3, S, S) in [0, 1]


class ResidualBlock(nn.Module):
    """`x + conv(relu(conv(relu(x))))`, the identity at the start: no normalisation is needed."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(functional.relu(self.first(functional.relu(x))))


class WarpGenerator(CheckpointedModel):
    """A U-Net that sees the crop warped by the base flow and refines it (`G_E` or `G_N`).

    It predicts a residual flow, a shading, and a mask with a colour image for what was hidden
    (teeth, inner mouth, lids). The shading is a coarse picture (light, cheeks) and the photo's
    own detail, strengthened or weakened where the face moves: folds come and go, the skin's
    grain stays. Of the finest detail only a fold's lines are taken out. It starts as the plain
    warp: residual, shading and mask are (almost) nothing before training. All of them are
    scaled by how far the landmarks move, so that the geometry that a face has already gives
    back the photo.

    Args:
        landmarks: number of heatmaps, for the source and again for the target.
        widths: channels at 1/2, 1/4, ... of the crop's side; the crop's side is a multiple of
            `2 ** len(widths)`.
        shading_levels: indices into `widths` of the grids on which shading and the strength of
            detail are predicted; their sum counts. At 256 px, 2 has 32 cells a side (cheeks,
            light), 1 has 64 (folds).
    """

    @register_to_config
    def __init__(
        self,
        landmarks: int = 68,
        widths: tuple[int, ...] = (24, 48, 96, 192),
        shading_levels: tuple[int, ...] = (2, 1),
    ) -> None:
        super().__init__()
        picture = 3 * 4 + 2 + 1  # unshuffled pixels, base flow, gate
        self.see = nn.Conv2d(picture, widths[0], 3, padding=1)
        self.locate = nn.Conv2d(2 * landmarks, widths[1], 1)
        self.encoder = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(width) for _ in range(1 if level == 0 else 2)))
            for level, width in enumerate(widths)
        )
        self.down = nn.ModuleList(
            nn.Conv2d(fine, coarse, 3, stride=2, padding=1) for fine, coarse in pairwise(widths)
        )
        self.up = nn.ModuleList(
            nn.Conv2d(coarse, fine, 3, padding=1) for fine, coarse in pairwise(widths)
        )
        self.decoder = nn.ModuleList(ResidualBlock(width) for width in widths[:-1])
        self.to_residual = nn.Conv2d(widths[0], 2, 3, padding=1)
        self.to_shading = nn.ModuleList(
            nn.Conv2d(widths[level], 3 + BANDS, 3, padding=1) for level in shading_levels
        )
        self.to_paint = nn.Conv2d(widths[0], 4 * 4, 3, padding=1)
        for head in (self.to_residual, *self.to_shading, self.to_paint):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
        with torch.no_grad():
            self.to_paint.bias[:4] = -4.0  # the mask's four pixels: sigmoid(-4) = 0.02

    def forward(
        self,
        image: Tensor,
        base_flow: Tensor,
        gates: Tensor,
        source_landmarks: Tensor,
        target_landmarks: Tensor,
    ) -> WarpFields:
        """Predict the fields for crops of side S.

        Args:
            image: (B, 3, S, S) in [0, 1], the crop as it is.
            base_flow: (B, 2, S, S), pixels, backward.
            gates: (B, 2, S, S) in [0, 1]: where painting is allowed, and where detail may change
                (`flow.paint_gate`, `flow.skin_gate`).
            source_landmarks, target_landmarks: (B, 68, 2) x, y in pixels of the crop.
        """
        side = image.shape[-1]
        warped = functional.pixel_unshuffle(warp(image, base_flow), 2)
        paintable, skin = gates[:, :1], gates[:, 1:]
        flow_and_gate = functional.avg_pool2d(torch.cat([base_flow / 16, paintable], 1), 2)
        seen = torch.cat([warped, flow_and_gate], 1)
        points = torch.cat([source_landmarks, target_landmarks], 1)
        drawn = heatmaps((points + 0.5) / 4 - 0.5, side // 4, HEATMAP_SIGMA)

        x = self.see(seen.to(self.dtype, memory_format=torch.channels_last))
        skips = []
        for level, blocks in enumerate(self.encoder):
            if level == 1:
                x = x + self.locate(drawn.to(x.dtype))
            x = blocks(x)
            if level < len(self.down):
                skips.append(x)
                x = self.down[level](x)
        decoded = {len(self.down): x}
        for level in reversed(range(len(self.up))):
            x = functional.interpolate(self.up[level](x), scale_factor=2, mode="bilinear")
            x = decoded[level] = self.decoder[level](x + skips[level])

        say = strength(source_landmarks, target_landmarks)[:, None, None, None]
        say = say * torch.from_numpy(border_ramp(side, FADE).copy()).to(image.device)
        residual = say * functional.interpolate(
            _plain(self.to_residual(x)), scale_factor=2, mode="bilinear"
        )
        shading = None
        for level, head in zip(self.config.shading_levels, self.to_shading, strict=True):
            finer = _plain(head(decoded[level]))
            shading = finer if shading is None else finer + _enlarged(shading, finer.shape[-1])
        shading = _enlarged(shading, side)
        speed = base_flow.square().sum(1, keepdim=True).sqrt()
        rows = torch.arange(side, device=image.device, dtype=speed.dtype)[:, None]
        above = ((target_landmarks[:, NOSE, 1, None, None, None] - rows) / FADE).clamp(0, 1)
        moving = torch.lerp(speed / MOVED, _greatest_near(speed) / MOVED_ABOVE, above)
        moving = blurs(moving, BANDS)[-1]
        gains = torch.tanh(shading[:, 3:]) * skin * moving.clamp(max=1)
        moved = warp(image, base_flow + residual)
        levels = blurs(moved, BANDS + 1)
        bands = [fine - coarse for fine, coarse in pairwise(levels)]
        bands[0] = bands[0].clamp(-MARK, MARK)
        kept, folded = grain(bands)
        weaker = (gains.clamp(max=0) * (1 + BOLDER * folded)).clamp(min=-1)
        gains = gains.clamp(min=0) + weaker
        detail = sum(gains[:, i : i + 1] * band for i, band in enumerate(bands))
        detail = detail - sum(weaker[:, i : i + 1] * part for i, part in enumerate(kept))
        # learned for the folds' own band alone: else all skin would be smoothed
        weakened = -gains[:, FOLD : FOLD + 1].detach()
        erased = ((weakened - ERASE[0]) / (ERASE[1] - ERASE[0])).clamp(0, 1)
        paint = functional.pixel_shuffle(_plain(self.to_paint(x)), 2)
        return WarpFields(
            residual=residual,
            shading=(shading[:, :3] + detail) * say,
            erased=erased * say,
            even=levels[0],
            mask=torch.sigmoid(paint[:, :1]) * paintable * say,
            colour=torch.sigmoid(paint[:, 1:]),
        )

    def predict(
        self,
        image: Tensor,
        base_flow: Tensor,
        gates: Tensor,
        source_landmarks: Tensor,
        target_landmarks: Tensor,
    ) -> WarpFields:
        """The mean of the fields for crops and for their mirror images, turned back.

        Twice the work of `forward`, whose arguments it takes, and better (self-ensemble: Timofte,
        Rothe, Van Gool 2016, "Seven ways to improve example-based single image super resolution").
        A mirrored photo gets the mirrored edit.
        """
        side = image.shape[-1]
        across = image.new_tensor([-1, 1])[:, None, None]
        mirrored = (
            image.flip(-1),
            base_flow.flip(-1) * across,
            gates.flip(-1),
            *(_mirrored(points, side) for points in (source_landmarks, target_landmarks)),
        )
        inputs = (image, base_flow, gates, source_landmarks, target_landmarks)
        both = self(*(torch.cat(pair) for pair in zip(inputs, mirrored, strict=True)))
        there, back = zip(*(field.chunk(2) for field in both), strict=True)
        ours, theirs = WarpFields(*there), WarpFields(*(field.flip(-1) for field in back))
        theirs = theirs._replace(residual=theirs.residual * across)
        mean = WarpFields(*((a + b) / 2 for a, b in zip(ours, theirs, strict=True)))
        painted = ours.mask * ours.colour + theirs.mask * theirs.colour
        return mean._replace(colour=painted / (2 * mean.mask).clamp(min=LEAST))


def _mirrored(points: Tensor, side: int) -> Tensor:
    """Landmarks (B, 68, 2) of the mirrored crop."""
    x, y = points[:, MIRRORED].unbind(-1)
    return torch.stack([side - 1 - x, y], -1)


def _plain(x: Tensor) -> Tensor:
    """Single precision and contiguous: fields of mixed memory formats are combined very slowly."""
    return x.float().contiguous()


def _enlarged(x: Tensor, side: int) -> Tensor:
    """Bicubic, as two products with a matrix: a fifth of the time that `interpolate` takes."""
    unit = torch.eye(x.shape[-1], device=x.device)[None, None]
    spread = functional.interpolate(unit, size=(side, x.shape[-1]), mode="bicubic")[0, 0]
    with torch.autocast(x.device.type, enabled=False):  # a shading's finest steps would be lost
        return spread @ x @ spread.T


def render(image: Tensor, base_flow: Tensor, fields: WarpFields) -> Tensor:
    """The edited crop (B, 3, S, S), not clamped, from the crop, its base flow and the fields."""
    return paint(move(image, base_flow, fields), fields)


def move(image: Tensor, base_flow: Tensor, fields: WarpFields) -> Tensor:
    """The crop (B, 3, S, S) warped and shaded, before anything is painted."""
    moved = warp(image, base_flow + fields.residual)
    finest = moved - fields.even
    return moved + fields.shading - fields.erased * (finest - finest.clamp(-GRAIN, GRAIN))


def paint(moved: Tensor, fields: WarpFields) -> Tensor:
    """The moved crop (B, 3, S, S) with the colour image where the mask says so."""
    return moved + fields.mask * (fields.colour - moved)


def without_lines(fields: WarpFields, share: Tensor) -> WarpFields:
    """The fields whose picture has no fine folds: the skin's grain stays, and so do hairs.

    Args:
        share: (B, 1, S, S) in [0, 1], how much of them goes.
    """
    even = fields.even + fields.shading
    bands = [fine - coarse for fine, coarse in pairwise([even, *blurs(even, BANDS, first=1)])]
    kept, folded = grain(bands)
    lines = sum(band - part for band, part in zip(bands, kept, strict=False))
    share = share * folded
    return fields._replace(
        shading=fields.shading - share * lines, erased=torch.maximum(fields.erased, share)
    )


def blurs(image: Tensor, count: int, first: int = 0) -> list[Tensor]:
    """Blurred copies of (B, C, H, W), each an octave coarser: sigma 0.7, 1.6, 3.2, 6.5, ... pixels.

    An image that is blurred by the first of these already goes on with `first=1`.

    What one has and the next lacks is a band of detail: the undecimated wavelet transform of
    Holschneider et al. (1989) with the kernel 1/4, 1/2, 1/4.
    """
    levels = []
    for index in range(first, first + count):
        image = _blurred(image, 2**index)
        levels.append(image)
    return levels


def grain(bands: list[Tensor]) -> tuple[list[Tensor], Tensor]:
    """What of bands of detail (B, C, S, S) is the skin's grain: pores and fine stubble, not folds.

    Returns:
        The grain of each band but the coarsest, in which folds alone are seen; and where there is
        a fold that is no beard, (B, 1, S, S) in [0, 1].
    """
    usual, stronger = [], []
    for index, band in enumerate(bands):
        energy = functional.avg_pool2d(band.detach().square().mean(1, keepdim=True), POOLED)
        # the geometric mean: what stands out, folds, eyes and lips, hardly counts
        around = blurs((energy + LEAST**2).log(), FAR)[-1].exp()
        usual.append(around)
        stronger.append(blurs(energy, max(1, index))[-1] / around)
    finest, *others = stronger
    calm = _at_pixels(_calm(others))
    # in the finest detail a fold is like the skin round it; a beard is stronger there as well
    folded = 1 - _at_pixels(_calm([times / finest.clamp(min=1) for times in others]))
    kept = []
    for band, around in zip(bands[:-1], usual[:-1], strict=True):
        most = STANDS_OUT * _at_pixels(around.sqrt())
        kept.append(calm * torch.maximum(torch.minimum(band, most), -most))
    return kept, folded


def _calm(stronger: list[Tensor]) -> Tensor:
    """Where several bands' detail is no stronger than its surroundings', in [0, 1]."""
    shares = ((FOLDED[1] - times) / (FOLDED[1] - FOLDED[0]) for times in stronger)
    return reduce(torch.mul, (share.clamp(0, 1) for share in shares))


def _at_pixels(x: Tensor) -> Tensor:
    """From the grid on which strengths of detail are compared to the crop's pixels."""
    return functional.interpolate(x, scale_factor=POOLED, mode="bilinear")


def _greatest_near(x: Tensor) -> Tensor:
    """The greatest of (B, 1, S, S) within `REACH` pixels, to a cell of the grid of strengths."""
    cells = REACH // POOLED
    coarse = functional.max_pool2d(x, POOLED)
    return _at_pixels(functional.max_pool2d(coarse, 2 * cells + 1, stride=1, padding=cells))


def _blurred(image: Tensor, gap: int) -> Tensor:
    """1/4, 1/2, 1/4 of values `gap` apart, across and down, the border repeated."""
    for dim, pad in ((3, (gap, gap, 0, 0)), (2, (0, 0, gap, gap))):
        wide = functional.pad(image, pad, mode="replicate")
        length = image.shape[dim]
        before, after = wide.narrow(dim, 0, length), wide.narrow(dim, 2 * gap, length)
        image = image / 2 + (before + after) / 4
    return image


def warp(image: Tensor, flow: Tensor) -> Tensor:
    """`out(x) = image(x + flow(x))`, bilinear, the border repeated.

    Args:
        image: (B, C, H, W).
        flow: (B, 2, H, W) x, y in pixels.
    """
    height, width = image.shape[2:]
    x = torch.arange(width, dtype=flow.dtype, device=flow.device) + flow[:, 0]
    y = torch.arange(height, dtype=flow.dtype, device=flow.device)[:, None] + flow[:, 1]
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
    return functional.grid_sample(
        image, grid, mode="bilinear", padding_mode="border", align_corners=False
    )


def strength(source_landmarks: Tensor, target_landmarks: Tensor) -> Tensor:
    """How much the network has to say, (B,) in [0, 1): nothing where the landmarks stay.

    `d^2 / (d^2 + REST^2)` with d the landmarks' rms movement in eye distances.
    """
    right = source_landmarks[:, [36, 39]].mean(1)
    left = source_landmarks[:, [42, 45]].mean(1)
    unit = (left - right).square().sum(-1).clamp(min=1e-6)
    moved = (target_landmarks - source_landmarks).square().sum(-1).mean(-1) / unit
    return moved / (moved + REST**2)
