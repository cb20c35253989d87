"""An edit as a value: what is written is what is read, and it means the same on every photo."""

import json
import re

import cv2
import numpy as np
import pytest
import tiny_paper
from faces import draw_face
from PIL import Image
from tiny import tiny_pipeline

from g2gan import FaceIndexError, NoFaceError, PresetError, UnknownExpressionError
from g2gan.landmarks import LANDMARKS_68
from g2gan.mesh import RIGHT_IRIS as IRIS
from g2gan.preset import MOVABLE, FaceEdit, Preset

MOUTH_CORNER, CHIN, RIGHT_IRIS = 48, 8, 68

SMILE = Preset((FaceEdit(expression={"happiness": 0.8}),))
EVERYTHING = Preset(
    (
        FaceEdit(faces="all"),
        FaceEdit((1, 0), {"happiness": 0.5}, 1.5, {MOUTH_CORNER: (-0.05, -0.1), 68: (0.1, 0)}),
        FaceEdit(moves={CHIN: (0, 0.2)}, keep_expression=True),
    )
)


@pytest.fixture(scope="module")
def pipe():
    return tiny_pipeline()


@pytest.fixture(scope="module")
def two_people():
    """A large and a small face side by side."""
    photo = np.full((512, 912, 3), (120, 130, 140), np.uint8)
    photo[:, :512] = draw_face(512, smile=0.5)
    photo[56:456, 512:] = draw_face(400, smile=0.5)
    return photo


def pixels(output):
    return np.asarray(output.images[0])


@pytest.mark.parametrize("preset", [SMILE, EVERYTHING, Preset((FaceEdit(),))])
def test_what_is_written_is_what_is_read(preset):
    assert Preset.from_json(preset.to_json()) == preset
    assert Preset.from_code(preset.to_code()) == preset


def test_the_json_is_short_and_says_what_it_is():
    assert json.loads(SMILE.to_json()) == {
        "g2gan_preset": 1,
        "edits": [{"expression": {"happiness": 0.8}}],
    }


def test_a_link_carries_the_preset_in_safe_letters():
    code = EVERYTHING.to_code()
    assert re.fullmatch(r"[A-Za-z0-9_-]+", code)
    assert Preset.from_code(f"https://example.org/?a=b#preset={code}") == EVERYTHING


def test_a_link_with_every_landmark_moved_stays_short():
    moves = dict.fromkeys(range(MOVABLE), (-0.1234, 0.1234))
    assert len(Preset((FaceEdit(moves=moves),)).to_code()) < 2500


def edit(**entry):
    return json.dumps({"g2gan_preset": 1, "edits": [entry]})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("[" * 90_000, "no JSON"),
        ("[]", "missing"),
        ('{"edits": []}', "missing"),
        ('{"g2gan_preset": 2, "edits": [{}]}', "update g2gan"),
        ('{"g2gan_preset": "1", "edits": [{}]}', "update g2gan"),
        ('{"g2gan_preset": 1}', "edits"),
        ('{"g2gan_preset": 1, "edits": []}', "edits"),
        ('{"g2gan_preset": 1, "edits": {"0": {}}}', "edits"),
        ('{"g2gan_preset": 1, "edits": [1]}', "object"),
        ('{"g2gan_preset": 1, "edits": [{}], "photo": "a.jpg"}', "'photo'"),
        (edit(colour="red"), "'colour'"),
        (edit(faces=0), "faces must be"),
        (edit(faces="both"), "faces must be"),
        (edit(faces=[]), "faces must be"),
        (edit(faces=[-1]), "faces must be"),
        (edit(faces=[0, 0]), "faces must be"),
        (edit(faces=[True]), "faces must be"),
        (edit(faces=[0.5]), "faces must be"),
        (edit(expression="happiness"), "expression must be"),
        (edit(expression={"": 1}), "expression must"),
        (edit(expression={"happiness": "1"}), "happiness must be a number"),
        (edit(expression={"happiness": True}), "happiness must be a number"),
        (edit(expression={"happiness": float("nan")}), "happiness must be from"),
        (edit(expression={"happiness": 99}), "happiness must be from"),
        (edit(intensity=-1), "intensity must be from 0 to 2"),
        (edit(intensity=None), "intensity must be a number"),
        (edit(moves=[[0, 0]]), "moves must be"),
        (edit(moves={"70": [0, 0]}), "points from 0 to 69"),
        (edit(moves={"-1": [0, 0]}), "points from 0 to 69"),
        (edit(moves={"mouth": [0, 0]}), "points from 0 to 69"),
        (edit(moves={"1": [0]}), "point 1 must be"),
        (edit(moves={"1": 0}), "point 1 must be"),
        (edit(moves={"1": [0, float("inf")]}), "point 1 must be from"),
        (edit(moves={"1": [0, 3]}), "point 1 must be from"),
        (edit(keep_expression=1), "true or false"),
        (" " * 200_000, "too long"),
    ],
)
def test_what_is_no_preset_is_refused_in_one_line(text, said):
    with pytest.raises(PresetError, match=re.escape(said)) as raised:
        Preset.from_json(text)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("code", ["", "?", "ä", "abc", "#preset=%20"])
