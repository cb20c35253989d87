"""The public interface: photos in, photos out, and one clear error for every mistake."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from faces import draw_face
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny import tiny_pipeline

from g2gan import (
    G2GAN,
    CheckpointError,
    FaceIndexError,
    ImageError,
    IntensityError,
    LandmarksError,
    NoFaceError,
    UnknownExpressionError,
)
from g2gan.alignment import WORKING
from g2gan.editors import AROUND, _moving
from g2gan.seal import FORMAT


@pytest.fixture(scope="module")
def pipe() -> G2GAN:
    return tiny_pipeline()


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return draw_face(512, smile=0.6)


@pytest.fixture(scope="module")
def face(pipe, photo):
    return pipe.detect(photo)[0]


@pytest.fixture(scope="module")
def checkpoint(pipe, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    pipe.save_pretrained(folder)
    return folder


@pytest.fixture
def damaged(checkpoint, tmp_path) -> Path:
    return Path(shutil.copytree(checkpoint, tmp_path / "damaged"))


def changed(result: Image.Image, photo: np.ndarray) -> bool:
    return not np.array_equal(np.asarray(result), photo)


def test_all_four_edits_change_the_face_and_keep_the_photos_size(pipe, photo):
    other = draw_face(400, colour=(120, 80, 60))
    results = [
        pipe.remove(photo).images[0],
        pipe.synthesize(photo, "happiness").images[0],
        pipe.transfer(photo, other).images[1],
        pipe.interpolate(photo, "happiness", steps=3).images[2],
    ]
    for result in results:
        assert result.size == (512, 512)
        assert changed(result, photo)
    assert pipe.transfer(photo, other).images[0].size == (400, 400)


def test_pixels_where_the_mask_is_0_are_bit_identical(pipe, photo, face):
    output = pipe.synthesize(photo, "happiness", face=face)
    untouched = np.asarray(output.masks[0]) == 0
    assert 0.2 < untouched.mean() < 0.9
    assert np.array_equal(np.asarray(output.images[0])[untouched], photo[untouched])


def test_intensity_0_on_a_neutral_face_gives_the_photo_bit_for_bit(pipe, photo, face):
    output = pipe.synthesize(photo, "happiness", intensity=0, face=face, from_neutral=True)
    assert not changed(output.images[0], photo)
    assert not np.asarray(output.masks[0]).any()


def test_its_own_landmarks_leave_a_neutral_face_as_it_is(pipe, photo, face):
    for asked in (face.mesh[:, :2], face.mesh[:468, :2]):
        output = pipe.synthesize(photo, landmarks=asked, face=face, from_neutral=True)
        assert not changed(output.images[0], photo)


def test_the_returned_face_is_the_asked_one_and_can_be_edited_on(pipe, photo, face):
    asked = face.landmarks.copy()
    asked[48] += [-6, -4]  # a mouth corner
    output = pipe.synthesize(photo, landmarks=asked, face=face, from_neutral=True)
    assert np.allclose(output.faces[0].landmarks, asked, atol=0.5)
    again = pipe.remove(output.images[0], face=output.faces[0])
    assert again.images[0].size == output.images[0].size


def test_a_mesh_with_depth_is_taken_as_it_is(pipe, photo, face):
    """On a face that looks down, a chin that drops goes to the back as well."""
    deeper = face.mesh.copy()
    deeper[:, 2] += np.linspace(-9, 9, len(deeper))
    for asked in (deeper, deeper[:, :2]):
        made = pipe.synthesize(photo, landmarks=asked, face=face, from_neutral=True).faces[0].mesh
        np.testing.assert_array_equal(made[:, : asked.shape[1]], asked)
    np.testing.assert_array_equal(made[:, 2], face.mesh[:, 2])  # not told: as it was


def test_a_draft_is_nearly_the_same_picture():
    root = Path(__file__).parents[1]
    pipe = G2GAN.from_pretrained(root / "checkpoints" / "g2gan-london")
    with Image.open(root / "examples" / "woman-20s-fair-neutral.jpg") as image:
        photo = np.asarray(image.resize((288, 360)))
    face = pipe.detect(photo)[0]
    whole, draft = (
        np.asarray(
            pipe.synthesize(photo, "happiness", face=face, from_neutral=True, draft=draft).images[0]
        ).astype(int)
        for draft in (False, True)
    )
    # a draft's network looks once, not at the mirror image too, and only at what moves
    assert np.abs(draft - whole).mean() < 0.4 * np.abs(whole - photo).mean()
    mouth = face.landmarks[48:68].astype(int)
    part = np.s_[mouth[:, 1].min() : mouth[:, 1].max(), mouth[:, 0].min() : mouth[:, 0].max()]
    assert np.abs(draft - whole)[part].mean() < 0.1 * np.abs(whole - photo)[part].mean()


def test_a_draft_s_network_sees_a_square_round_what_moves():
    flow = np.zeros((WORKING.side, WORKING.side, 2), np.float32)
    flow[200:220, 30:90, 0] = 5
    flow[:, :, 1] = 0.1  # hardly at all
    rows, columns = _moving(flow, 16)
    assert rows.start <= 200 - AROUND
    assert rows.stop >= 220 + AROUND
    assert columns.start <= 30 - AROUND
    assert columns.stop >= 90 + AROUND
    assert rows.stop - rows.start == columns.stop - columns.start == 112
    assert rows.stop <= WORKING.side


def test_a_part_alone_is_removed_where_it_lies(pipe, photo, face):
    smiling = pipe.synthesize(photo, "happiness", face=face, from_neutral=True)
    given = {"face": smiling.faces[0]}
    before, whole = smiling.faces[0].mesh, pipe.remove(smiling.images[0], **given).faces[0].mesh
    mouth, eyes = (
        pipe.remove(smiling.images[0], parts=[part], **given).faces[0].mesh
        for part in ("mouth", "eyes")
    )
    corner, brow = 61, 105
    assert np.allclose(mouth[corner], whole[corner], atol=0.3)
    assert np.allclose(eyes[corner], before[corner], atol=0.3)
    assert not np.allclose(whole[corner], before[corner], atol=2)
    assert np.allclose(mouth[brow], before[brow], atol=0.3)


def test_parts_that_are_not_exchanged_stay(pipe, photo, face):
    smiling = pipe.synthesize(photo, "happiness", face=face, from_neutral=True)
    given = {"face_a": smiling.faces[0], "face_b": face}
    corner = 61
    all_parts, brows = (
        pipe.transfer(smiling.images[0], photo, **given, **parts).faces[0].mesh[corner]
        for parts in ({}, {"parts": ["brows"]})
    )
    assert np.allclose(brows, face.mesh[corner], atol=0.5)
    assert not np.allclose(all_parts, face.mesh[corner], atol=2)


def test_looks_of_the_eyes_are_asked_for_by_name(pipe, photo, face):
    """On the face as it is, they do what `remove` does to the shape of the eyes alone."""
    names = ("open eyes", "look at camera")
    assert set(names) <= set(pipe.looks)
    kept = {"face": face, "from_neutral": True}
    asked = pipe.synthesize(photo, dict.fromkeys(names, 1.0), **kept).faces[0]
    model = pipe.shape_model
    np.testing.assert_allclose(
        asked.mesh, model.look_at_camera(model.open_eyes(face.mesh)), atol=1e-6
    )
    strip = pipe.interpolate(photo, "look at camera", steps=3, **kept)
    np.testing.assert_allclose(strip.faces[-1].mesh, model.look_at_camera(face.mesh), atol=1e-6)
    mixed = pipe.synthesize(photo, {"look at camera": 1.0, "happiness": 0.5}, face=face).faces[0]
    smiling = pipe.synthesize(photo, {"happiness": 0.5}, face=face).faces[0]
    corners = [61, 291]
    np.testing.assert_allclose(mixed.mesh[corners], smiling.mesh[corners], atol=1e-6)


def test_interpolation_starts_neutral_and_moves_evenly(pipe, photo, face):
    strip = pipe.interpolate(
        photo, "happiness", steps=5, intensity=1.2, face=face, from_neutral=True
    )
    assert len(strip.images) == 5
    assert not changed(strip.images[0], photo)
    corners = np.array([f.landmarks[48] for f in strip.faces])
    assert np.allclose(np.diff(corners, axis=0), corners[1] - corners[0])


def test_a_blend_of_one_expression_is_that_expression(pipe, photo, face):
    named = pipe.synthesize(photo, "happiness", face=face, intensity=0.5)
    blended = pipe.synthesize(photo, {"happiness": 0.5}, face=face)
    assert np.allclose(named.faces[0].mesh, blended.faces[0].mesh)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_a_result_has_the_photos_mode(pipe, photo, mode):
    assert pipe.remove(Image.fromarray(photo).convert(mode)).images[0].mode == mode


def test_a_large_photo_comes_back_at_its_size_with_its_background_untouched(pipe):
    photo = np.full((3000, 4000, 3), (120, 130, 140), np.uint8)
    photo[700:2300, 1200:2800] = draw_face(1600)
    result = np.asarray(pipe.synthesize(photo, "happiness").images[0])
    assert result.shape == photo.shape
    assert np.array_equal(result[:, :1000], photo[:, :1000])
    assert not np.array_equal(result, photo)


def test_of_two_faces_the_largest_is_first_and_only_the_chosen_one_changes(pipe):
    photo = np.full((512, 912, 3), (120, 130, 140), np.uint8)
    photo[:, :512] = draw_face(512)
    photo[56:456, 512:] = draw_face(400, smile=0.5)
    faces = pipe.detect(photo)
    assert [face.eye_distance > 100 for face in faces] == [True, False]
    result = np.asarray(pipe.remove(photo, face=1).images[0])
    assert np.array_equal(result[:, :480], photo[:, :480])
    assert not np.array_equal(result, photo)


def test_a_face_at_the_photos_border_is_edited_or_not_found(pipe):
    for cut in (100, 180, 256):
        photo = np.ascontiguousarray(draw_face(512)[:, cut:])
        try:
            result = pipe.synthesize(photo, "happiness").images[0]
        except NoFaceError:
            continue
        assert result.size == (512 - cut, 512)


def test_grey_photos_stay_grey(pipe):
    grey = np.asarray(Image.fromarray(draw_face(512)).convert("L"))
    assert pipe.synthesize(grey, "happiness").images[0].mode == "L"


def test_threads_get_what_one_caller_gets(pipe, photo):
    alone = np.asarray(pipe.synthesize(photo, "happiness").images[0])
    with ThreadPoolExecutor(4) as pool:
        results = pool.map(lambda _: pipe.synthesize(photo, "happiness").images[0], range(6))
        assert all(np.array_equal(np.asarray(result), alone) for result in results)


def test_no_face_says_what_a_photo_needs(pipe):
    flat = np.full((300, 300, 3), 127, np.uint8)
    assert pipe.detect(flat) == []
    with pytest.raises(NoFaceError, match="turned towards the camera"):
        pipe.remove(flat)


@pytest.mark.parametrize("index", [1, -1, 7])
def test_a_face_index_that_does_not_exist_says_how_many_there_are(pipe, photo, index):
    with pytest.raises(FaceIndexError, match="the photo has 1"):
        pipe.remove(photo, face=index)


def test_a_face_of_another_photo_is_refused(pipe, photo, face):
    with pytest.raises(LandmarksError, match="detect it again"):
        pipe.remove(photo[:400], face=face)


@pytest.mark.parametrize(
    "landmarks",
    [
        np.zeros((67, 2)),
        np.zeros((68, 3)),
        np.zeros(136),
        np.full((68, 2), np.nan),
        np.full((68, 2), 1e6),
        [["a", "b"]] * 68,
    ],
)
def test_landmarks_that_cannot_be_are_refused(pipe, photo, face, landmarks):
    for method in (pipe.synthesize, pipe.remove):
        with pytest.raises(LandmarksError, match="landmarks must"):
            method(photo, landmarks=landmarks, face=face)


@pytest.mark.parametrize("intensity", ["much", None, float("nan"), float("inf"), -0.1, 2.1])
def test_an_intensity_that_is_no_number_from_0_to_2_is_refused(pipe, photo, face, intensity):
    with pytest.raises(IntensityError, match="intensity must be"):
        pipe.synthesize(photo, "happiness", intensity=intensity, face=face)
    with pytest.raises(IntensityError, match="intensity must be"):
        pipe.synthesize(photo, {"happiness": intensity}, face=face)


def test_an_unknown_expression_lists_the_known_ones(pipe, photo, face):
    with pytest.raises(UnknownExpressionError, match="neutral, happiness"):
        pipe.synthesize(photo, "boredom", face=face)


def test_what_contradicts_itself_is_refused(pipe, photo, face):
    with pytest.raises(ValueError, match="either"):
        pipe.synthesize(photo, face=face)
    with pytest.raises(ValueError, match="either"):
        pipe.synthesize(photo, "happiness", landmarks=face.landmarks, face=face)
    with pytest.raises(ValueError, match="steps"):
        pipe.interpolate(photo, "happiness", steps=1, face=face)


def test_a_photo_that_is_none_is_refused(pipe, tmp_path):
    drawing = tmp_path / "drawing.svg"
    drawing.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    for source in (drawing, tmp_path / "missing.jpg", np.zeros((3, 3, 3), np.uint8)):
        with pytest.raises(ImageError):
            pipe.remove(source)


def test_a_saved_checkpoint_edits_as_before(pipe, checkpoint, photo, face):
    loaded = G2GAN.from_pretrained(checkpoint)
    assert loaded.expressions == pipe.expressions
    before = pipe.synthesize(photo, "happiness", face=face).images[0]
    after = loaded.synthesize(photo, "happiness", face=face).images[0]
    assert np.array_equal(np.asarray(before), np.asarray(after))


def test_a_checkpoint_holds_safetensors_and_json_and_no_path(checkpoint, tmp_path):
    G2GAN.from_pretrained(checkpoint).save_pretrained(tmp_path)
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {
        ".json",
        ".safetensors",
    }
    for config in tmp_path.rglob("*.json"):
        assert str(checkpoint.parent) not in config.read_text("utf-8")


def test_half_precision_on_disk_runs_in_single_precision(pipe, tmp_path):
    halves = tiny_pipeline()
    halves.synthesis.half()
    halves.removal.half()
    halves.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "synthesis" / "diffusion_pytorch_model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float16}
    loaded = G2GAN.from_pretrained(tmp_path)
    assert loaded.synthesis.dtype == torch.float32


def _weights(folder: Path) -> Path:
    return folder / "removal" / "diffusion_pytorch_model.safetensors"


def _drop_a_weight(folder: Path) -> None:
    tensors = load_file(_weights(folder))
    tensors.pop("to_paint.bias")
    save_file(tensors, _weights(folder))


def _add_a_weight(folder: Path) -> None:
    save_file(load_file(_weights(folder)) | {"more": torch.zeros(1)}, _weights(folder))


def _reshape_a_weight(folder: Path) -> None:
    save_file(load_file(_weights(folder)) | {"to_paint.bias": torch.zeros(3)}, _weights(folder))


def _spoil_a_weight(folder: Path) -> None:
    tensors = load_file(_weights(folder))
    tensors["to_paint.bias"][0] = float("nan")
    save_file(tensors, _weights(folder))


def _truncate(folder: Path) -> None:
    _weights(folder).write_bytes(_weights(folder).read_bytes()[:-100])


def _pickle(folder: Path) -> None:
    torch.save(load_file(_weights(folder)), folder / "removal" / "diffusion_pytorch_model.bin")
    _weights(folder).unlink()


def _foreign_index(folder: Path) -> None:
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}))


def _foreign_component(folder: Path) -> None:
    index = json.loads((folder / "model_index.json").read_text())
    index["removal"] = ["os", "system"]
    (folder / "model_index.json").write_text(json.dumps(index))


def _newer_format(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"format": FORMAT + 1}))


def _mangled_json(folder: Path) -> None:
    (folder / "model_index.json").write_text("{")


def _no_index(folder: Path) -> None:
    (folder / "model_index.json").unlink()


@pytest.mark.parametrize(
    "damage",
    [
        _drop_a_weight,
        _add_a_weight,
        _reshape_a_weight,
        _spoil_a_weight,
        _truncate,
        _pickle,
        _foreign_index,
        _foreign_component,
        _newer_format,
        _mangled_json,
        _no_index,
    ],
)
def test_a_damaged_checkpoint_is_refused_in_one_line(damaged, damage):
    G2GAN.from_pretrained(damaged)
    damage(damaged)
    with pytest.raises(CheckpointError) as raised:
        G2GAN.from_pretrained(damaged)
    assert len(str(raised.value)) > 40


def test_a_missing_checkpoint_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="no such folder"):
        G2GAN.from_pretrained(tmp_path / "checkpoint")
    with pytest.raises(CheckpointError, match="cannot load"):
        G2GAN.from_pretrained("no/such-checkpoint", local_files_only=True)
