"""Our prepared set in miniature: drawn people, neutral and smiling, one of them neutral only."""

from pathlib import Path

from face_kit import face_kit
from faces import draw_face
from PIL import Image

from g2gan.shape import ShapeModel
from train.prepare import prepare
from train.sources import Pair

EMBEDDED = Path(__file__).parents[1] / "checkpoints" / "g2gan-london" / "shape_model"


def write(folder: Path) -> None:
    """Three people, two morphs, and one to be animated from a neutral photo, in `folder/set`."""
    pairs = []
    for seed, colour in enumerate([(214, 170, 145), (150, 105, 80), (235, 200, 180)]):
        for smile, state in ((0.0, "neutral"), (0.5 + 0.2 * seed, "smiling")):
            picture = draw_face(512, smile=smile, colour=colour, seed=seed)
            Image.fromarray(picture).save(folder / f"{seed}_{state}.png")
        paths = (folder / f"{seed}_{state}.png" for state in ("neutral", "smiling"))
        pairs.append(Pair(str(seed), *paths))
    Image.fromarray(draw_face(512, seed=9)).save(folder / "alone.png")
    kit = face_kit(ShapeModel.from_pretrained(EMBEDDED))
    prepare(pairs, folder / "set", "drawn", 2, {"alone": folder / "alone.png"}, kit)
