"""The paper's generators behind the public interface: small crops painted anew in a whole photo."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import tiny
import tiny_paper
import torch
from faces import draw_face
from PIL import Image

from g2gan import G2GAN, CheckpointError
from g2gan.alignment import PAPER, crop, transform
from g2gan.landmarks import LANDMARKS_68
from g2gan.models.unet_generator import UNetGenerator
from g2gan.seal import seal
from train.paper import ASSUMED
from train.paper_data import PaperSet, centre_crop
from train.paper_prepare import prepare
from train.sources import Reading, Sequence, Still

HANDLES = list(LANDMARKS_68)
MOUTH_CORNERS = [48, 54]


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return draw_face(512, smile=0.8)


@pytest.fixture(scope="module")
def neutral_photo() -> np.ndarray:
    return draw_face(512)


@pytest.fixture(scope="module")
def face(photo):
    return tiny_paper.pipeline().detect(photo)[0]


@pytest.fixture(scope="module")
def neutral_face(neutral_photo):
    return tiny_paper.pipeline().detect(neutral_photo)[0]


def painting(network: UNetGenerator, paint: Callable[[torch.Tensor], torch.Tensor]) -> list:
    """Lets a real network paint what `paint` makes of its picture; what it was shown is listed."""
    shown = []

    def instead(_network: UNetGenerator, inputs: tuple, _output: torch.Tensor) -> torch.Tensor:
        shown.append(inputs)
        return paint(inputs[0])

    network.register_forward_hook(instead)
    return shown


def as_tensor(picture: np.ndarray) -> torch.Tensor:
    """(1, 3, S, S) in [0, 1]."""
    return torch.from_numpy(picture.transpose(2, 0, 1).astype(np.float32) / 255)[None]


def off(heatmaps: torch.Tensor, landmarks: np.ndarray) -> float:
    """How far heatmaps (1, 68, S, S) are highest from landmarks (68, 2), those in the picture."""
    side = heatmaps.shape[-1]
    places = heatmaps[0].flatten(1).argmax(1).numpy()
    inside = (landmarks > 0).all(1) & (landmarks < side - 1).all(1)
    assert inside.sum() > 60  # a chin may lie below it
    return np.abs(np.stack([places % side, places // side], 1) - landmarks)[inside].max()


def in_frame(mesh: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Landmarks of the photo in the crop round a mesh."""
    return transform(PAPER.matrix(mesh), landmarks)


@pytest.mark.parametrize("channels", [1, 3])
def test_all_four_edits_change_the_face_alone_and_keep_the_photos_size(photo, channels):
    pipe, other = tiny_paper.pipeline(channels), draw_face(400, colour=(120, 80, 60))
    outputs = [
        pipe.remove(photo),
        pipe.synthesize(photo, "happiness", intensity=0.5),
        pipe.synthesize(photo, {"happiness": 0.7}),
        pipe.transfer(other, photo),
        pipe.interpolate(photo, "happiness", steps=2),
    ]
    for output in outputs:
        result, mask = np.asarray(output.images[0]), np.asarray(output.masks[0])
        assert result.shape == photo.shape
        assert 0.05 < (mask > 0).mean() < 0.5
        assert np.array_equal(result[mask == 0], photo[mask == 0])
        assert not np.array_equal(result, photo)
    assert outputs[3].images[1].size == (400, 400)


@pytest.mark.parametrize("channels", [1, 3])
def test_networks_that_paint_what_they_see_leave_the_photo_bit_for_bit(photo, channels):
    pipe = tiny_paper.pipeline(channels)
    for network in (pipe.synthesis, pipe.removal):
        painting(network, lambda picture: picture)
    for output in (pipe.remove(photo), pipe.synthesize(photo, "happiness")):
        assert np.array_equal(np.asarray(output.images[0]), photo)
        assert np.asarray(output.masks[0]).any()


def test_a_grey_network_changes_light_and_keeps_every_pixel_s_chroma(photo):
    pipe = tiny_paper.pipeline(channels=1)
    result = np.asarray(pipe.remove(photo).images[0])
    assert not np.array_equal(result, photo)
    whole = (result > 0).all(2) & (result < 255).all(2)  # not clipped
    for one, other in ((0, 1), (1, 2)):
        before, after = (x[whole][:, one].astype(int) - x[whole][:, other] for x in (photo, result))
        assert np.array_equal(before, after)


def test_removal_sees_the_photo_s_own_geometry_and_synthesis_the_asked_one(photo, face):
    pipe = tiny_paper.pipeline()
    shown = {name: painting(getattr(pipe, name), lambda x: x) for name in ("removal", "synthesis")}
    asked = face.landmarks.copy()
    asked[MOUTH_CORNERS] += [[-8, -8], [8, -8]]
    pipe.synthesize(photo, landmarks=asked, face=face)
    (((picture, removal),), ((_, synthesis),)) = shown["removal"], shown["synthesis"]
    assert off(removal, in_frame(face.mesh, face.landmarks)) <= 0.5
    again = pipe.detect(photo)[0]  # nothing was changed: the same face is found
    assert off(synthesis, in_frame(again.mesh, asked)) <= 1
    expected = crop(photo, PAPER.matrix(face.mesh), PAPER.side)
    assert torch.equal(picture, as_tensor(expected))


