"""The paper's generator: pix2pix's U-Net on a face and the heatmaps of its landmarks."""

import torch
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from g2gan.models.checkpointed import CheckpointedModel

DROPOUT_LAYERS = 3  # the innermost layers of the decoder, as in pix2pix


class UNetGenerator(CheckpointedModel):
    """`G_E` or `G_N`: a face and the heatmaps of its expressed landmarks give the edited face.

    The paper names pix2pix; what it leaves open is pix2pix's: 4 x 4 convolutions of stride 2,
    widths C64-C128-C256-C512-..., batch normalisation except at the outermost and innermost layers,
    LeakyReLU 0.2 down and ReLU up, a skip connection at every size. Assumptions of ours: as many
    layers as bring 128 px to one, and dropout while training only (pix2pix keeps it in testing).

    Args:
        image_channels: 3 for colour, 1 for grey.
        landmarks: number of heatmaps, one for each landmark.
        width: channels of the outermost layer; inner ones have up to eight times as many.
        depth: number of halvings; pictures have sides that are multiples of `2 ** depth`.
        dropout: share of values dropped in the three innermost layers of the decoder.
        heatmap_sigma: of the Gaussians in the heatmaps that it was trained on, in pixels; who draws
            them asks here.

    Raises:
        ValueError: an argument is out of its range.
    """

    @register_to_config
    def __init__(
        self,
        image_channels: int = 3,
        landmarks: int = 68,
        width: int = 64,
        depth: int = 7,
        dropout: float = 0.5,
        heatmap_sigma: float = 2.0,
    ) -> None:
        super().__init__()
        if min(image_channels, landmarks, width) < 1 or depth < 2 or not 0 <= dropout < 1:
            raise ValueError(
                "image_channels, landmarks and width must be at least 1, depth at least 2, dropout "
                f"in [0, 1); got {image_channels}, {landmarks}, {width}, {depth}, {dropout}"
            )
        widths = [width * min(2**level, 8) for level in range(depth)]
        inputs = [image_channels + landmarks, *widths]

        self.encoder = nn.ModuleList()
        for level in range(depth):
            outermost, innermost = level == 0, level == depth - 1
            bare = outermost or innermost
            layers = [] if outermost else [nn.LeakyReLU(0.2)]
            layers.append(nn.Conv2d(inputs[level], widths[level], 4, 2, 1, bias=bare))
            layers += [] if bare else [nn.BatchNorm2d(widths[level])]
            self.encoder.append(nn.Sequential(*layers))

        self.decoder = nn.ModuleList()
        for level in reversed(range(1, depth)):
            joined = widths[level] * (1 if level == depth - 1 else 2)  # with the skip connection
            layers = [
                nn.ReLU(),
                nn.ConvTranspose2d(joined, widths[level - 1], 4, 2, 1, bias=False),
                nn.BatchNorm2d(widths[level - 1]),
            ]
            layers += [nn.Dropout(dropout)] if depth - 1 - level < DROPOUT_LAYERS else []
            self.decoder.append(nn.Sequential(*layers))
        last = nn.ConvTranspose2d(2 * width, image_channels, 4, 2, 1)
        self.decoder.append(nn.Sequential(nn.ReLU(), last, nn.Tanh()))
        initialize(self)

    def forward(self, image: Tensor, heatmaps: Tensor) -> Tensor:
        """`G(I, H)`: the edited face.

        Args:
            image: (B, image_channels, H, W) in [0, 1]; H and W multiples of `2 ** depth`
                (128 x 128 in the paper).
            heatmaps: (B, landmarks, H, W) in [0, 1].

        Returns:
            (B, image_channels, H, W) in [0, 1].

        Raises:
            ValueError: shapes that do not fit each other or the network.
        """
        channels, landmarks = self.config.image_channels, self.config.landmarks
        size = image.shape[-2:]
        if (
            image.shape[1] != channels
            or heatmaps.shape != (len(image), landmarks, *size)
            or any(side % 2**self.config.depth for side in size)
        ):
            raise ValueError(
                f"image must be (B, {channels}, H, W), heatmaps (B, {landmarks}, H, W), with "
                f"sides that are multiples of {2**self.config.depth}; "
                f"got {tuple(image.shape)} and {tuple(heatmaps.shape)}"
            )
        x = torch.cat([image, heatmaps], dim=1)
        skips = []
        for down in self.encoder:
            x = down(x)
            skips.append(x)
        x = self.decoder[0](skips.pop())
        for up in self.decoder[1:]:
            x = up(torch.cat([x, skips.pop()], dim=1))
        return (x + 1) / 2


def initialize(network: nn.Module) -> None:
    """Pix2pix's start: weights from N(0, 0.02), normalisation's gains from N(1, 0.02), biases 0."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0.0, 0.02)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02)
        else:
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
