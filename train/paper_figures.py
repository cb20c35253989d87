"""The paper's figures 2 to 7 as grids of 128 px pictures.

Figures 2, 4 and 6 are taken to show CK+, 3, 5 and 7 Oulu-CASIA (reconstructed); other sets get the
even numbers. Captions are in `CAPTIONS`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from g2gan.models.unet_generator import UNetGenerator
from g2gan.shape import ShapeModel
from train.paper_data import AlignedSequence, PaperSet, centre_crop
from train.paper_evaluate import edit, to_rgb
from train.paper_shape import flat_shape

ROWS = 6
INTENSITIES = (0.25, 0.5, 0.75, 1.0)
GAP = 4  # px between pictures
CAPTIONS = {
    "edits": "neutral and expressed picture, each the other's target; removal, synthesis (told)",
    "transfer": "two inputs, both with their expression removed, each with the other's expression",
    "intensity": "a neutral face and each expression at "
    + ", ".join(f"{t:g}" for t in INTENSITIES),
}

Landmarks = Callable[[np.ndarray], np.ndarray | None]  # RGB -> (68, 2)


@dataclass(frozen=True)
class Editor:
    """Both networks and the shape model of one configuration."""

    synthesis: UNetGenerator
    removal: UNetGenerator
    shape_model: ShapeModel
    sigma: float

    def synthesize(self, face: torch.Tensor, landmarks: np.ndarray) -> torch.Tensor:
        """`G_E(I_N, H)` of one crop (C, 128, 128), landmarks (68, 2) of the expressed face."""
        return edit(self.synthesis, face[None], _points(landmarks), self.sigma)[0]

    def remove(self, face: torch.Tensor, landmarks: np.ndarray) -> torch.Tensor:
        """`G_N(I_E, H)` of one crop (C, 128, 128), landmarks (68, 2) of that face."""
        return edit(self.removal, face[None], _points(landmarks), self.sigma)[0]

    def transfer(
        self,
        first: tuple[torch.Tensor, np.ndarray],
        second: tuple[torch.Tensor, np.ndarray],
        detect: Landmarks,
    ) -> list[torch.Tensor]:
        """Eq. 9 to 12: both faces without expression, then each with the other's.

        Shapes of input and neutral face come from one detector, so that its habits cancel; where it
        finds no face on a generated one, nothing is known to have moved.

        Args:
            first, second: a crop (C, 128, 128) and its landmarks (68, 2).
        """
        neutral, shapes, parameters = [], [], []
        for face, landmarks in (first, second):
            neutral.append(self.remove(face, landmarks))  # eq. 9
            expressed = _detected(detect, face, landmarks)
            shapes.append(_detected(detect, neutral[-1], expressed))  # eq. 10
            parameters.append(  # eq. 11
                self.shape_model.parameters_between(flat_shape(shapes[-1]), flat_shape(expressed))
            )
        swapped = [  # eq. 12
            self.synthesize(face, self._moved(shape, p))
            for face, shape, p in zip(neutral, shapes, parameters[::-1], strict=True)
        ]
        return [*neutral, *swapped]

    def intensities(self, sequence: AlignedSequence, expression: str) -> list[torch.Tensor]:
        """A sequence's neutral crop with an expression growing: `s = s_N + Φ (t p_e)`."""
        face, landmarks = centre_crop(sequence, 0)
        p = self.shape_model.parameters_of({expression: 1.0})
        return [
            self.synthesize(face, self._moved(landmarks.double().numpy(), t * p))
            for t in INTENSITIES
        ]

    def _moved(self, neutral: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        """`s_N + Φ p` (eq. 8), (68, 2)."""
        return self.shape_model.deform(flat_shape(neutral), parameters)[:, :2]


def write_figures(
    name: str, data: PaperSet, editor: Editor, detect: Landmarks, out: Path
) -> dict[str, Path]:
    """Write the three grids of a set, by their kind in `CAPTIONS`; test people only."""
    first = 3 if name == "oulu" else 2
    grids = {
        "edits": edits_of(_spread(data.sequences), editor),
        "transfer": _transfers(data, editor, detect),
        "intensity": _growing(data, editor),
    }
    out.mkdir(parents=True, exist_ok=True)
    paths = {}
    for number, (kind, rows) in enumerate(grids.items()):
        if not rows:  # nobody annotated an expression
            continue
        paths[kind] = out / f"figure-{first + 2 * number}-{kind}.png"
        grid(rows).save(paths[kind])
    return paths


def grid(rows: list[list[torch.Tensor]]) -> Image.Image:
    """Pictures (C, S, S) in [0, 1] in rows and columns, white between them."""
    side, columns = rows[0][0].shape[-1], max(len(row) for row in rows)
    step = side + GAP
    canvas = np.full((len(rows) * step - GAP, columns * step - GAP, 3), 255, np.uint8)
    for y, row in enumerate(rows):
        for x, picture in enumerate(to_rgb(torch.stack(row))):
            canvas[y * step : y * step + side, x * step : x * step + side] = picture
    return Image.fromarray(canvas)


def edits_of(sequences: Iterable[AlignedSequence], editor: Editor) -> list[list[torch.Tensor]]:
    """A row for each sequence: neutral, expressed (its peak), removal, synthesis."""
    rows = []
    for sequence in sequences:
        neutral, _ = centre_crop(sequence, 0)
        expressed, landmarks = centre_crop(sequence, len(sequence.pictures) - 1)
        points = landmarks.double().numpy()
        removed, made = editor.remove(expressed, points), editor.synthesize(neutral, points)
        rows.append([neutral, expressed, removed, made])
    return rows


def _transfers(data: PaperSet, editor: Editor, detect: Landmarks) -> list[list[torch.Tensor]]:
    rows = []
    chosen = _spread(data.sequences)
    for one, other in zip(chosen, chosen[1:] + chosen[:1], strict=True):
        faces = []
        for sequence in (one, other):
            face, landmarks = centre_crop(sequence, len(sequence.pictures) - 1)
            faces.append((face, landmarks.double().numpy()))
        rows.append([faces[0][0], faces[1][0], *editor.transfer(*faces, detect)])
    return rows


def _growing(data: PaperSet, editor: Editor) -> list[list[torch.Tensor]]:
    source = data.sequences[0]
    return [
        [centre_crop(source, 0)[0], *editor.intensities(source, expression)]
        for expression in editor.shape_model.expressions
        if expression != "neutral"
    ]


def _spread(sequences: tuple[AlignedSequence, ...]) -> list[AlignedSequence]:
    """A few sequences from all over the set."""
    places = np.linspace(0, len(sequences) - 1, min(ROWS, len(sequences)))
    return [sequences[int(place)] for place in places]


def _detected(detect: Landmarks, face: torch.Tensor, otherwise: np.ndarray) -> np.ndarray:
    found = detect(next(to_rgb(face[None])))
    return otherwise if found is None else found


def _points(landmarks: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(landmarks, np.float32))[None]
