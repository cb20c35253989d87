"""Edit the expression of a face in a photograph by its geometry.

>>> from g2gan import G2GAN  # doctest: +SKIP
>>> pipe = G2GAN.from_pretrained("checkpoints/g2gan-london")  # doctest: +SKIP
>>> smile = pipe.synthesize("portrait.jpg", "happiness").images[0]  # doctest: +SKIP
"""

from typing import TYPE_CHECKING

from g2gan.errors import (
    CheckpointError,
    DetectorError,
    FaceIndexError,
    G2GANError,
    ImageError,
    IntensityError,
    LandmarksError,
    NoFaceError,
    PartError,
    PresetError,
    UnknownExpressionError,
)

if TYPE_CHECKING:
    from g2gan.landmarks import Face
    from g2gan.pipeline import G2GAN, G2GANOutput

__all__ = [
    "G2GAN",
    "CheckpointError",
    "DetectorError",
    "Face",
    "FaceIndexError",
    "G2GANError",
    "G2GANOutput",
    "ImageError",
    "IntensityError",
    "LandmarksError",
    "NoFaceError",
    "PartError",
    "PresetError",
    "UnknownExpressionError",
]


def __getattr__(name: str) -> object:
    """Import torch and diffusers only when the pipeline is asked for: `--help` stays quick."""
    if name in ("G2GAN", "G2GANOutput"):
        from g2gan import pipeline

        return getattr(pipeline, name)
    if name == "Face":
        from g2gan.landmarks import Face

        return Face
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
