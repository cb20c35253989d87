import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from faces import LEFT_EYE, MOUTH_CENTRE, RIGHT_EYE, SKIN, draw_face

from g2gan.alignment import eye_centres
from g2gan.engines import MODEL_VARIABLE
from g2gan.errors import DetectorError, ImageError
from g2gan.landmarks import LANDMARKS_68, Face, LandmarkDetector

# in dlib's order: each point's partner when the picture is mirrored
MIRRORED = [
    *range(16, -1, -1),
    *range(26, 16, -1),
    *range(27, 31),
    *range(35, 30, -1),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),
    *(64, 63, 62, 61, 60, 67, 66, 65),
]


@pytest.fixture(scope="module")
def detector():
    return LandmarkDetector()


@pytest.fixture(scope="module")
def portrait():
    return draw_face(512)


def pasted(size, *faces):
    """A grey canvas of (width, height) with pictures at (x, y, picture)."""
    canvas = np.full((size[1], size[0], 3), (120, 130, 140), np.uint8)
    for x, y, picture in faces:
        canvas[y : y + len(picture), x : x + len(picture)] = picture
    return canvas


def distance(points, others):
    return np.hypot(*(np.asarray(points) - others).T).mean()


@pytest.mark.parametrize("size", [96, 256, 512, 1024])
@pytest.mark.parametrize(("smile", "colour"), [(0.0, SKIN), (1.0, SKIN), (0.5, (120, 80, 60))])
def test_eyes_and_mouth_are_found_where_they_were_drawn(detector, size, smile, colour):
    (face,) = detector.detect(draw_face(size, smile, colour))
    eyes = np.array([RIGHT_EYE, LEFT_EYE]) * size
    assert distance(eye_centres(face.mesh), eyes) < 0.04 * face.eye_distance
    lips = face.landmarks[60:].mean(0)
    assert distance(lips[None], np.array([MOUTH_CENTRE]) * size) < 0.12 * face.eye_distance


def test_a_smile_widens_the_mouth_and_raises_its_corners(detector):
    (plain,), (smiling,) = (detector.detect(draw_face(512, smile)) for smile in (0, 1))
    corners = [face.landmarks[[48, 54]] for face in (plain, smiling)]
    assert np.ptp(corners[1][:, 0]) > 1.2 * np.ptp(corners[0][:, 0])
    assert corners[1][:, 1].mean() < corners[0][:, 1].mean()


def test_the_68_landmarks_are_distinct_points_of_the_mesh():
    assert len(set(LANDMARKS_68)) == 68


def test_a_face_is_a_value_that_cannot_be_written_to(detector, portrait):
    (face,) = detector.detect(portrait)
    assert face.mesh.shape == (478, 3)
    assert face.landmarks.shape == (68, 2)
    assert face.image_size == (512, 512)
    with pytest.raises(ValueError, match="read-only"):
        face.mesh[0] = 0
    mesh = face.mesh.copy()
    kept = Face(mesh, (512, 512))
    mesh[:] = 0
    assert np.array_equal(kept.mesh, face.mesh)


def test_the_box_and_the_eye_distance_are_of_the_mesh(detector, portrait):
    (face,) = detector.detect(portrait)
    x0, y0, x1, y1 = face.box
    assert x0 == face.mesh[:, 0].min()
    assert y1 == face.mesh[:, 1].max()
    assert x0 < RIGHT_EYE[0] * 512 < LEFT_EYE[0] * 512 < x1
    assert y0 < RIGHT_EYE[1] * 512 < y1
    assert face.eye_distance == pytest.approx((LEFT_EYE[0] - RIGHT_EYE[0]) * 512, rel=0.06)


def test_the_nose_is_nearer_than_the_ears(detector, portrait):
    (face,) = detector.detect(portrait)
    assert face.mesh[4, 2] < face.mesh[[234, 454], 2].min()


def test_two_faces_come_largest_first(detector):
    small, large = draw_face(300, seed=1), draw_face(500, smile=1)
    first, second = detector.detect(pasted((1000, 600), (20, 100, small), (450, 50, large)))
    assert first.eye_distance > second.eye_distance
    assert first.landmarks.mean(0)[0] > 450 > second.landmarks.mean(0)[0]