@pytest.mark.parametrize("channels", [1, 3])
def test_the_network_sees_what_it_was_trained_on(photo, face, tmp_path, channels):
    Image.fromarray(photo).save(tmp_path / "photo.png")
    still = Still(tmp_path / "photo.png", landmarks=face.landmarks)
    sequence = Sequence("a", "0", still, (still,), "happiness")
    wide = Still(tmp_path / "photo.png", landmarks=face.landmarks + np.eye(68, 2) * 9)
    varied = Sequence("b", "0", wide, (still,), "happiness")
    split = {"train": ["b"], "test": ["a"]}
    reading = Reading((sequence, varied), ())
    prepare(reading, split, tmp_path / "set", channels, "drawn", lambda picture: None)
    trained = PaperSet.load(tmp_path / "set", "test").sequences[0]
    picture, landmarks = centre_crop(trained, 0)

    pipe = tiny_paper.pipeline(channels)
    shown = painting(pipe.removal, lambda x: x)
    pipe.remove(photo, face=face)
    ((seen, drawn),) = shown
    assert (seen[0] - picture).abs().max() <= 1.5 / 255
    assert off(drawn, landmarks.numpy()) <= 0.51
    assert ASSUMED.crop_side == PAPER.side
    assert pipe.removal.config.heatmap_sigma == ASSUMED.heatmap_sigma


def test_the_neutral_face_s_landmarks_are_detected_on_the_generated_picture(
    photo, face, neutral_photo, neutral_face
):
    pipe = tiny_paper.pipeline()
    calm = as_tensor(crop(neutral_photo, PAPER.matrix(neutral_face.mesh), PAPER.side))
    painting(pipe.removal, lambda _: calm)
    output = pipe.remove(photo, face=face)
    unit = face.eye_distance
    corners = output.faces[0].landmarks[MOUTH_CORNERS]
    assert np.abs(corners - neutral_face.landmarks[MOUTH_CORNERS]).max() < 0.06 * unit
    assert np.abs(corners - face.landmarks[MOUTH_CORNERS]).max() > 0.12 * unit
    told = pipe.remove(photo, face=face, landmarks=neutral_face.landmarks)
    assert np.allclose(told.faces[0].landmarks, neutral_face.landmarks)
    assert np.array_equal(np.asarray(told.images[0]), np.asarray(output.images[0]))


def test_transfer_moves_a_neutral_face_by_what_the_smile_moved(
    photo, face, neutral_photo, neutral_face
):
    pipe = tiny_paper.pipeline()
    calm = as_tensor(crop(neutral_photo, PAPER.matrix(neutral_face.mesh), PAPER.side))
    painting(pipe.removal, lambda _: calm)
    output = pipe.transfer(photo, neutral_photo, face_a=face, face_b=neutral_face)
    smile, none = (result.landmarks for result in output.faces)
    shown, lift = (
        (neutral_face.landmarks - each)[MOUTH_CORNERS, 1] for each in (face.landmarks, smile)
    )
    assert shown.min() > 0.1 * face.eye_distance
    assert (lift > 0.3 * shown).all()  # as much of it as a basis of few people holds
    assert (lift < 1.2 * shown).all()
    kept = np.abs(none - neutral_face.landmarks)[MOUTH_CORNERS]
    assert kept.max() < 0.06 * face.eye_distance


def test_where_no_face_is_found_on_the_generated_picture_nothing_is_known_to_have_moved(
    photo, face
):
    pipe = tiny_paper.pipeline()
    painting(pipe.removal, lambda picture: torch.full_like(picture, 0.6))
    blank = pipe.remove(photo, face=face)
    assert pipe.detect(blank.images[0]) == []
    assert np.array_equal(blank.faces[0].mesh, face.mesh)


def test_intensity_0_on_a_neutral_face_gives_the_photo_bit_for_bit(neutral_photo, neutral_face):
    pipe = tiny_paper.pipeline()
    given = {"face": neutral_face, "from_neutral": True}
    output = pipe.synthesize(neutral_photo, "happiness", intensity=0, **given)
    assert np.array_equal(np.asarray(output.images[0]), neutral_photo)
    strip = pipe.interpolate(neutral_photo, "happiness", steps=3, **given)
    assert np.array_equal(np.asarray(strip.images[0]), neutral_photo)
    corners = np.array([result.landmarks[48] for result in strip.faces])
    assert np.allclose(np.diff(corners, axis=0), corners[1] - corners[0])


def test_the_returned_face_is_the_asked_one_and_can_be_edited_on(photo, face):
    pipe = tiny_paper.pipeline()
    asked = face.landmarks.copy()
    asked[MOUTH_CORNERS] += [[-6, -4], [6, -4]]
    output = pipe.synthesize(photo, landmarks=asked, face=face, from_neutral=True)
    mesh = output.faces[0].mesh
    assert np.allclose(output.faces[0].landmarks, asked)
    moved = np.abs(mesh - face.mesh).max(1)
    assert moved[[17, 84]].max() <= moved.max() <= 1.05 * np.hypot(6, 4)  # nothing is flung away
    assert moved[[10, 151]].max() < 1  # px: the forehead stays
    whole = pipe.synthesize(photo, landmarks=mesh[:, :2], face=face, from_neutral=True)
    assert np.array_equal(np.asarray(whole.images[0]), np.asarray(output.images[0]))
    again = pipe.remove(output.images[0], face=output.faces[0])
    assert again.images[0].size == output.images[0].size


