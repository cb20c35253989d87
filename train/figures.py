"""The picture of README and model card: composites before and after.

python -m train.figures checkpoints/g2gan-london
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from g2gan import G2GAN
from train.card import PICTURE, weights_digest

ROOT = Path(__file__).resolve().parents[1]
NEUTRAL, SMILING = "man-20s-neutral.jpg", "woman-20s-fair-smiling.jpg"
HEIGHT = 560  # pixels of the figure


def edits(pipe: G2GAN) -> Image.Image:
    """Side by side: a neutral composite, its smile; a smiling composite, its neutral face."""
    neutral, smiling = (Image.open(ROOT / "examples" / name) for name in (NEUTRAL, SMILING))
    row = [
        neutral,
        pipe.synthesize(neutral, "happiness").images[0],
        smiling,
        pipe.remove(smiling).images[0],
    ]
    sized = [image.resize((image.width * HEIGHT // image.height, HEIGHT)) for image in row]
    return Image.fromarray(np.hstack([np.asarray(image) for image in sized]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    arguments = parser.parse_args()
    pipe = G2GAN.from_pretrained(arguments.checkpoint)
    figure = edits(pipe)
    comment = weights_digest(arguments.checkpoint)  # so that the card shows what its weights do
    for path in (arguments.checkpoint / PICTURE, ROOT / "docs" / PICTURE):
        figure.save(path, quality=90, comment=comment)


if __name__ == "__main__":
    main()
