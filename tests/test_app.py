"""The four endpoints, called as a program calls them, and what its callers read."""

import os
import time
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
from g2gan.preset import FaceEdit, Preset  # noqa: E402
from space.api import NO_PHOTO  # noqa: E402
from space.cleaning import delete_old_files  # noqa: E402

SIZE = (400, 480)  # width, height of the photo


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A portrait, and files that are none."""
    folder = tmp_path_factory.mktemp("photos")
    rgb = np.pad(draw_face(400, smile=1), ((40, 40), (0, 0), (0, 0)), "edge")
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


def remove(client: Client, photo: Path, face: int = 1, everybody: bool = False) -> Image.Image:
    path = client.predict(handle_file(photo), face, everybody, api_name="/remove")
    return opened(path)


def opened(path: str) -> Image.Image:
    with Image.open(path) as image:
        image.load()
    return image


def refusal(client: Client, photo: Path | None, face: int = 1) -> str:
    with pytest.raises(AppError) as caught:
        client.predict(photo and handle_file(photo), face, False, api_name="/remove")
    return caught.value.message


def changed(result: Image.Image, photo: Path) -> np.ndarray:
    """Which pixels differ, (H, W)."""
    with Image.open(photo) as before:
        return (np.asarray(result) != np.asarray(before.convert(result.mode))).any(-1)


def test_remove_edits_the_face_and_leaves_the_border(client, folder):
    result = remove(client, folder / "portrait.png")
    assert result.size == SIZE
    where = changed(result, folder / "portrait.png")
    assert where.any()
    assert not where[:8].any()


def test_synthesize_grows_with_the_intensity(client, folder):
    photo = handle_file(folder / "portrait.png")
    none, half, full = (
        opened(client.predict(photo, "happiness", share, 1, api_name="/synthesize"))
        for share in (0, 0.5, 1)
    )
    assert none.size == half.size == full.size == SIZE
    assert len({image.tobytes() for image in (none, half, full)}) == 3


def test_a_preset_is_applied_as_the_page_saves_it(client, folder):
    preset = Preset((FaceEdit("all", moves={48: (-0.1, -0.1)}, keep_expression=True),))
    photo = handle_file(folder / "two.png")
    by_file, by_link = (
        opened(client.predict(photo, preset=each, api_name="/synthesize"))
        for each in (preset.to_json(), "https://a.example/#preset=" + preset.to_code())
    )
    assert by_file.tobytes() == by_link.tobytes()
    where = changed(by_file, folder / "two.png")
    assert where[:, :400].any()
    assert where[:, 450:].any()
    with pytest.raises(AppError, match="no preset"):
        client.predict(photo, preset="{}", api_name="/synthesize")


def test_the_readmes_four_lines_edit_a_photo(client, folder, capsys):
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    (lines,) = [block for block in readme.split("```") if "gradio_client" in block]
    lines = lines.removeprefix("python").replace("http://127.0.0.1:7860", client.src)
    lines = lines.replace("portrait.jpg", str(folder / "portrait.jpg"))
    assert len([line for line in lines.splitlines() if line]) <= 4
    exec(lines, {})
    path = capsys.readouterr().out.splitlines()[-1]
    assert opened(path).size == SIZE
    assert path.endswith("portrait-happiness.jpg")


def test_transfer_returns_the_first_photo_first(client, folder):
    one, two = handle_file(folder / "portrait.png"), handle_file(folder / "two.png")
    edit_a, edit_b = map(opened, client.predict(one, two, api_name="/transfer"))
    assert edit_a.size == SIZE
    assert edit_b.size == (2 * SIZE[0], SIZE[1])


def test_parts_that_are_not_swapped_stay(client, folder):
    one, two = handle_file(folder / "portrait.png"), handle_file(folder / "two.png")
    edits = [
        opened(client.predict(one, two, parts=parts, api_name="/transfer")[0])
        for parts in (["mouth", "eyes", "brows"], ["brows"])
    ]
    assert edits[0].tobytes() != edits[1].tobytes()


def test_interpolate_returns_a_clip_of_the_number_of_pictures_asked_for(client, folder):
    photo = handle_file(folder / "portrait.png")
    path = client.predict(photo, "own", "happiness", 5, "gif", api_name="/interpolate")
    assert Image.open(path).n_frames == 5 + 3  # there, and back between the ends
    assert Path(client.predict(photo, frames=3, api_name="/interpolate")).suffix == ".mp4"
    with pytest.raises(AppError, match="from 3 to 48"):
        client.predict(photo, frames=1000, api_name="/interpolate")


def test_an_edit_comes_back_in_the_photos_own_format(client, folder):
    for name, kind in (("portrait.jpg", "JPEG"), ("portrait.png", "PNG"), ("grey.png", "PNG")):
        assert remove(client, folder / name).format == kind
    assert remove(client, folder / "grey.png").mode == "L"
    photo = handle_file(folder / "telephone.heic")
    assert client.predict(photo, api_name="/remove").endswith("telephone-plain.heic")


def test_transparency_comes_back_as_it_was(client, folder):
    result = remove(client, folder / "cut-out.png")
    assert result.mode == "RGBA"
    alpha = Image.open(folder / "cut-out.png").getchannel("A")
    assert result.getchannel("A").tobytes() == alpha.tobytes()


def test_the_chosen_face_is_edited_or_everybodys(client, folder):
    path = folder / "two.png"
    first, second = (changed(remove(client, path, face), path) for face in (1, 2))
    assert first[:, :400].any()
    assert not first[:, 450:].any()
    assert second[:, 450:].any()
    assert not second[:, :400].any()
    everybody = changed(remove(client, path, everybody=True), path)
    assert everybody[:, :400].any()
    assert everybody[:, 450:].any()


def test_only_the_parts_asked_for_become_neutral_or_are_swapped(client, folder):
    photo = folder / "portrait.png"
    mouth = client.predict(handle_file(photo), parts=["mouth"], api_name="/remove")
    assert opened(mouth).tobytes() != remove(client, photo).tobytes()
    two = handle_file(folder / "two.png")
    whole, mouths = (
        client.predict(handle_file(photo), two, parts=parts, api_name="/transfer")[0]
        for parts in (["mouth", "eyes", "brows"], ["mouth"])
    )
    assert opened(whole).tobytes() != opened(mouths).tobytes()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nobody.png", "could not find a face"),
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
    assert refusal(client, None) == NO_PHOTO
    assert "1 is the largest" in refusal(client, folder / "portrait.png", face=3)
    assert "1 is the largest" in refusal(client, folder / "portrait.png", face=0)


def test_the_api_has_four_endpoints_with_named_and_described_inputs(client):
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert set(endpoints) == {"/remove", "/synthesize", "/transfer", "/interpolate"}
    names = [value["parameter_name"] for value in endpoints["/synthesize"]["parameters"]]
    assert names == ["photo", "expression", "intensity", "face", "preset"]
    assert all(endpoint["description"] for endpoint in endpoints.values())


def test_the_examples_files_are_not_copied_to_where_the_visitors_are_deleted(tmp_path):
    for name in ("one-neutral", "one-smiling", "two-neutral"):
        Image.fromarray(draw_face(200)).save(tmp_path / f"{name}.jpg")
    page = app.build(tiny_pipeline(), examples=tmp_path)
    samples = [
        [sample["name"] for sample in block.value]
        for block in page.blocks.values()
        if isinstance(block, gr.HTML) and "samples" in block.elem_classes
    ]
    assert samples == [["one smiling", "two neutral"], ["one neutral", "two neutral"]]
    assert not any(
        "neutral" in path or "smiling" in path for files in page.temp_file_sets for path in files
    )


def test_files_older_than_asked_are_deleted_but_for_what_the_page_keeps(tmp_path):
    page = app.build(tiny_pipeline(), examples=tmp_path)
    block = next(block for block in page.blocks.values() if isinstance(block, gr.File))
    for name, age in (("old", 500), ("young", 5), ("kept", 500)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
        block.temp_files.add(str(tmp_path / name))
    block.keep_in_cache.add(str(tmp_path / "kept"))
    delete_old_files(page, 100)
    assert {path.name for path in tmp_path.iterdir()} == {"young", "kept"}


def test_without_a_checkpoint_the_program_ends_with_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("G2GAN_MODEL", str(tmp_path))
    with pytest.raises(SystemExit) as caught:
        app.main()
    assert str(tmp_path) in caught.value.code
    assert "\n" not in caught.value.code