def test_lips_that_are_asked_to_touch_can_be_edited_on(photo, face):
    pipe = tiny_paper.pipeline()
    asked = face.landmarks.copy()
    asked[65:68] = asked[[63, 62, 61]]  # the lower inner lip on the upper one
    shut = pipe.synthesize(photo, landmarks=asked, face=face, from_neutral=True)
    opened = pipe.synthesize(photo, landmarks=face.landmarks, face=shut.faces[0], from_neutral=True)
    assert np.allclose(opened.faces[0].landmarks, face.landmarks)
    assert np.abs(opened.faces[0].mesh - face.mesh).max() < 0.1 * face.eye_distance


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_result_has_the_photos_mode(photo, mode, channels):
    picture = Image.fromarray(photo).convert(mode)
    assert tiny_paper.pipeline(channels).remove(picture).images[0].mode == mode


def test_a_large_photo_keeps_its_size_its_background_and_its_pores():
    pipe, photo = tiny_paper.pipeline(), np.full((3000, 4000, 3), (120, 130, 140), np.uint8)
    photo[700:2300, 1200:2800] = draw_face(1600)
    painting(pipe.removal, lambda picture: picture + 0.02)  # five levels lighter
    output = pipe.remove(photo)
    result, mask = np.asarray(output.images[0]), np.asarray(output.masks[0])
    assert result.shape == photo.shape
    assert np.array_equal(result[:, :1000], photo[:, :1000])
    skin = (slice(1500, 1600), slice(1750, 1850))  # a cheek
    assert mask[skin].min() == 255
    sharp = [cv2.Laplacian(picture[skin], cv2.CV_64F).std() for picture in (photo, result)]
    assert sharp[1] > 0.9 * sharp[0]
    assert abs((result[skin].astype(int) - photo[skin]).mean() - 5.1) < 0.5


def test_threads_get_what_one_caller_gets(photo):
    pipe = tiny_paper.pipeline()
    alone = np.asarray(pipe.synthesize(photo, "happiness").images[0])
    with ThreadPoolExecutor(4) as pool:
        results = pool.map(lambda _: pipe.synthesize(photo, "happiness").images[0], range(6))
        assert all(np.array_equal(np.asarray(result), alone) for result in results)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_saved_checkpoint_edits_bit_for_bit_as_before(photo, face, tmp_path, channels):
    pipe = tiny_paper.pipeline(channels)
    pipe.save_pretrained(tmp_path)
    loaded = G2GAN.from_pretrained(tmp_path)
    assert loaded.expressions == pipe.expressions == ("neutral", "happiness")
    before, after = (each.synthesize(photo, "happiness", face=face) for each in (pipe, loaded))
    assert np.array_equal(np.asarray(before.images[0]), np.asarray(after.images[0]))
    assert np.array_equal(before.faces[0].mesh, after.faces[0].mesh)


def test_in_half_precision_it_edits_nearly_the_same(photo, face, tmp_path):
    pipe = tiny_paper.pipeline()
    pipe.save_pretrained(tmp_path)
    half = G2GAN.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert half.removal.dtype == torch.bfloat16
    before, after = (
        np.asarray(each.remove(photo, face=face).images[0]).astype(int) for each in (pipe, half)
    )
    assert 0 < np.abs(before - after).max() < 12


def test_generators_and_shapes_of_two_kinds_are_refused():
    ours, paper = tiny.tiny_pipeline(), tiny_paper.pipeline()
    for parts in (
        (paper.synthesis, ours.removal, paper.shape_model),
        (paper.synthesis, paper.removal, ours.shape_model),
        (ours.synthesis, ours.removal, paper.shape_model),
    ):
        with pytest.raises(ValueError, match="needs its like"):
            G2GAN(*parts)


@pytest.mark.parametrize("part", ["removal", "shape_model"])
def test_a_checkpoint_put_together_of_two_kinds_is_refused(tmp_path, part):
    tiny.tiny_pipeline().save_pretrained(tmp_path / "ours")
    tiny_paper.pipeline().save_pretrained(tmp_path / "mixed")
    G2GAN.from_pretrained(tmp_path / "mixed")
    shutil.rmtree(tmp_path / "mixed" / part)
    shutil.copytree(tmp_path / "ours" / part, tmp_path / "mixed" / part)
    with pytest.raises(CheckpointError, match="differs"):
        G2GAN.from_pretrained(tmp_path / "mixed")
    seal(tmp_path / "mixed", ["removal", "shape_model", "synthesis"])
    with pytest.raises(CheckpointError, match="cannot load"):
        G2GAN.from_pretrained(tmp_path / "mixed")
