"""What the paper leaves open, or its text lost, and what this project takes in its place.

Everything here is an assumption, named once; `docs/paper.md` says where each one enters. Where the
paper is silent, pix2pix's value stands, after which its networks are built.
"""

from dataclasses import dataclass
from typing import Literal

from g2gan.alignment import Frame


@dataclass(frozen=True)
class PaperAssumptions:
    """The settings that cannot be read in the paper.

    Further assumptions are no numbers: the last half of a sequence is rounded down
    (`train.sources.sequences.last_half`); sequences that nobody annotated train too
    (`train.sources.ck`); losses are means over all values (`train.losses`); the cycle loss is L1;
    the identity loss compares features of the output with those of the input; w_id rises linearly
    (`train.losses.identity_weight`); both generators step before both discriminators
    (`train.trainer`); U-Net depth and dropout (`g2gan.models.unet_generator`); a 70 px PatchGAN
    with batch normalisation at batch 5 (`train.discriminators`); who trains
    (`train.sources.splits`); for Oulu-CASIA and CREMA-D MediaPipe's 68 points stand in for FAN's;
    which pictures are gallery and probes (`train.paper_evaluate`).

    Args:
        aligned_side: px of an aligned picture; the digits are reconstructed.
        crop_side: px of the crops of it; reconstructed, as Light CNN reads 128 from 144.
        eye_distance: of the eye centres in the aligned picture, px. Light CNN, of the same group,
            puts the eyes on row 40 and the mouth 48 px lower in its 128 px chip; in a face with
            these, the eyes are about 46 px apart.
        eye_line: row of the eyes in the aligned picture, px: 40 in the centre crop.
        heatmap_sigma: of the Gaussians in H, px.
        learning_rate, betas: Adam's, for generators and discriminators, of pix2pix. "An onset
            learning rate" is taken to decay as in pix2pix: constant, then linearly to 0.
        images: length of a run; on CK+ about as many epochs as pix2pix's 200.
        adversarial_form: of eq. 1 and 2, pix2pix's.
        shape_variance: share of the variance that the components of eq. 7 explain.
    """

    aligned_side: int = 144
    crop_side: int = 128
    eye_distance: float = 46.0
    eye_line: float = 48.0
    heatmap_sigma: float = 2.0
    learning_rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    images: int = 800_000
    adversarial_form: Literal["bce", "lsgan"] = "bce"
    shape_variance: float = 0.95

    @property
    def frame(self) -> Frame:
        """The aligned picture's frame."""
        side = self.aligned_side
        return Frame(side, self.eye_distance / side, self.eye_line / side)

    @property
    def margin(self) -> int:
        """Where the centre crop begins in the aligned picture, px."""
        return (self.aligned_side - self.crop_side) // 2


ASSUMED = PaperAssumptions()
