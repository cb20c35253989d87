"""A face's way from one expression to another, as the page shows and downloads it."""

import numpy as np
import pytest

pytest.importorskip("gradio")

from faces import draw_face
from PIL import Image
from tiny import tiny_pipeline

from g2gan import FaceIndexError, NoFaceError
from space.interpolation import strip

LARGEST = 1280  # pixels of a clip's longer side


@pytest.fixture(scope="module")
def pipe():
    return tiny_pipeline()


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return Image.fromarray(draw_face(240, smile=0.7))


def pixels(images: list[Image.Image]) -> list[bytes]:
    return [image.tobytes() for image in images]


def test_between_two_expressions_the_ends_are_what_the_pipeline_makes(pipe, photo):
    images = strip(pipe, photo, 0, "neutral", "happiness", 3)
    plain = pipe.remove(photo)
    happy = pipe.synthesize(plain.images[0], "happiness", face=plain.faces[0], from_neutral=True)
    assert len(images) == 3
    assert pixels([images[0], images[-1]]) == pixels([plain.images[0], happy.images[0]])
    assert len(set(pixels(images))) == 3


def test_the_way_from_the_photos_own_expression_begins_with_the_photo_itself(pipe, photo):
    for end in ("neutral", "happiness"):
        images = strip(pipe, photo, 0, "own", end, 5)
        assert len(images) == 5
        assert images[0].tobytes() == photo.tobytes()
    assert images[2].tobytes() == pipe.remove(photo).images[0].tobytes()  # halfway, on to happiness
    back = strip(pipe, photo, 0, "happiness", "own", 5)
    assert pixels(back) == pixels(images[::-1])


def test_a_strip_without_a_way_stands_still(pipe, photo):
    assert pixels(strip(pipe, photo, 0, "own", "own")) == 2 * [photo.tobytes()]


def test_a_large_photo_is_brought_to_a_clips_size_with_its_face(pipe, photo):
    large = photo.resize((2000, 2000), Image.Resampling.LANCZOS)
    face = pipe.detect(large)[0]
    images = strip(pipe, large, face, "own", "neutral", 2)
    assert [image.size for image in images] == 2 * [(LARGEST, LARGEST)]
    again = pipe.detect(images[0])[0]
    expected = (face.mesh[:, :2] + 0.5) * LARGEST / 2000 - 0.5
    assert np.abs(again.mesh[:, :2] - expected).mean() < 0.01 * again.eye_distance


def test_without_the_asked_face_there_is_no_strip(pipe, photo):
    with pytest.raises(FaceIndexError):
        strip(pipe, photo, 1, "neutral", "happiness")
    with pytest.raises(NoFaceError):
        strip(pipe, Image.new("RGB", (200, 200)), 0, "neutral", "happiness")
