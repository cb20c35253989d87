"""What stands behind the page's editor: visits, views, offers, and the answers to the page."""

import base64
import io
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from faces import draw_face, draw_two_faces
from PIL import Image

pytest.importorskip("gradio")

from tiny import lively_pipeline, tiny_pipeline

from g2gan import Face, FaceIndexError, NoFaceError, UnknownExpressionError
from g2gan.mesh import LEFT_EYE, RIGHT_EYE
from g2gan.preset import FaceEdit, Preset
from space.editor import SHARP, Server
from space.edits import asked_mesh, finished
from space.examples import Examples
from space.offers import SHORTCUTS, looks, shortcuts, sliders, twins
from space.photos import saved
from space.views import View
from space.visits import GONE, KEPT, GoneError, Start, Visits

SMILE = {"expression": {"happiness": 1.0}}


@pytest.fixture(scope="module")
def pipe():
    return lively_pipeline()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """One person, and two of them in one photo."""
    folder = tmp_path_factory.mktemp("photos")
    Image.fromarray(draw_face(400, smile=0.5)).save(folder / "one.png")
    Image.fromarray(draw_two_faces()).save(folder / "two.png")
    return folder


@pytest.fixture(scope="module")
def visits(pipe) -> Visits:
    return Visits(pipe)


@pytest.fixture(scope="module")
def one(visits, folder) -> str:
    return visits.open(folder / "one.png")


@pytest.fixture(scope="module")
def two(visits, folder) -> str:
    return visits.open(folder / "two.png")


@pytest.fixture(scope="module")
def server(pipe, visits, tmp_path_factory):
    """What the page calls: name -> function."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
        yield {each.__name__: each for each in Server(pipe, visits).functions}


class Clock:
    """A time that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def text(*edits: dict) -> str:
    return json.dumps({"g2gan_preset": 1, "edits": list(edits)})


def floats(sent: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(sent), "<f4")


def picture(url: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))


# ---- visits


def test_a_visit_is_kept_while_it_is_used_and_gone_when_it_is_not(pipe, folder):
    clock = Clock()
    visits = Visits(pipe, now=clock)
    key = visits.open(folder / "one.png")
    for _ in range(3):
        clock.now += KEPT - 1
        assert len(visits.get(key).faces) == 1
    clock.now += KEPT
    with pytest.raises(GoneError):
        visits.get(key)
    assert len(visits) == 0


@pytest.mark.parametrize("key", [None, "", "another", 3, {"key": 1}])
def test_nobody_reaches_a_visit_without_its_key(visits, one, key):
    with pytest.raises(GoneError):
        visits.get(key)


def test_the_visitors_who_were_longest_away_make_room(pipe, folder, monkeypatch):
    visits = Visits(pipe)
    first, second = (visits.open(folder / "one.png") for _ in range(2))
    visits.get(first)  # now the second one was away for longer
    monkeypatch.setattr("space.visits.ROOM", 2 * visits.get(first).bytes)
    third = visits.open(folder / "one.png")
    with pytest.raises(GoneError):
        visits.get(second)
    assert visits.get(first).path == visits.get(third).path


def test_what_a_visit_saved_goes_with_it(pipe, folder, tmp_path):
    visits = Visits(pipe)
    key = visits.open(folder / "one.png")
    visit = visits.get(key)
    path = visit.save(Image.open(folder / "one.png"), tmp_path)
    assert path.name == "one-edited.png"
    assert Image.open(path).tobytes() == Image.open(folder / "one.png").tobytes()
    visits.close(key)
    assert list(tmp_path.iterdir()) == []


def test_a_visitor_whose_photo_was_deleted_is_told_so_and_gets_no_file(pipe, tmp_path):
    Image.fromarray(draw_face(400)).save(tmp_path / "photo.png")
    visits = Visits(pipe)
    visit = visits.get(visits.open(tmp_path / "photo.png"))
    (tmp_path / "photo.png").unlink()
    image = visit.photo.to_pil(visit.photo.rgb)
    for write in (lambda: visit.save(image, tmp_path), lambda: saved(visit, image)):
        with pytest.raises(GoneError, match="deleted from the server"):
            write()
    assert list(tmp_path.iterdir()) == []