def test_a_damaged_link_is_refused(code):
    with pytest.raises(PresetError):
        Preset.from_code(code)


def test_a_preset_made_in_python_is_checked_as_well():
    with pytest.raises(PresetError, match="faces must be"):
        FaceEdit(faces=[0])
    with pytest.raises(PresetError, match="at least one"):
        Preset(())


def test_a_preset_does_what_the_pipeline_does(pipe):
    photo = draw_face(512, smile=0.6)
    same = [
        (FaceEdit(), pipe.remove(photo)),
        (
            FaceEdit(expression={"happiness": 0.8}, intensity=1.5),
            pipe.synthesize(photo, {"happiness": 0.8}, intensity=1.5),
        ),
        (
            FaceEdit(expression={"happiness": 0.8}, keep_expression=True),
            pipe.synthesize(photo, {"happiness": 0.8}, from_neutral=True),
        ),
    ]
    for edit, expected in same:
        output = Preset((edit,)).apply(pipe, photo)
        assert np.array_equal(pixels(output), pixels(expected))
        assert np.allclose(output.faces[0].mesh, expected.faces[0].mesh)
        assert np.array_equal(np.asarray(output.masks[0]), np.asarray(expected.masks[0]))


def test_all_faces_are_edited_in_one_photo(pipe, two_people):
    output = Preset((FaceEdit(faces="all"),)).apply(pipe, two_people)
    alone = [pipe.remove(two_people, face=index) for index in (0, 1)]
    assert len(output.images) == len(output.masks) == 1
    assert len(output.faces) == 2
    changed = (pixels(output) != two_people).any(2)
    assert changed[:, :450].any()
    assert changed[:, 560:].any()
    untouched = np.asarray(output.masks[0]) == 0
    assert not changed[untouched].any()
    left, right = (np.asarray(each.masks[0]) > 0 for each in alone)
    only = left & ~right  # where the second edit did not reach, the first one is as it was
    assert np.array_equal(pixels(output)[only], pixels(alone[0])[only])


def test_each_face_can_have_an_edit_of_its_own(pipe, two_people):
    preset = Preset((FaceEdit((0,)), FaceEdit((1,), {"happiness": 1.0})))
    output = preset.apply(pipe, two_people)
    corners = [face.landmarks[MOUTH_CORNER] for face in output.faces]
    plain = pipe.remove(two_people, face=0).faces[0].landmarks[MOUTH_CORNER]
    smiling = pipe.synthesize(two_people, "happiness", face=1).faces[0].landmarks[MOUTH_CORNER]
    assert np.allclose(corners, [plain, smiling])


def test_edits_of_one_face_follow_each_other(pipe):
    photo = draw_face(512, smile=0.6)
    down = FaceEdit(moves={CHIN: (0, 0.1)}, keep_expression=True)
    output = Preset((FaceEdit(), down)).apply(pipe, photo)
    neutral = pipe.remove(photo).faces[0]
    moved = output.faces[0].landmarks[CHIN] - neutral.landmarks[CHIN]
    assert np.allclose(moved, [0, 0.1 * neutral.eye_distance], atol=0.02 * neutral.eye_distance)


