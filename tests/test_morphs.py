"""Morphs: people between two others."""

import numpy as np
import pytest
from tiny import face_mesh, smile

from g2gan.mesh import FACE_OVAL
from train.morphs import SHARE, draw_parents, morph_picture
from train.prepare import MORPHS
from train.sources import split_people

SIDE = 512


def textured(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 200, (SIDE, SIDE, 3))
    return noise.astype(np.uint8)


def test_parents_are_drawn_alike_each_time_and_everyone_is_first_in_turn():
    people = ["a", "b", "c"]
    drawn = draw_parents(people, 6, seed=3)
    assert drawn == draw_parents(people, 6, seed=3)
    assert [couple.first for couple in drawn] == people * 2
    assert len({couple.name for couple in drawn}) == 6
    assert all(couple.first != couple.second for couple in drawn)
    assert all(SHARE[0] <= couple.share <= SHARE[1] for couple in drawn)


def test_no_morph_has_a_test_person_among_its_parents():
    """Drawn as `train.prepare` draws them: from the training split alone."""
    split = split_people()
    couples = draw_parents(split["train"], MORPHS)
    parents = {person for couple in couples for person in (couple.first, couple.second)}
    assert parents == set(split["train"])
    assert not parents & set(split["test"])


def test_more_couples_than_there_are_cannot_be_drawn():
    with pytest.raises(ValueError, match="3 people make fewer than 7"):
        draw_parents(["a", "b", "c"], 7)


def test_a_morph_of_a_photo_with_itself_is_the_photo():
    picture, mesh = textured(0), face_mesh()
    np.testing.assert_array_equal(morph_picture(picture, mesh, picture, mesh, 0.6), picture)


def test_a_mark_in_both_photos_lies_where_the_morph_s_mesh_says():
    """A white dot on the same point of both meshes; nothing else but grey."""
    point, share = 205, 0.4  # a cheek
    first_mesh, second_mesh = face_mesh(), smile(face_mesh(), 1.5)
    pictures = []
    for mesh in (first_mesh, second_mesh):
        picture = np.full((SIDE, SIDE, 3), 90, np.uint8)
        x, y = np.rint(mesh[point, :2]).astype(int)
        picture[y - 2 : y + 3, x - 2 : x + 3] = 250
        pictures.append(picture)
    morph = morph_picture(pictures[0], first_mesh, pictures[1], second_mesh, share)
    expected = first_mesh[point, :2] + share * (second_mesh - first_mesh)[point, :2]
    light = np.maximum(morph[..., 0].astype(float) - 110, 0)
    found = (light[..., None] * np.indices(light.shape)[::-1].transpose(1, 2, 0)).sum((0, 1))
    assert np.linalg.norm(found / light.sum() - expected) < 1


def test_outside_the_face_a_morph_of_one_shape_is_its_first_parent():
    mesh = face_mesh()
    first, second = textured(1), textured(2)
    morph = morph_picture(first, mesh, second, mesh, 0.5)
    outside = np.ones((SIDE, SIDE), bool)
    low, high = mesh[list(FACE_OVAL), :2].min(0), mesh[list(FACE_OVAL), :2].max(0)
    outside[int(low[1]) : int(high[1]) + 1, int(low[0]) : int(high[0]) + 1] = False
    np.testing.assert_array_equal(morph[outside], first[outside])
    x, y = mesh[1, :2].astype(int)  # the nose: half of each, and of the first one's mean colour
    assert (morph[y, x].astype(int) != first[y, x]).any()