def test_nobody_else_waits_while_a_visit_that_is_over_still_writes(
    pipe, folder, tmp_path, monkeypatch
):
    begun, written = threading.Event(), threading.Event()

    def slowly(*_: object) -> None:
        begun.set()
        written.wait(10)

    monkeypatch.setattr("space.visits.save_like", slowly)
    clock = Clock()
    visits = Visits(pipe, now=clock)
    slow = visits.get(visits.open(folder / "one.png"))
    clock.now += KEPT - 1
    key = visits.open(folder / "one.png")
    with ThreadPoolExecutor() as pool:
        pool.submit(slow.save, None, tmp_path)
        assert begun.wait(10)
        clock.now += 1
        ends_it = pool.submit(visits.get, key)
        while len(visits) > 1:
            time.sleep(0.01)
        assert visits.get(key).path == slow.path
        assert not ends_it.done()
        written.set()
    assert list(tmp_path.iterdir()) == []


def test_a_photo_without_a_face_opens_no_visit(visits, tmp_path):
    Image.new("RGB", (300, 300), "gray").save(tmp_path / "nobody.png")
    before = len(visits)
    with pytest.raises(NoFaceError):
        visits.open(tmp_path / "nobody.png")
    assert len(visits) == before


# ---- views


def test_a_view_of_the_photos_own_size_holds_its_very_pixels_and_points():
    rgb = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    mesh = np.random.default_rng(1).uniform(100, 200, (478, 3))
    face = Face(mesh, (400, 300))
    x0, y0, x1, y1 = box = View.of(face, 1).box
    seen = View(box, 1.0).see(Start(rgb, face))
    assert np.array_equal(seen.rgb, rgb[y0:y1, x0:x1])
    np.testing.assert_allclose(seen.face.mesh[:, :2], mesh[:, :2] - (x0, y0), atol=1e-9)


def test_a_view_has_the_side_asked_for_and_stays_in_the_photo():
    mesh = np.random.default_rng(1).uniform(0, 250, (478, 3))  # a face at the photo's corner
    view = View.of(Face(mesh, (400, 300)), 384)
    assert max(view.size) == 384
    assert view.box[:2] == (0, 0)
    assert view.box[2] <= 400
    assert view.box[3] <= 300


def test_shares_are_where_the_views_pixels_are():
    view = View((10, 20, 210, 120), 2.0)
    corners = np.array([[9.5, 19.5, 0], [209.5, 119.5, 0]])  # of the outermost pixels
    np.testing.assert_allclose(view.shares(corners), [[0, 0], [1, 0.5]])
    np.testing.assert_allclose(view.points(corners)[:, :2], [[-0.5, -0.5], [399.5, 199.5]])


# ---- offers


def test_looks_begin_with_neutral_and_the_smiles(pipe):
    assert [each["name"] for each in looks(pipe)] == [
        "neutral",
        "happiness",
        "laugh",
        "wink left",
        "wink right",
        "look at camera",
        "open eyes",
    ]
    assert [each["label"] for each in looks(pipe)][:3] == ["Neutral", "Smile", "Laugh"]


def test_sliders_pair_opposites_and_the_pictures_left_comes_first(pipe):
    assert sliders(pipe) == [
        {
            "less": "Frown",
            "more": "Smile",
            "sides": [["corner down right", "smile right"], ["corner down left", "smile left"]],
        },
        {"less": "", "more": "Open mouth", "sides": [[None, "open jaw"]]},
    ]
    assert sliders(tiny_pipeline()) == []


def test_twins_are_the_other_sides(pipe):
    pairs = twins(pipe)
    assert pairs["smile left"] == "smile right"
    assert pairs["wink right"] == "wink left"
    assert "open jaw" not in pairs
    assert all(pairs[pairs[name]] == name for name in pairs)