def test_small_faces_of_a_group_photo_are_found_beside_a_large_one(detector):
    small = draw_face(360)  # the face is 0.56 of it: 200 px, 5% of the photo's width
    places = [(60, 80), (1900, 2500), (3600, 1300)]
    photo = pasted((4000, 3000), (700, 600, draw_face(1400)), *[(x, y, small) for x, y in places])
    large, *others = detector.detect(photo)
    assert large.eye_distance == pytest.approx(0.23 * 1400, rel=0.06)
    assert len(others) == len(places)
    drawn = {(x + 180, y + 162) for x, y in places}  # between the eyes
    found = {min(drawn, key=lambda p: distance([p], face.mesh[168, :2])) for face in others}
    assert found == drawn


def test_a_face_is_the_same_wherever_it_lies_in_the_photo(detector, portrait):
    (alone,) = detector.detect(portrait)
    (placed,) = detector.detect(pasted((1600, 1200), (901, 433, portrait)))
    moved = placed.mesh[:, :2] - [901, 433]
    assert distance(moved, alone.mesh[:, :2]) < 0.02 * alone.eye_distance


def test_a_mirrored_photo_gives_mirrored_landmarks(detector, portrait):
    (face,), (mirrored,) = detector.detect(portrait), detector.detect(portrait[:, ::-1])
    back = mirrored.landmarks[MIRRORED] * [-1, 1] + [512, 0]
    assert distance(back, face.landmarks) < 0.04 * face.eye_distance


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_a_face_cut_by_the_border_does_no_harm(detector, portrait, share):
    cut = int(512 * share)
    for part in (portrait[:, cut:], portrait[:, :cut], portrait[cut:], portrait[:cut]):
        for face in detector.detect(part):
            assert np.isfinite(face.mesh).all()


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (1, 700), (64, 48), (700, 900)])
def test_where_there_is_no_face_the_list_is_empty(detector, shape):
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    assert detector.detect(noise) == []
    assert detector.detect(np.full((*shape, 3), 128, np.uint8)) == []


def test_four_threads_get_what_one_gets():
    detector = LandmarkDetector()  # not started yet: the threads race for its start too
    photos = [draw_face(256, smile, seed=seed) for seed, smile in enumerate((0.0, 0.4, 0.8, 1.0))]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(detector.detect, photos * 4))
    alone = [detector.detect(photo) for photo in photos] * 4
    for (one,), (other,) in zip(together, alone, strict=True):
        assert np.array_equal(one.mesh, other.mesh)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((64, 64, 3), np.float32),
        np.zeros((64, 64), np.uint8),
        np.zeros((64, 64, 4), np.uint8),
        np.zeros((0, 64, 3), np.uint8),
        "photo.jpg",
    ],
    ids=["float", "grey", "RGBA", "empty", "path"],
)
def test_what_is_no_rgb_array_is_an_image_error(detector, image):
    with pytest.raises(ImageError):
        detector.detect(image)


def test_a_missing_or_foreign_model_file_is_a_detector_error(tmp_path, portrait):
    with pytest.raises(DetectorError, match="cannot be read"):
        LandmarkDetector(tmp_path / "none.task").detect(portrait)
    for content in (b"", b"no model"):
        (tmp_path / "foreign.task").write_bytes(content)
        with pytest.raises(DetectorError, match=r"foreign\.task is no"):
            LandmarkDetector(tmp_path / "foreign.task").detect(portrait)


def test_a_first_detection_prints_nothing_and_importing_loads_no_mediapipe(tmp_path, portrait):
    np.save(tmp_path / "portrait.npy", portrait)
    code = (
        "import sys, numpy; from g2gan.landmarks import LandmarkDetector;"
        "assert 'mediapipe' not in sys.modules;"
        f"print(len(LandmarkDetector().detect(numpy.load({str(tmp_path / 'portrait.npy')!r}))))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "1\n", "")


@pytest.mark.skipif(
    MODEL_VARIABLE not in os.environ, reason=f"{MODEL_VARIABLE} names no face_landmarker.task"
)
def test_the_newer_interface_agrees_with_the_older(portrait):
    (tasks,) = LandmarkDetector(os.environ[MODEL_VARIABLE]).detect(portrait)
    drawn = np.array([RIGHT_EYE, LEFT_EYE]) * 512
    assert distance(eye_centres(tasks.mesh), drawn) < 0.04 * tasks.eye_distance
    small = pasted((4000, 3000), (2900, 300, draw_face(360)))  # 5% of the width
    assert len(LandmarkDetector(os.environ[MODEL_VARIABLE]).detect(small)) == 1
