"""Numbers that are a face's own: everybody's differ, and nobody's change."""

import cv2
import numpy as np
from tiny import face_mesh, smile, with_wider_temples

from g2gan.own import own_numbers

COUNT = 49


def test_numbers_of_a_face_are_its_own_however_it_looks_and_wherever_it_is():
    mesh = face_mesh()
    own = own_numbers(mesh, COUNT, 0)
    assert own.shape == (COUNT,)
    assert np.abs(own).max() <= 1
    turned = 1.7 * mesh @ cv2.Rodrigues(np.array([0.1, 0.2, 0.3]))[0] + 20
    for same in (turned, smile(mesh, 1.0)):
        np.testing.assert_allclose(own_numbers(same, COUNT, 0), own, atol=1e-3)
    other = own_numbers(with_wider_temples(mesh, 0.1), COUNT, 0)
    assert np.abs(other - own).mean() > 0.2
    near = own_numbers(with_wider_temples(mesh, 0.0005), COUNT, 0)  # another reading of the photo
    assert np.abs(near - own).max() < 0.05


def test_each_topic_has_numbers_of_its_own():
    one, other = (own_numbers(face_mesh(), COUNT, topic) for topic in (0, 1))
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.5


def test_people_s_numbers_are_spread_evenly_around_nothing():
    random = np.random.default_rng(0)
    mesh = face_mesh()
    numbers = []
    for _ in range(400):
        stretch = 1 + 0.04 * random.normal(size=(len(mesh), 1)) * [1, 0, 0]
        numbers.append(own_numbers(mesh * stretch, 4, 1))
    assert np.abs(np.mean(numbers, 0)).max() < 0.15
    np.testing.assert_allclose(np.std(numbers, 0), np.sqrt(0.5), atol=0.1)