def test_eyes_are_opened_by_one_click_where_they_are_closed(pipe):
    model = pipe.shape_model
    awake = 200 * model.mean.numpy().astype(float) + [300, 300, 0]
    asleep = awake.copy()
    lids = [(list(ring[1:8]), list(ring[:8:-1])) for ring in (RIGHT_EYE, LEFT_EYE)]
    for lower, upper in lids:
        asleep[lower, 1] = asleep[upper, 1] = (awake[lower, 1] + awake[upper, 1]) / 2
    (look,) = shortcuts(model, awake)
    assert look == {"label": "Look at camera", "names": ["look at camera"]}
    _, opened = shortcuts(model, asleep)
    assert opened["label"] == "Open eyes"
    after = model.express(asleep, dict.fromkeys(opened["names"], 1.0))
    for lower, upper in lids:
        gaps = [(each[lower, 1] - each[upper, 1]).mean() for each in (after, awake)]
        assert gaps[0] > 0.7 * gaps[1]


# ---- edits


@pytest.mark.parametrize(
    "edit",
    [
        FaceEdit(),
        FaceEdit(moves={48: (-0.05, -0.04)}, keep_expression=True),
        FaceEdit(expression={"happiness": 0.8}, intensity=0.5, moves={68: (0.03, 0)}),
        FaceEdit(expression={"happiness": 1.0}),
        FaceEdit(expression={"look at camera": 1.0}),
        FaceEdit(expression={"open eyes": 0.5, "laugh": 0.5}, moves={48: (-0.05, -0.04)}),
    ],
    ids=["neutral", "drag", "smile and drag", "smile", "eyes", "eyes and drag"],
)
def test_a_finished_edit_is_what_the_preset_makes_of_the_photo(pipe, visits, one, folder, edit):
    ours = finished(visits.get(one), Preset((edit,)))
    theirs = Preset((edit,)).apply(pipe, folder / "one.png").images[0]
    assert ours.tobytes() == theirs.tobytes()


def test_several_faces_are_edited_one_after_the_other(pipe, visits, two, folder):
    drag = FaceEdit(faces=(1,), moves={54: (0.05, -0.04)}, keep_expression=True)
    preset = Preset((FaceEdit(moves={48: (-0.05, -0.04)}), drag))
    ours = np.asarray(finished(visits.get(two), preset))
    assert np.array_equal(ours, np.asarray(preset.apply(pipe, folder / "two.png").images[0]))
    changed = (ours != visits.get(two).photo.rgb).any(2)
    assert changed[:, :400].any()
    assert changed[:, 430:].any()


def test_a_face_or_an_expression_that_is_not_there_is_refused(visits, one):
    with pytest.raises(FaceIndexError):
        finished(visits.get(one), Preset((FaceEdit(faces=(1,)),)))
    with pytest.raises(UnknownExpressionError):
        finished(visits.get(one), Preset((FaceEdit(expression={"glee": 1.0}),)))


# ---- what the page asks the server


def test_a_preview_shows_the_edit_and_tells_where_the_points_went(pipe, visits, server, one):
    edit = {"moves": {"48": [-0.05, -0.04]}, "keep_expression": True}
    answer = server["preview"](
        {"key": one, "face": 0, "preset": text(edit), "number": 1, "draft": False}
    )
    assert answer["ok"]
    visit = visits.get(one)
    view = View.of(visit.faces[0], SHARP)
    assert picture(answer["picture"]).size == view.size
    mesh = asked_mesh(visit, visit.start(0, True), Preset.from_json(text(edit)).edits[0])
    np.testing.assert_allclose(floats(answer["mesh"]).reshape(-1, 2), view.shares(mesh), atol=1e-6)


