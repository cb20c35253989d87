"""The inner mouth: laid in where the jaw drops and nowhere else."""

import numpy as np
import pytest
from tiny import face_mesh, tiny_shape_model

from g2gan.mesh import FACE_OVAL, INNER_LIPS, OUTER_LIPS
from g2gan.mouth import PER_UNIT, mean_mouth, open_mouth

LOWER = (*INNER_LIPS[1:10], *OUTER_LIPS[1:10])
SKIN = (200, 150, 130)


def dropped(mesh: np.ndarray, by: float) -> np.ndarray:
    """The face with its lower lip and chin lower by some eye distances."""
    unit = tiny_shape_model().pose(mesh).scale
    moved, share = mesh.copy(), np.zeros(len(mesh))
    share[list(LOWER)] = 1
    chin = [k for k in FACE_OVAL if mesh[k, 1] > mesh[17, 1]]
    share[[*chin, 148, 152, 377, 199, 175]] = 1
    moved[:, 1] += by * unit * share
    return moved


def laid(by: float) -> tuple[np.ndarray, np.ndarray, object]:
    """Picture, target mesh and the answer, for a plain photo."""
    mesh = face_mesh()
    target = dropped(mesh, by)
    side = int(mesh[:, :2].max()) + 60
    photo = np.full((side, side, 3), SKIN, np.uint8)
    out = photo.copy()
    return out, target, open_mouth(out, photo, tiny_shape_model().pose(mesh), mesh, target)


@pytest.mark.parametrize("by", [0.0, 0.05])
def test_a_jaw_that_hardly_drops_is_left_to_the_generator(by):
    out, _, answer = laid(by)
    assert answer is None
    assert (out == SKIN).all()


def test_a_dropped_jaw_shows_the_dark_between_lips_and_nothing_outside_them():
    out, target, (part, share) = laid(0.3)
    middle = int(target[[13, 14], 0].mean())
    rows = slice(int(target[13, 1]) + 2, int(target[14, 1]) - 2)
    assert out[rows, middle].sum(1).min() < 0.4 * sum(SKIN)
    changed = np.zeros(out.shape[:2], bool)
    changed[part] = share > 0
    assert not (out != SKIN).any(2)[~changed].any()
    assert changed.sum() < 2.5 * np.ptp(target[list(INNER_LIPS), 0]) * np.ptp(
        target[list(INNER_LIPS), 1]
    )


def test_in_the_pictures_the_jaw_drops_and_the_skull_s_teeth_stay():
    mouth = mean_mouth()
    assert (np.diff(mouth.drops[:, 1]) > 0).all()
    teeth = mouth.lower[:, :, mouth.lower.shape[2] // 2 + 8, 1] > 0.6  # paler than gums and tongue
    tops = teeth.argmax(1) / PER_UNIT  # where the lower teeth begin, in eye distances
    np.testing.assert_allclose(tops - tops[0], mouth.drops[:, 1], atol=0.04)
    assert mouth.upper[..., 3].max() == 1
