"""PatchGAN: which patches of a picture look real? The paper's `D_E` and `D_N`, after pix2pix."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from g2gan.models.unet_generator import initialize


def with_detail(picture: torch.Tensor) -> torch.Tensor:
    """A picture and, amplified, what a small blur takes from it: (B, 3, H, W) to (B, 6, H, W).

    Light and colour are a hundred times stronger than the grain by which teeth look real; without
    this a discriminator without normalisation does not find it.
    """
    smooth = functional.avg_pool2d(functional.pad(picture, (2, 2, 2, 2), mode="replicate"), 5, 1)
    return torch.cat([2 * picture - 1, 8 * (picture - smooth)], dim=1)


class PatchDiscriminator(nn.Module):
    """A small convolutional network that judges overlapping patches, one logit each.

    The paper's discriminators judge triplets: `D_E(I_N, H, I_E)` with `in_channels=3 + 68 + 3`. On
    three channels it judges pictures alone, such as squares round the mouth.

    Args:
        in_channels: channels of everything it sees together.
        width: channels of the first layer; each further one has twice as many, up to eight times.
        layers: layers of stride 2, at least 1. A patch is 16 px wide with 1, 34 with 2, 70 with 3
            (pix2pix's; the paper does not say which), 142 with 4.
        norm: batch normalisation in the inner layers, as in pix2pix.
    """

    def __init__(self, in_channels: int, width: int = 64, layers: int = 3, norm: bool = True):
        super().__init__()
        widths = [width * min(2**level, 8) for level in range(layers + 1)]
        blocks: list[nn.Module] = [nn.Conv2d(in_channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for level in range(1, layers + 1):
            stride = 2 if level < layers else 1
            blocks.append(nn.Conv2d(widths[level - 1], widths[level], 4, stride, 1, bias=not norm))
            blocks += [nn.BatchNorm2d(widths[level])] if norm else []
            blocks.append(nn.LeakyReLU(0.2))
        blocks.append(nn.Conv2d(widths[-1], 1, 4, 1, 1))
        self.blocks = nn.Sequential(*blocks)
        if norm:  # without it, such small weights would let nothing through: PyTorch's own stay
            initialize(self)

    def forward(self, *pictures: Tensor) -> Tensor:
        """Logits (B, 1, h, w), high where the patch looks real.

        Args:
            *pictures: (B, C_i, H, W) each, values in [0, 1]; their channels sum to `in_channels`.
        """
        return self.blocks(torch.cat(pictures, dim=1))