def test_a_preview_that_a_newer_one_has_overtaken_is_not_painted(visits, server, folder):
    key = visits.open(folder / "one.png")
    ask = {"key": key, "face": 0, "preset": text(SMILE), "draft": True}
    assert "picture" in server["preview"](ask | {"number": 5})
    assert server["preview"](ask | {"number": 4}) == {"ok": True}
    assert "picture" in server["preview"](ask | {"number": 6})


def test_of_previews_that_wait_for_one_only_the_newest_is_painted(visits, server, folder):
    key = visits.open(folder / "one.png")
    visit, ask = visits.get(key), {"key": key, "face": 0, "preset": text(SMILE), "draft": True}
    with ThreadPoolExecutor(2) as pool, visit.painting:  # as if another one was on its way
        waiting = [pool.submit(server["preview"], ask | {"number": number}) for number in (1, 2)]
        while visit.newest < 2:
            time.sleep(0.01)
    assert ["picture" in answer.result() for answer in waiting] == [False, True]


def test_second_people_are_others_than_the_first_offered_and_some_smile():
    examples = Examples(Path(__file__).parents[1] / "examples")
    names = [path.stem.rsplit("-", 1) for path in examples.others]
    assert len({person for person, _ in names}) == len(names) == 8
    assert {kind for _, kind in names} == {"neutral", "smiling"}
    assert names[0][0] != examples.portraits[0].stem.rsplit("-", 1)[0]


def test_the_finished_file_has_the_photos_size_and_format(visits, server, one):
    answer = server["finish"]({"key": one, "preset": text(SMILE)})
    assert answer["name"] == "one-edited.png"
    with Image.open(answer["path"]) as image:
        assert image.format == "PNG"
        assert image.size == visits.get(one).photo.size
        changed = (np.asarray(image) != visits.get(one).photo.rgb).any(2)
    assert changed.any()
    assert not changed[:8].any()


def test_a_preset_comes_back_for_each_face_with_its_intensity_multiplied_in(server, two):
    preset = Preset((FaceEdit("all", {"happiness": 0.8}, 0.5, {48: (0.1, -0.1)}),))
    kept = {
        "expression": {"happiness": 0.4},
        "moves": {"48": (0.1, -0.1)},
        "keep_expression": False,
    }
    for sent in (
        preset.to_json(),
        preset.to_code(),
        "https://a.example/#preset=" + preset.to_code(),
    ):
        answer = server["preset"]({"key": two, "text": sent})
        assert answer == {"ok": True, "edits": {"0": kept, "1": kept}}


@pytest.mark.parametrize(
    ("name", "asked", "words"),
    [
        ("face", {"key": "another", "face": 0}, GONE),
        ("face", {"face": 1}, "not that many faces"),
        ("face", {"face": "first"}, "Reload"),
        ("face", {}, "Reload"),
        ("preview", {"face": 0, "preset": "{}", "number": 1, "draft": True}, "no preset"),
        ("finish", {"preset": text({"moves": {"99": [0, 0]}})}, "points from 0 to 69"),
        ("preset", {"text": text({"expression": {"glee": 1}})}, "unknown expression"),
        ("look", {"face": 0, "name": "glee"}, "unknown expression"),
    ],
)
def test_what_cannot_be_answered_is_said_in_one_line(server, one, name, asked, words):
    answer = server[name]({"key": one} | asked)
    assert not answer["ok"]
    assert words.lower() in answer["error"].lower()
    assert "\n" not in answer["error"]
    assert "Traceback" not in answer["error"]


def test_a_face_comes_with_all_that_the_page_needs(pipe, server, two):
    answer = server["face"]({"key": two, "face": 1})
    assert picture(answer["small"]).size == (176, 176)
    assert set(answer["model"]["table"]) | set(SHORTCUTS) == set(pipe.shape_model.names)
    assert not {each["name"] for each in answer["looks"]} & set(SHORTCUTS)
    assert floats(answer["start"]["mesh"]).shape == (478 * 2,)
    assert [each["label"] for each in answer["shortcuts"]] == ["Look at camera"]
    json.dumps(answer)  # nothing in it that the page cannot read
