"""The pictures of README, model card and docs: composites before and after, and in each expression.

python -m train.figures checkpoints/g2gan-london
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from g2gan import G2GAN
from g2gan.alignment import WORKING, crop
from train.card import EMBEDDED, PICTURE, ROOT, weights_digest
from train.command import mistakes_are_said

NEUTRAL, SMILING = "man-20s-neutral.jpg", "woman-20s-fair-smiling.jpg"
HEIGHT = 560  # pixels of the figure
SHEET = "expressions.jpg"
FACES = (
    "man-20s", "man-30s", "man-black", "man-east-asian", "woman-20s-dark", "woman-20s-fair",
    "woman-black", "woman-east-asian",
)  # fmt: skip
SIDE = 288  # pixels of a face on the sheet


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


def expressions(pipe: G2GAN) -> Image.Image:
    """A row for each neutral composite: as it is, then with every expression of the model."""
    rows = []
    for name in FACES:
        photo = Image.open(ROOT / "examples" / f"{name}-neutral.jpg")
        face = pipe.detect(photo)[0]
        matrix = WORKING.matrix(face.mesh) * (SIDE / WORKING.side)
        row = [photo]
        for expression in pipe.expressions[1:]:
            row += pipe.synthesize(photo, expression, face=face).images
        rows.append(np.hstack([crop(np.asarray(image), matrix, SIDE) for image in row]))
    return Image.fromarray(np.vstack(rows))


@mistakes_are_said()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    arguments = parser.parse_args()
    pipe = G2GAN.from_pretrained(arguments.checkpoint)
    figure = edits(pipe)
    comment = weights_digest(arguments.checkpoint)  # so that the card shows what its weights do
    figure.save(arguments.checkpoint / PICTURE, quality=90, comment=comment)
    if arguments.checkpoint.resolve() == EMBEDDED:  # which the README shows
        figure.save(ROOT / "docs" / PICTURE, quality=90, comment=comment)
        expressions(pipe).save(ROOT / "docs" / SHEET, quality=88, comment=comment)


if __name__ == "__main__":
    main()
