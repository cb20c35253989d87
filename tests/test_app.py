"""The page's four endpoints, called as a program calls them, and what its visitors read."""

import logging
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image

gr = pytest.importorskip("gradio")

from faces import draw_face  # noqa: E402
from gradio_client import Client, handle_file  # noqa: E402
from gradio_client.exceptions import AppError  # noqa: E402
from tiny import tiny_pipeline  # noqa: E402

import app  # noqa: E402

SIZE = (400, 480)  # width, height of the photo


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A portrait, and files that are none."""
    folder = tmp_path_factory.mktemp("photos")
    rgb = np.pad(draw_face(400, smile=0.6), ((40, 40), (0, 0), (0, 0)), "edge")
    portrait = Image.fromarray(rgb)
    portrait.save(folder / "portrait.png")
    portrait.save(folder / "portrait.jpg", quality=95)
    portrait.convert("L").save(folder / "grey.png")
    pillow_heif.from_pillow(portrait).save(folder / "telephone.heic", quality=95)
    cut_out = portrait.convert("RGBA")
    cut_out.putalpha(Image.linear_gradient("L").resize(SIZE))
    cut_out.save(folder / "cut-out.png")
    two = Image.new("RGB", (2 * SIZE[0], SIZE[1]), (120, 130, 140))
    two.paste(portrait, (0, 0))
    two.paste(portrait.resize((300, 360)), (450, 60))
    two.save(folder / "two.png")
    Image.fromarray(cv2.GaussianBlur(rgb, (0, 0), 60)).save(folder / "nobody.png")
    (folder / "truncated.jpg").write_bytes((folder / "portrait.jpg").read_bytes()[:9000])
    (folder / "damaged.jpg").write_bytes(b"\xff\xd8 no photo")
    (folder / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>", "utf-8")
    return folder


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        page = app.build(tiny_pipeline(), examples=tmp_path_factory.mktemp("no-examples"))
        _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **app.LAUNCH)
        yield Client(url, verbose=False, download_files=str(tmp_path_factory.mktemp("results")))
        page.close(verbose=False)


def opened(path: str) -> Image.Image:
    assert path.endswith(".png")
    with Image.open(path) as image:
        image.load()
    return image


def remove(client: Client, photo: Path, face: int = 1) -> Image.Image:
    return opened(client.predict(handle_file(photo), face, api_name="/remove"))


def refusal(client: Client, photo: Path | None, face: int = 1) -> str:
    with pytest.raises(AppError) as caught:
        client.predict(photo and handle_file(photo), face, api_name="/remove")
    return caught.value.message


def changed(result: Image.Image, photo: Path) -> np.ndarray:
    """Where a result differs from a photo, bool (H, W)."""
    before, after = np.asarray(Image.open(photo)), np.asarray(result)
    return (before != after).reshape(*before.shape[:2], -1).any(2)


def test_remove_changes_the_face_and_no_pixel_at_the_border(client, folder):
    result = remove(client, folder / "portrait.png")
    assert result.size == SIZE
    where = changed(result, folder / "portrait.png")
    assert where.any()
    assert not where[:8].any()


def test_synthesize_grows_with_the_intensity(client, folder):
    photo = handle_file(folder / "portrait.png")
    none, half, full = (
        opened(client.predict(photo, 1, "happiness", strength, api_name="/synthesize"))
        for strength in (0, 0.5, 1)
    )
    assert none.size == half.size == full.size == SIZE
    assert len({image.tobytes() for image in (none, half, full)}) == 3


def test_transfer_returns_the_first_ones_expression_on_the_second_person_first(client, folder):
    one, two = handle_file(folder / "portrait.png"), handle_file(folder / "two.png")
    a_on_b, b_on_a = map(opened, client.predict(one, two, 1, 1, api_name="/transfer"))
    assert a_on_b.size == (2 * SIZE[0], SIZE[1])
    assert b_on_a.size == SIZE


def test_interpolate_returns_the_number_of_pictures_asked_for(client, folder):
    photo = handle_file(folder / "portrait.png")
    pictures = client.predict(photo, 1, "happiness", 4, api_name="/interpolate")
    assert [opened(picture["image"]).size for picture in pictures] == 4 * [SIZE]
    with pytest.raises(AppError, match="from 3 to 12"):
        client.predict(photo, 1, "happiness", 1000, api_name="/interpolate")


def test_grey_and_transparency_come_back_as_they_were(client, folder):
    assert remove(client, folder / "grey.png").mode == "L"
    result = remove(client, folder / "cut-out.png")
    assert result.mode == "RGBA"
    alpha = Image.open(folder / "cut-out.png").getchannel("A")
    assert result.getchannel("A").tobytes() == alpha.tobytes()


def test_a_telephones_photo_is_read(client, folder):
    assert remove(client, folder / "telephone.heic").size == SIZE


def test_the_chosen_face_is_edited(client, folder):
    first, second = (
        changed(remove(client, folder / "two.png", face), folder / "two.png") for face in (1, 2)
    )
    assert first[:, :400].any()
    assert not first[:, 450:].any()
    assert second[:, 450:].any()
    assert not second[:, :400].any()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nobody.png", "no face found"),
        ("truncated.jpg", "damaged"),
        ("damaged.jpg", "save it as JPEG or PNG"),
        ("drawing.svg", "save it as JPEG or PNG"),
    ],
)
def test_what_cannot_be_edited_is_explained_in_one_line(client, folder, name, words):
    message = refusal(client, folder / name)
    assert words in message
    assert "\n" not in message
    assert "Traceback" not in message


def test_no_photo_and_no_such_face_are_explained(client, folder):
    assert refusal(client, None) == app.NO_PHOTO
    assert refusal(client, folder / "portrait.png", face=3) == app.NOT_SO_MANY
    assert refusal(client, folder / "portrait.png", face=0) == app.NOT_SO_MANY


def test_a_photo_that_was_cleaned_away_is_asked_for_again(tmp_path):
    with pytest.raises(gr.Error) as caught:
        app._path({"path": str(tmp_path / "cleaned.jpg")})
    assert caught.value.message == app.GONE


def test_a_bug_shows_a_plain_sentence_and_logs_where_but_no_names(caplog):
    def edit(path: str) -> None:
        raise RuntimeError(f"cannot do this with {path}")

    with caplog.at_level(logging.ERROR), pytest.raises(gr.Error) as caught:
        app._in_plain_words(edit)("/tmp/Jane Doe.jpg")
    assert caught.value.message == app.UNEXPECTED
    assert "RuntimeError in edit" in caplog.text
    assert "test_app.py" in caplog.text
    assert "Jane" not in caplog.text


def test_the_api_has_four_endpoints_with_named_and_described_inputs(client):
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert set(endpoints) == {"/remove", "/synthesize", "/transfer", "/interpolate"}
    names = [value["parameter_name"] for value in endpoints["/synthesize"]["parameters"]]
    assert names == ["photo", "face", "expression", "intensity"]
    assert all(endpoint["description"] for endpoint in endpoints.values())


def test_examples_are_served_from_their_folder_so_that_they_outlive_temporary_files(tmp_path):
    for name in ("one-neutral", "one-smiling", "two-neutral"):
        Image.fromarray(draw_face(64)).save(tmp_path / f"{name}.jpg")
    page = app.build(tiny_pipeline(), examples=tmp_path)
    samples = [block.samples for block in page.blocks.values() if hasattr(block, "samples")]
    assert [len(rows) for rows in samples] == [1, 2, 1, 2]
    assert not any(
        "neutral" in path or "smiling" in path for files in page.temp_file_sets for path in files
    )
    assert all(age <= 3600 for age in page.delete_cache)


def test_without_a_checkpoint_the_program_ends_with_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("G2GAN_MODEL", str(tmp_path))
    with pytest.raises(SystemExit) as caught:
        app.main()
    assert str(tmp_path) in caught.value.code
    assert "\n" not in caught.value.code