@pytest.mark.parametrize("point", [MOUTH_CORNER, RIGHT_IRIS])
def test_a_moved_point_goes_as_far_in_every_photo(pipe, point):
    """In eye distances of the face, whatever the photo's size."""
    moved = []
    for size in (400, 800):
        photo = draw_face(size)
        face = pipe.detect(photo)[0]
        preset = Preset((FaceEdit(moves={point: (-0.06, -0.04)}, keep_expression=True),))
        after = preset.apply(pipe, photo).faces[0]
        vertex = LANDMARKS_68[point] if point < 68 else IRIS
        shift = after.mesh[vertex] - face.mesh[vertex]
        moved.append(shift[:2] / face.eye_distance)
    assert np.allclose(moved, [-0.06, -0.04], atol=0.008)


def test_a_tilted_head_moves_along_its_own_face(pipe):
    photo = draw_face(512)
    up = Preset((FaceEdit(moves={MOUTH_CORNER: (0, -0.1)}, keep_expression=True),))
    upright, turned = (
        up.apply(pipe, each).faces[0].landmarks[MOUTH_CORNER]
        - pipe.detect(each)[0].landmarks[MOUTH_CORNER]
        for each in (photo, np.ascontiguousarray(_tilted(photo, 20)))
    )
    angle = np.degrees(np.arctan2(*turned) - np.arctan2(*upright))
    assert abs((angle + 180) % 360 - 180 - 20) < 4  # the sign: to the left, up


def _tilted(photo, degrees):
    side = photo.shape[0]
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), degrees, 1)
    return cv2.warpAffine(photo, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)


def test_moves_come_on_top_of_an_expression(pipe):
    photo = draw_face(512)
    happy = {"happiness": 1.0}
    plain = Preset((FaceEdit(expression=happy),)).apply(pipe, photo).faces[0]
    moved = Preset((FaceEdit(expression=happy, moves={CHIN: (0, 0.08)}),)).apply(pipe, photo)
    shift = (moved.faces[0].landmarks - plain.landmarks) / plain.eye_distance
    assert np.allclose(shift[CHIN], [0, 0.08], atol=0.01)
    assert np.abs(shift[36:48]).max() < 0.02  # the eyes stay


def test_a_negative_share_moves_the_other_way(pipe):
    photo = draw_face(512)
    start = pipe.detect(photo)[0].landmarks[MOUTH_CORNER]
    more, less = (
        Preset((FaceEdit(expression={"happiness": share}, keep_expression=True),))
        .apply(pipe, photo)
        .faces[0]
        .landmarks[MOUTH_CORNER]
        for share in (0.5, -0.5)
    )
    assert np.allclose(more - start, start - less, atol=0.01)


def test_a_photo_with_fewer_faces_says_so(pipe):
    with pytest.raises(FaceIndexError, match="the photo has 1"):
        Preset((FaceEdit((1,)),)).apply(pipe, draw_face(512))
    with pytest.raises(NoFaceError):
        Preset((FaceEdit("all"),)).apply(pipe, np.full((300, 300, 3), 127, np.uint8))


def test_an_expression_that_the_checkpoint_does_not_know_is_named(pipe):
    for moves in ({}, {CHIN: (0, 0.1)}):
        preset = Preset((FaceEdit(expression={"boredom": 1.0}, moves=moves),))
        with pytest.raises(UnknownExpressionError, match="boredom"):
            preset.apply(pipe, draw_face(512))


def test_a_checkpoint_of_the_paper_says_that_it_moves_no_points():
    pipe = tiny_paper.pipeline()
    photo = draw_face(400)
    assert Preset((FaceEdit(expression={"happiness": 1.0}),)).apply(pipe, photo).images
    with pytest.raises(PresetError, match="moves no single points"):
        Preset((FaceEdit(moves={CHIN: (0, 0.1)}),)).apply(pipe, photo)


def test_the_colour_profile_survives_several_edits(pipe, tmp_path, two_people):
    Image.fromarray(two_people).save(tmp_path / "a.png", icc_profile=b"a profile")
    output = Preset((FaceEdit(faces="all"),)).apply(pipe, tmp_path / "a.png")
    assert output.images[0].info["icc_profile"] == b"a profile"
