"""What stands where in the paper's figures, and which geometry each network is told."""

import numpy as np
import pytest
import tiny_paper
import torch
from torch import nn

from train.paper_data import PaperSet, centre_crop, paper_batch_at
from train.paper_figures import INTENSITIES, Editor, edits_of, write_figures
from train.paper_shape import fit_paper_shape_model, flat_shape
from train.trainer import _paper_inputs


class Told(nn.Module):
    """A network that leaves the face as it is, and keeps what it was told."""

    device = "cpu"

    def __init__(self):
        super().__init__()
        self.heatmaps = []

    def forward(self, image, heatmaps):
        self.heatmaps.append(heatmaps[0])
        return image


@pytest.fixture
def data(tmp_path) -> PaperSet:
    return PaperSet.load(tiny_paper.prepared(tmp_path))


@pytest.fixture
def editor(data) -> Editor:
    """Its shape model knows the mouths' movement to the last bit."""
    model = fit_paper_shape_model([*data.sequences], variance=1 - 1e-9)
    return Editor(Told(), Told(), model, sigma=2.0)


def peaks(heatmaps: torch.Tensor) -> np.ndarray:
    """Where each of them is highest, (68, 2), within half a pixel."""
    places = heatmaps.flatten(1).argmax(1).numpy()
    return np.stack([places % 128, places // 128], 1)


def inside(points: np.ndarray) -> np.ndarray:
    return ((points > 1) & (points < 126)).all(1)


def test_figure_2_shows_inputs_then_removal_and_synthesis_both_told_the_expressed_face(
    data, editor
):
    sequence = data.sequences[0]
    (row,) = edits_of([sequence], editor)
    (neutral, _), (expressed, landmarks) = (centre_crop(sequence, n) for n in (0, 2))
    for shown, expected in zip(row, (neutral, expressed, expressed, neutral), strict=True):
        assert torch.equal(shown, expected)
    points = landmarks.numpy()
    for network in (editor.removal, editor.synthesis):
        (told,) = network.heatmaps
        assert np.abs(peaks(told) - points)[inside(points)].max() <= 0.51


def test_figure_4_gives_each_neutral_face_the_others_parameters(data, editor):
    """Eq. 9 to 12; the detector finds faces that are known."""
    model = editor.shape_model
    neutral = [data.sequences[n].landmarks[0] - 8 for n in (0, 3)]
    p = [model.parameters_of({name: 1.0}) for name in ("happiness", "surprise")]
    expressed = [model.deform(flat_shape(n), q)[:, :2] for n, q in zip(neutral, p, strict=True)]
    moved = [np.abs(e - n).max() for e, n in zip(expressed, neutral, strict=True)]
    assert moved[1] > moved[0] + 3 > 6  # px: one is not taken for the other
    found = iter([expressed[0], neutral[0], expressed[1], neutral[1]])
    faces = [
        (torch.full((1, 128, 128), level), e)
        for level, e in zip((0.2, 0.8), expressed, strict=True)
    ]
    made = editor.transfer(*faces, lambda _picture: next(found))
    assert [picture.mean().item() for picture in made] == pytest.approx([0.2, 0.8, 0.2, 0.8])
    for told, start, other in zip(editor.synthesis.heatmaps, neutral, p[::-1], strict=True):
        asked = model.deform(flat_shape(start), other)[:, :2]
        near = inside(asked)
        assert near.sum() > 50
        assert np.abs(peaks(told) - asked)[near].max() <= 1


def test_figure_6_grows_each_expression_of_the_shape_model(data, editor, tmp_path):
    paths = write_figures("ck", data, editor, lambda _picture: None, tmp_path / "figures")
    assert [path.name for path in paths.values()] == [
        "figure-2-edits.png",
        "figure-4-transfer.png",
        "figure-6-intensity.png",
    ]
    names = write_figures("oulu", data, editor, lambda _picture: None, tmp_path / "figures")
    assert [path.name[:8] for path in names.values()] == ["figure-3", "figure-5", "figure-7"]
    editor.synthesis.heatmaps.clear()
    sequence = data.sequences[0]
    editor.intensities(sequence, "surprise")
    start = centre_crop(sequence, 0)[1].double().numpy()
    p = editor.shape_model.parameters_of({"surprise": 1.0})
    assert np.abs(editor.shape_model.deform(flat_shape(start), p)[:, :2] - start).max() > 8
    for told, share in zip(editor.synthesis.heatmaps, INTENSITIES, strict=True):
        asked = editor.shape_model.deform(flat_shape(start), share * p)[:, :2]
        assert np.abs(peaks(told) - asked)[inside(asked)].max() <= 0.51


@pytest.mark.parametrize(
    ("direction", "other"), [("synthesis", "removal"), ("removal", "synthesis")]
)
def test_the_way_back_is_told_the_same_expressed_face(data, direction, other):
    """Eq. 4: `G'(G(I, H), H)` has one H."""
    batch = paper_batch_at(data, direction, 0, 0, 3)
    edited = torch.rand_like(batch.source)
    _, there = _paper_inputs(batch, direction, 2.0)
    seen, back = _paper_inputs(batch.back(edited), other, 2.0)
    assert torch.equal(back, there)
    assert torch.equal(seen, edited)
    assert torch.equal(batch.back(edited).target, batch.source)
    expressed = batch.target_landmarks if direction == "synthesis" else batch.source_landmarks
    assert np.abs(peaks(there[0]) - expressed[0].numpy())[inside(expressed[0].numpy())].max() < 0.51
