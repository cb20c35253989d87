"""`python -m g2gan`: photos and folders in, files out, one line and exit code 1 for what fails."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from faces import draw_face
from PIL import Image
from tiny import tiny_pipeline

from g2gan import __main__ as command_line
from g2gan.images import open_photo
from g2gan.preset import FaceEdit, Preset

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("checkpoint")
    tiny_pipeline().save_pretrained(folder)
    return str(folder)


@pytest.fixture(autouse=True)
def _model(checkpoint, monkeypatch):
    monkeypatch.setenv("G2GAN_MODEL", checkpoint)


@pytest.fixture
def photo(tmp_path) -> Path:
    path = tmp_path / "photo.jpg"
    Image.fromarray(draw_face(400, smile=0.5)).save(path, quality=90)
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    """Two portraits, one with two faces, a landscape, a damaged file, and what is no photo."""
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(draw_face(400)).save(folder / "a.jpg")
    Image.fromarray(draw_face(400, smile=0.5)).save(folder / "b.gif")
    two = np.full((400, 720, 3), 130, np.uint8)
    two[:, :400], two[40:360, 400:] = draw_face(400), draw_face(320, smile=1)
    Image.fromarray(two).save(folder / "c two.png")
    Image.new("RGB", (300, 200)).save(folder / "landscape.png")
    (folder / "torn.jpg").write_bytes((folder / "a.jpg").read_bytes()[:3000])
    (folder / "._a.jpg").write_bytes(b"what macOS leaves on foreign disks")
    (folder / "notes.txt").write_text("no photo")
    (folder / "more").mkdir()
    return folder


def run(*words: object) -> int:
    return command_line.main([str(word) for word in words])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def changed(before: Path, after: Path) -> bool:
    return not np.array_equal(open_photo(before).rgb, open_photo(after).rgb)


def test_an_edit_goes_where_it_is_asked_to(photo, tmp_path):
    out = tmp_path / "new" / "out.jpg"
    assert run("remove", photo, "-o", out) == 0
    assert changed(photo, out)
    assert names(out.parent) == ["out.jpg"]


def test_looks_whose_names_have_spaces_blend_on_the_command_line(photo, tmp_path):
    out = tmp_path / "out.jpg"
    assert run("synthesize", photo, "look at camera", "open eyes=0.5", "-o", out) == 0
    assert changed(photo, out)


def test_by_default_an_edit_lies_beside_its_photo(photo, tmp_path):
    before = photo.read_bytes()
    assert run("synthesize", photo, "happiness") == 0
    assert names(tmp_path) == ["photo-edited.jpg", "photo.jpg"]
    assert photo.read_bytes() == before


def test_an_edit_for_a_folder_gets_a_name_of_its_own(photo, tmp_path):
    assert run("remove", photo, "-o", tmp_path / "results") == 0
    assert names(tmp_path / "results") == ["photo-edited.jpg"]


def test_expressions_take_shares_and_an_intensity(photo, tmp_path):
    same = [("happiness", "--intensity", 0.5), ("happiness=0.5",), ("neutral=1", "happiness=0.5")]
    for number, words in enumerate(same):
        assert run("synthesize", photo, *words, "-o", tmp_path / f"{number}.png") == 0
    expected = tiny_pipeline().synthesize(photo, {"happiness": 0.5}).images[0]
    for number in range(len(same)):
        assert np.array_equal(open_photo(tmp_path / f"{number}.png").rgb, np.asarray(expected))


def test_of_a_folder_what_fails_is_named_and_the_rest_is_edited(folder, tmp_path, capsys):
    out = tmp_path / "out"
    assert run("synthesize", folder, "happiness", "-o", out) == 1
    assert names(out) == ["a.jpg", "b.gif.png", "c two.png"]
    assert changed(folder / "a.jpg", out / "a.jpg")
    lines = [line for line in capsys.readouterr().err.splitlines() if str(folder) in line]
    assert [line.partition(": ")[0] for line in lines] == [
        str(folder / "landscape.png"),
        str(folder / "torn.jpg"),
    ]
    assert "no face found" in lines[0]
    assert "damaged" in lines[1]


def test_a_preset_is_applied_to_a_folder_from_its_file_and_from_a_link(folder, tmp_path):
    preset = Preset((FaceEdit("all", {"happiness": 1.0}, moves={8: (0.0, 0.05)}),))
    (tmp_path / "preset.json").write_text(preset.to_json(), "utf-8-sig")  # as Windows' editors save
    link = f"https://example.org/#preset={preset.to_code()}"
    assert run("apply", tmp_path / "preset.json", folder, "-o", tmp_path / "1") == 1
    assert run("apply", link, folder, "-o", tmp_path / "2") == 1
    assert names(tmp_path / "1") == names(tmp_path / "2") == ["a.jpg", "b.gif.png", "c two.png"]
    for name in names(tmp_path / "1"):
        assert not changed(tmp_path / "1" / name, tmp_path / "2" / name)
    differs = open_photo(tmp_path / "1" / "c two.png").rgb != open_photo(folder / "c two.png").rgb
    assert differs[:, :400].any()
    assert differs[:, 460:].any()


def test_a_face_is_chosen_by_its_number(folder, tmp_path, capsys):
    two = folder / "c two.png"
    assert run("remove", two, "--face", 1, "-o", tmp_path / "1.png") == 0
    differs = (open_photo(tmp_path / "1.png").rgb != open_photo(two).rgb).any((0, 2))
    assert not differs[:380].any()
    assert differs[400:].any()
    assert run("remove", two, "--face", "all", "-o", tmp_path / "all.png") == 0
    assert run("remove", two, "--face", 0, 1, "-o", tmp_path / "both.png") == 0
    assert not changed(tmp_path / "all.png", tmp_path / "both.png")
    assert run("remove", two, "--face", 2) == 1
    assert "the photo has 2" in capsys.readouterr().err
    assert run("remove", two, "--face", "left") == 1
    assert "--face takes numbers" in capsys.readouterr().err


def test_transfer_writes_both_directions(photo, folder, tmp_path):
    out = tmp_path / "out"
    assert run("transfer", photo, folder / "a.jpg", "-o", out) == 0
    assert names(out) == ["a-with-expression-of-photo.jpg", "photo-with-expression-of-a.jpg"]
    assert changed(folder / "a.jpg", out / "a-with-expression-of-photo.jpg")
    other = folder / "photo.jpg"
    other.write_bytes((folder / "a.jpg").read_bytes())
    assert run("transfer", photo, other, "-o", tmp_path / "same") == 0
    assert len(names(tmp_path / "same")) == 2  # though both are called photo.jpg


def test_transfer_between_photos_of_one_name_loses_neither(photo, tmp_path):
    alike = [tmp_path / year / "party" / "anna.jpg" for year in ("2019", "2020")]
    for path in alike:
        path.parent.mkdir(parents=True)
        path.write_bytes(photo.read_bytes())
    assert run("transfer", *alike, "-o", tmp_path / "out") == 0
    assert len(names(tmp_path / "out")) == 2


@pytest.mark.parametrize("name", ["strip.gif", "strip.mp4"])
def test_interpolation_becomes_a_moving_picture(photo, tmp_path, name):
    out = tmp_path / "new" / name
    assert run("interpolate", photo, "happiness", "--steps", 3, "-o", out) == 0
    assert names(out.parent) == [name]
    assert out.stat().st_size > 1000


def test_interpolation_becomes_a_folder_of_pictures(photo, tmp_path):
    assert run("interpolate", photo, "happiness", "--steps", 3, "-o", tmp_path / "strip") == 0
    assert names(tmp_path / "strip") == ["photo-000.jpg", "photo-001.jpg", "photo-002.jpg"]


def test_the_camera_position_is_passed_on_only_if_asked(tmp_path):
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (48.0, 51.0, 30.0)}
    photo, out = tmp_path / "photo.jpg", tmp_path / "out.jpg"
    Image.fromarray(draw_face(400)).save(photo, exif=exif)
    for words, kept in ((), False), (("--keep-location",), True):
        assert run("remove", photo, "-o", out, *words) == 0
        with Image.open(out) as image:
            assert bool(image.getexif().get_ifd(0x8825)) == kept


def test_detect_tells_where_faces_are_without_a_checkpoint(folder, monkeypatch, capsys):
    monkeypatch.setenv("G2GAN_MODEL", "no/checkpoint")
    assert run("detect", folder / "c two.png") == 0
    first, larger, smaller = capsys.readouterr().out.splitlines()
    assert first.endswith("c two.png: 2 faces")
    assert larger.startswith("  0: ")
    assert smaller.startswith("  1: ")
    assert run("detect", folder, "--json") == 1  # the torn one
    found = {}
    for line in capsys.readouterr().out.splitlines():
        entry = json.loads(line)
        found[Path(entry["photo"]).name] = entry["faces"]
    counts = {name: len(faces) for name, faces in found.items()}
    assert counts == {"a.jpg": 1, "b.gif": 1, "c two.png": 2, "landscape.png": 0}
    assert np.shape(found["a.jpg"][0]["landmarks"]) == (68, 2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("remove", "PHOTO", "-o", "PHOTO"), "the photo itself"),
        (("remove", "PHOTO", "-o", "out.xyz"), "choose .jpg"),
        (("remove", "missing.jpg"), "does not exist"),
        (("remove", "FOLDER"), "-o FOLDER"),
        (("remove", "FOLDER", "-o", "PHOTO"), "-o FOLDER"),
        (("remove", "FOLDER/more", "-o", "out"), "no photo in it"),
        (("transfer", "PHOTO", "PHOTO"), "-o FOLDER"),
        (("synthesize", "PHOTO", "boredom"), "unknown expression"),
        (("synthesize", "PHOTO", "happiness=much"), "happiness=0.6"),
        (("synthesize", "PHOTO", "happiness", "--intensity", "9"), "from 0 to 2"),
        (("interpolate", "PHOTO", "happiness", "--steps", "1", "-o", "a.gif"), "at least 2"),
        (("apply", "missing.json", "PHOTO"), "cannot be read as a preset"),
        (("apply", "PHOTO", "PHOTO"), "cannot be read as a preset"),
        (("apply", "#preset=none", "PHOTO"), "copy the whole link"),
        (("remove", "PHOTO", "--model", "missing/folder/x"), "cannot load the checkpoint"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_1(
    photo, folder, tmp_path, monkeypatch, capsys, words, said
):
    monkeypatch.chdir(tmp_path)
    before = photo.read_bytes()
    places = {"PHOTO": photo, "FOLDER": folder, "FOLDER/more": folder / "more"}
    assert run(*(places.get(word, word) for word in words)) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert said in lines[-1]
    assert len(lines) == 1
    assert photo.read_bytes() == before


def test_a_folder_is_not_edited_into_itself(folder, capsys):
    before = {path.name: path.read_bytes() for path in folder.glob("*.*")}
    assert run("remove", folder, "-o", folder) == 1
    assert {path.name: path.read_bytes() for path in folder.glob("*.*")} == before
    assert "another folder" in capsys.readouterr().err


def test_without_a_checkpoint_it_says_how_to_name_one(photo, monkeypatch, capsys):
    monkeypatch.delenv("G2GAN_MODEL")
    monkeypatch.setattr(command_line, "EMBEDDED", Path("not") / "there")
    assert run("remove", photo) == 1
    assert "--model" in capsys.readouterr().err


def test_help_comes_before_anything_large_is_imported():
    check = (
        "import sys, runpy; sys.argv = ['g2gan', '--help']\n"
        "try: runpy.run_module('g2gan', run_name='__main__')\n"
        "except SystemExit as end: assert not end.code\n"
        "assert not {'torch', 'diffusers', 'mediapipe', 'cv2', 'numpy', 'PIL'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", check], check=True, cwd=ROOT, capture_output=True)
