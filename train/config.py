"""Every setting of a training run, in one frozen place, and the presets."""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from train.paper import ASSUMED

Direction = Literal["synthesis", "removal"]


@dataclass(frozen=True)
class LossWeights:
    """Weight of each term; 0 leaves it out. Pictures are in [0, 1]."""

    pixel: float = 0.3  # eq. 3; weighted by region for photographs
    pooled: float = 0.5  # L1 of 4 x 4 averages: colour and light
    gradient: float = 0.5  # L1 of differences: edges and folds
    dissimilarity: float = 0.1  # 1 - SSIM
    log_square: float = 0.04  # PSNR, picture by picture
    detail: float = 0.3  # L1 of the strength of skin's detail: stubble and pores stay, folds go
    warped: float = (
        0.3  # L1 of the warped and shaded photo alone, so that paint stays the exception
    )
    mask: float = 0.02  # mean of the paint mask
    smooth: float = 0.01  # total variation of the residual flow, in pixels
    adversarial: float = 0.1  # eq. 1, 2
    cycle: float = 0.0  # eq. 4; needs both directions in one run
    identity: float = 0.0  # eq. 5, times 0.1 rising to 0.5; needs a recognition network


@dataclass(frozen=True)
class TrainConfig:
    """What a run does; a preset is one of these.

    Raises:
        ValueError: settings that contradict each other.
    """

    directions: tuple[Direction, ...] = ("synthesis", "removal")
    generator: Literal["warp", "unet"] = "warp"
    generator_arguments: dict = field(default_factory=dict)  # of the generator's constructor
    images: int = 20_000  # length of the run, per direction
    batch: int = 4
    learning_rate: float = 5e-4
    # "cosine": the generator's falls to 0 along a cosine. "linear": both stay for half of the run
    # and then fall to 0 on a line, as in pix2pix.
    schedule: Literal["cosine", "linear"] = "cosine"
    betas: tuple[float, float] = (0.9, 0.99)
    average: float = 0.998  # decay of the moving average of the weights; 0 keeps them as they are
    clip: float = 1.0  # largest norm of the generator's gradient; 0 for any
    losses: LossWeights = LossWeights()
    adversarial_form: Literal["bce", "lsgan"] = "lsgan"
    adversarial_from: float = 0.4  # share of the run after which the discriminator joins
    discriminator_width: int = 32
    discriminator_rate: float = 5e-4
    discriminator_betas: tuple[float, float] = (0.5, 0.99)
    heatmap_sigma: float = ASSUMED.heatmap_sigma  # px of the paper's 128 px heatmaps; "unet" only
    seed: int = 0

    def __post_init__(self) -> None:
        if self.losses.cycle and set(self.directions) != {"synthesis", "removal"}:
            raise ValueError("the cycle loss needs both directions in one run")

    def to_json(self) -> str:
        """All settings, by which a run's state is known again."""
        return json.dumps(asdict(self), sort_keys=True)


def ablations(config: TrainConfig) -> dict[str, TrainConfig]:
    """The four configurations of the paper's tables, by the name of their rows."""

    def without(**terms: float) -> TrainConfig:
        return replace(config, losses=replace(config.losses, **terms))

    return {
        "without_both": without(cycle=0.0, identity=0.0),
        "without_cycle": without(cycle=0.0),
        "without_identity": without(identity=0.0),
        "full": config,
    }


# The paper's own, nothing of ours: eq. 6 with its weights, no moving average, no clipping. Where it
# says nothing, see `PaperAssumptions`.
CK = TrainConfig(
    generator="unet",
    generator_arguments={"image_channels": 1},
    images=ASSUMED.images,
    batch=5,
    learning_rate=ASSUMED.learning_rate,
    schedule="linear",
    betas=ASSUMED.betas,
    average=0.0,
    clip=0.0,
    losses=LossWeights(
        pixel=10.0,
        pooled=0.0,
        gradient=0.0,
        dissimilarity=0.0,
        log_square=0.0,
        detail=0.0,
        warped=0.0,
        mask=0.0,
        smooth=0.0,
        adversarial=1.0,
        cycle=5.0,
        identity=1.0,
    ),
    adversarial_form=ASSUMED.adversarial_form,
    adversarial_from=0.0,
    discriminator_width=64,
    discriminator_rate=ASSUMED.learning_rate,
    discriminator_betas=ASSUMED.betas,
)
COLOUR = replace(CK, generator_arguments={"image_channels": 3})

PRESETS = {
    "ck": CK,
    "oulu": COLOUR,
    "crema": COLOUR,
    # Seconds, for tests: every loss and both directions on a network that fits in a thimble.
    "smoke": TrainConfig(
        generator_arguments={"widths": (4, 6, 8, 8)},
        images=8,
        batch=2,
        losses=LossWeights(cycle=0.5, identity=0.1),
        adversarial_from=0.0,
        discriminator_width=4,
    ),
    # The embedded checkpoint: real neutral and smiling pairs of the London set, one process each.
    # No discriminator: in short runs on 72 people it blurs the border of teeth and lips.
    "london-synthesis": TrainConfig(directions=("synthesis",), losses=LossWeights(adversarial=0.0)),
    "london-removal": TrainConfig(directions=("removal",), losses=LossWeights(adversarial=0.0)),
    # Ours with all of the paper's losses, weighed against the pixel loss as eq. 6 does, and without
    # those that are made of what tables measure: to find out which of them help a warp.
    "london-full": TrainConfig(
        losses=LossWeights(
            pixel=1.0,
            gradient=1.0,
            dissimilarity=0.0,
            log_square=0.0,
            detail=0.75,
            cycle=0.5,
            identity=0.1,
        )
    ),
}
