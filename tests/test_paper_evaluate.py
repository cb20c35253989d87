"""The paper's tables: figures that are known, rows and columns that must be there."""

import cv2
import numpy as np
import pytest
import tiny_paper
import torch
from torch import nn

from train.paper_data import AlignedSequence, PaperSet, centre_crop
from train.paper_evaluate import (
    PAPER,
    ROWS,
    pairs_of,
    pictures_of,
    recognition,
    table_1,
    table_2,
    tables,
)
from train.paper_figures import grid


class Copy(nn.Module):
    """A network that leaves the face as it is."""

    device = "cpu"

    def forward(self, image, heatmaps):
        return image


class Answer(Copy):
    """A network that knows what is wanted."""

    def __init__(self, pictures):
        super().__init__()
        self.pictures = pictures

    def forward(self, image, heatmaps):
        made, self.pictures = self.pictures.split([len(image), len(self.pictures) - len(image)])
        return made


class Invert(Copy):
    """A network that makes black of white."""

    def forward(self, image, heatmaps):
        return 1 - image


class Template(nn.Module):
    """Features that are the picture itself."""

    def __init__(self):
        super().__init__()
        self.unit = nn.Parameter(torch.ones(1))

    def forward(self, faces):
        return self.unit * (faces - 0.5).flatten(1)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> PaperSet:
    folder = tiny_paper.prepared(tmp_path_factory.mktemp("paper"))
    return PaperSet.load(folder)  # its three training people are enough to count with


def test_the_gallery_holds_one_picture_of_each_person(data):
    pictures = pictures_of(data)
    assert pictures.images.shape == (3 * 3 * 3, 1, 128, 128)
    assert pictures.people[pictures.gallery].tolist() == [0, 1, 2]
    assert pictures.neutral[:7].tolist() == [0, 0, 0, 3, 3, 3, 6]
    assert not pictures.spare.any()


def test_copies_of_a_gallery_picture_are_no_probes(data):
    first = data.sequences[0]
    twice = PaperSet((first, first), 1)
    assert pictures_of(twice).spare.tolist() == [False, False, False, True, False, False]


def test_each_direction_is_measured_against_its_own_target(data):
    """Whoever paints the real picture, a level lighter, is nearly right; the other is not."""
    pictures = pictures_of(data)
    expressed, neutral = pairs_of(pictures)
    for place, targets in ((0, expressed), (2, neutral)):
        networks = [Copy(), Copy()]
        networks[place // 2] = Answer(pictures.images[targets] + 1 / 255)
        figures = table_1(pictures, *networks, 2.0)
        assert figures[place] > 0.99
        assert figures[place + 1] > 45
        assert max(figures[2 - place : 4 - place]) < 20


def test_copying_the_input_scores_the_same_both_ways(data):
    figures = table_1(pictures_of(data), Copy(), Copy(), 2.0)
    assert figures[:2] == pytest.approx(figures[2:])
    assert figures[0] < 0.2  # noise against noise


def test_rank_one_and_accept_rates_count_as_they_should():
    gallery = np.arange(200)
    scores = np.full((200, 200), 0.1)
    scores[np.diag_indices(200)] = 0.5
    scores[0, 0], scores[0, 1] = 0.05, 0.9  # one probe is taken for somebody else
    assert recognition(scores, gallery, gallery) == pytest.approx([99.5, 99.5, 99.5])
    # 400 impostor pairs above every genuine one, where 1% of 39,800 pairs are allowed
    scores[1, 2:102] = scores[2, 3:103] = scores[3, 4:104] = scores[4, 5:105] = 0.8
    assert recognition(scores, gallery, gallery)[1] == pytest.approx(0)


def test_too_few_impostors_give_no_figure_instead_of_a_wrong_one():
    people = np.arange(5)
    assert recognition(np.eye(5), people, people) == [100, None, None]  # 20 pairs
    assert recognition(np.ones((3, 1)), np.zeros(3), np.zeros(1)) == [100, None, None]


def test_probes_go_through_removal_and_the_gallery_does_not():
    rng = np.random.default_rng(0)
    sequences = []
    for person in "ab":
        face = rng.integers(40, 216, (144, 144), np.uint8)
        pictures = [cv2.imencode(".png", face + np.uint8(n))[1].ravel() for n in range(3)]
        landmarks = np.full((3, 68, 2), 60.0)
        sequences.append(AlignedSequence(person, "0", None, tuple(pictures), landmarks))
    pictures = pictures_of(PaperSet(tuple(sequences), 1))
    assert table_2(pictures, None, Template(), 2.0)[0] == 100
    assert table_2(pictures, Copy(), Template(), 2.0)[0] == 100
    assert table_2(pictures, Invert(), Template(), 2.0)[0] == 0  # the other is more alike


def test_the_papers_column_is_the_papers():
    text = tables("ck", {"table_1": {"full": [0.5, 20.0, 0.6, 21.0]}, "table_2": {}})
    full = next(line for line in text.splitlines() if line.startswith("| full |"))
    assert full.split("|")[2:10] == [
        f" {x} "
        for x in ("0.500", "0.728", "20.000", "22.968", "0.600", "0.767", "21.000", "24.420")
    ]
    for note in PAPER["reconstructed"].values():
        assert note in text


@pytest.mark.parametrize("name", ["ck", "oulu", "crema"])
def test_every_row_and_column_is_there_even_of_what_was_not_measured(name):
    lines = [
        line.split("|")[1:-1]
        for line in tables(name, {"table_1": {}, "table_2": {}}).splitlines()
        if line.startswith("|")
    ]
    assert {len(line) for line in lines} == {9, 7}
    titles = [line[0].strip().rstrip("¹²³") for line in lines]
    assert titles.count(ROWS["original"]) == 2
    for row in ("without_both", "without_cycle", "without_identity", "full"):
        assert titles.count(ROWS[row]) == 3
    assert all(cell.strip() == "n/a" for cell in lines[-1][1:]) is (name == "crema")


def test_what_was_reconstructed_is_marked_where_it_stands():
    text = tables("oulu", {"table_1": {}, "table_2": {}})
    for marked in ("Table 1, oulu¹", "| without cycle loss² |", "light_cnn_9³"):
        assert marked in text
    assert "| full |" in text


def test_a_grid_keeps_pictures_apart(data):
    face, _ = centre_crop(data.sequences[0], 0)
    picture = np.asarray(grid([[face, face], [face]]))
    assert picture.shape == (2 * 128 + 4, 2 * 128 + 4, 3)
    np.testing.assert_array_equal(picture[:128, :128], picture[132:, :128])
    assert (picture[132:, 132:] == 255).all()
