"""The face editor in a real browser, at a desk and on a telephone: dots, sliders, looks, presets.

Needs Debian's `chromium` and `pip install playwright`; run with `pytest -m slow`.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from chromium import DESK, TELEPHONE, in_chromium, served
from faces import draw_face, draw_two_faces
from PIL import Image

playwright = pytest.importorskip("playwright.sync_api")
pytest.importorskip("gradio")

from tiny import lively_pipeline  # noqa: E402

from g2gan import G2GAN  # noqa: E402
from g2gan.preset import FaceEdit, Preset  # noqa: E402
from space.editor import HERE, Server  # noqa: E402
from space.edits import asked_mesh  # noqa: E402
from space.views import View  # noqa: E402
from space.visits import Visits  # noqa: E402

RED, BLUE = (170, 60, 60), (60, 60, 170)  # grounds of two people's photos
EDITOR, MOUTH_CORNER = ".editor", "[data-dot='0']"

pytestmark = in_chromium


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Photographs of two people, and of both together."""
    folder = tmp_path_factory.mktemp("photos")
    for name, ground in (("red", RED), ("blue", BLUE)):
        Image.fromarray(draw_face(400, background=ground)).save(folder / f"{name}.png")
    Image.fromarray(draw_two_faces()).save(folder / "two.png")
    return folder


@pytest.fixture(scope="module")
def pipe() -> G2GAN:
    return lively_pipeline()


@pytest.fixture(scope="module")
def url(pipe, tmp_path_factory) -> Iterator[str]:
    with served(pipe, *(tmp_path_factory.mktemp(name) for name in ("examples", "files"))) as url:
        yield url


@pytest.fixture
def visit(come) -> Callable:
    """Opens a photo in the editor, as a visitor of one's own: `visit(path, DESK)` is the page."""

    def opened(photo: Path, device: dict = DESK, end: str = "") -> "playwright.Page":
        page = come(device, end)
        page.get_by_role("tab", name="Synthesis").click()
        page.locator(".side .portrait input[type=file]").set_input_files(photo)
        page.wait_for_selector(f"{EDITOR}[data-thumbnails]")
        page.locator(f"{EDITOR} .stage").scroll_into_view_if_needed()
        return page

    return opened


def seen(page: "playwright.Page") -> str:
    """The picture on the stage, as a data URL."""
    return page.evaluate("document.querySelector('.editor canvas').toDataURL()")


def shows(page: "playwright.Page", picture: str) -> None:
    """Waits until the stage shows a picture that it showed before."""
    page.wait_for_function(
        "(picture) => document.querySelector('.editor canvas').toDataURL() === picture", arg=picture
    )


def number(page: "playwright.Page", name: str) -> int:
    return int(page.locator(EDITOR).get_attribute(f"data-{name}") or 0)


def dot(page: "playwright.Page", which: str = MOUTH_CORNER) -> tuple[float, float]:
    """Where a dot's centre is on the screen."""
    box = page.locator(f"{EDITOR} {which} .seen").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: "playwright.Page", x: float, y: float, steps: int = 12) -> None:
    """Pulls the left mouth corner by so many pixels of the screen; on a telephone with a finger."""
    at = dot(page)
    way = [(at[0] + x * step / steps, at[1] + y * step / steps) for step in range(steps + 1)]
    if not page.evaluate("navigator.maxTouchPoints"):
        page.mouse.move(*at)
        page.mouse.down()
        for place in way:
            page.mouse.move(*place)
            page.wait_for_timeout(30)
        page.mouse.up()
        return
    screen = page.context.new_cdp_session(page)
    for step, place in enumerate([*way, None]):
        kind = "touchStart" if step == 0 else "touchMove" if place else "touchEnd"
        points = [{"x": place[0], "y": place[1]}] if place else []
        screen.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        page.wait_for_timeout(30)


def settled(page: "playwright.Page", finished: int) -> None:
    """Waits until the whole photo was written so many times."""
    page.wait_for_function(
        f"Number(document.querySelector('.editor').dataset.finished ?? 0) >= {finished}"
    )


def saved_preset(page: "playwright.Page") -> Preset:
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as preset").click()
    return Preset.from_json(Path(download.value.path()).read_text("utf-8"))


def downloaded(page: "playwright.Page") -> Image.Image:
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    with Image.open(download.value.path()) as image:
        assert image.format == "PNG"
        return image.convert("RGB")


@pytest.mark.parametrize("device", [DESK, TELEPHONE], ids=["desk", "telephone"])
def test_a_drag_follows_the_finger_and_is_painted_on_the_way(visit, photos, pipe, troubles, device):
    page = visit(photos / "red.png", device)
    before, at, previews = seen(page), dot(page), number(page, "previews")
    drag(page, -14, -12)
    settled(page, 1)
    now = dot(page)
    assert abs(now[0] - at[0] + 14) < 1.5
    assert abs(now[1] - at[1] + 12) < 1.5
    assert seen(page) != before
    assert number(page, "previews") - previews >= 3
    page.wait_for_selector(f"{EDITOR}[data-sharp='yes']")  # at rest it is sharp
    preset = saved_preset(page)
    (edit,) = preset.edits
    assert edit.keep_expression
    assert list(edit.moves) == [48, 54]  # both corners
    result = downloaded(page)
    assert result.tobytes() == preset.apply(pipe, photos / "red.png").images[0].tobytes()
    assert page.evaluate("document.documentElement.scrollWidth") <= device["viewport"]["width"]
    assert troubles == []


def test_undo_redo_and_reset_show_what_was(visit, photos):
    page = visit(photos / "red.png")
    photo = seen(page)
    drag(page, -10, -10)
    settled(page, 1)
    once = saved_preset(page)
    page.locator(".look[data-look='happiness']").click()
    settled(page, 2)
    twice = saved_preset(page)
    assert twice.edits[0].expression == {"happiness": 1.0}
    assert twice.edits[0].moves == once.edits[0].moves
    page.keyboard.press("Control+z")
    assert saved_preset(page) == once
    page.get_by_role("button", name="Undo", exact=True).click()
    shows(page, photo)
    playwright.expect(page.get_by_role("button", name="Undo", exact=True)).to_be_disabled()
    page.get_by_role("button", name="Redo", exact=True).click()
    page.get_by_role("button", name="Redo", exact=True).click()
    assert saved_preset(page) == twice
    page.get_by_role("button", name="Reset", exact=True).click()
    shows(page, photo)
    playwright.expect(page.get_by_role("button", name="Download")).to_be_disabled()


def test_compare_shows_the_photo_until_it_is_pressed_again(visit, photos):
    page = visit(photos / "red.png")
    photo = seen(page)
    page.locator(".look[data-look='laugh']").click()
    settled(page, 1)
    page.wait_for_selector(f"{EDITOR}[data-sharp='yes']")
    laugh, compare = seen(page), page.get_by_role("button", name="Compare")
    compare.click()
    shows(page, photo)
    playwright.expect(page.get_by_text("Before", exact=True)).to_be_visible()
    compare.click()
    shows(page, laugh)
    compare.click()
    page.locator(".look[data-look='']").click()  # "As it is": what is edited is seen
    playwright.expect(compare).to_have_attribute("aria-pressed", "false")
    playwright.expect(page.get_by_role("button", name="Download")).to_be_disabled()


def test_on_a_telephone_dots_make_way_for_the_face_until_it_is_touched(visit, photos):
    page = visit(photos / "red.png", TELEPHONE)
    points = page.locator(f"{EDITOR} .points")
    playwright.expect(points).to_have_css("opacity", "1")
    drag(page, -14, -12)
    playwright.expect(points).to_have_css("opacity", "0")
    page.locator(f"{EDITOR} .stage").tap(position={"x": 8, "y": 8})
    playwright.expect(points).to_have_css("opacity", "1")


def test_the_keyboard_moves_dots_and_mirror_swaps_sides(visit, photos):
    page = visit(photos / "red.png")
    page.locator(MOUTH_CORNER).focus()
    for _ in range(3):
        page.keyboard.press("ArrowUp")
    page.wait_for_timeout(600)
    (edit,) = saved_preset(page).edits
    x, y = edit.moves[48]
    assert x == pytest.approx(0, abs=0.01)  # the head may be tilted a little
    assert y == pytest.approx(-0.036, abs=0.002)  # three steps of 0.012 eye distances
    assert edit.moves[54] == (pytest.approx(-x), pytest.approx(y))  # the other side alike
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Both sides").click()
    page.locator(MOUTH_CORNER).focus()
    for _ in range(3):
        page.keyboard.press("ArrowUp")
    page.wait_for_timeout(600)
    (edit,) = saved_preset(page).edits
    assert set(edit.moves) == {48}
    page.get_by_role("button", name="Swap left and right").click()
    (edit,) = saved_preset(page).edits
    assert edit.moves == {54: (pytest.approx(-x, abs=1e-4), pytest.approx(y))}


def test_sliders_mix_and_sides_can_be_set_apart(visit, photos):
    page = visit(photos / "red.png")

    def slide(name: str, value: float) -> None:
        page.get_by_role("slider", name=name, exact=True).fill(str(value))

    slide("Frown to Smile", 0.6)
    assert saved_preset(page).edits[0].expression == {"smile left": 0.6, "smile right": 0.6}
    page.get_by_role("button", name="Both sides").click()
    slide("Frown to Smile, left", -0.5)  # the picture's left: the person's right
    assert saved_preset(page).edits[0].expression == {"smile left": 0.6, "corner down right": 0.5}
    page.get_by_role("button", name="Both sides").click()  # and now it is alike on both
    even = {f"smile {side}": 0.3 for side in ("left", "right")}
    even |= {f"corner down {side}": 0.25 for side in ("left", "right")}
    assert saved_preset(page).edits[0].expression == even
    page.get_by_role("button", name="Undo", exact=True).click()
    page.get_by_label("mix several").check()
    for look in ("happiness", "laugh"):
        page.locator(f".look[data-look='{look}']").click()
    slide("Laugh", 0.2)
    playwright.expect(page.locator(".shares output").last).to_have_text("20%")
    (edit,) = saved_preset(page).edits
    assert not edit.keep_expression
    assert edit.expression["happiness"] == 1.0
    assert edit.expression["laugh"] == 0.2
    page.get_by_label("mix several").uncheck()
    page.locator(".look[data-look='laugh']").click()
    assert "happiness" not in saved_preset(page).edits[0].expression


def test_one_click_turns_the_eyes_to_the_camera_and_another_takes_it_back(visit, photos):
    page = visit(photos / "red.png")
    look = page.get_by_role("button", name="Look at camera")
    look.click()
    playwright.expect(look).to_have_attribute("aria-pressed", "true")
    (edit,) = saved_preset(page).edits
    assert edit == FaceEdit(expression={"look at camera": 1.0}, keep_expression=True)
    page.locator(".look[data-look='laugh']").click()  # beside it, not in its place
    assert set(saved_preset(page).edits[0].expression) == {"laugh", "look at camera"}
    look.click()
    playwright.expect(look).to_have_attribute("aria-pressed", "false")
    assert set(saved_preset(page).edits[0].expression) == {"laugh"}


def test_looks_are_shown_on_the_visitors_own_face(visit, photos):
    page = visit(photos / "red.png")
    pictures = page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('.look')].map((look) => "
        "[look.dataset.look, look.querySelector('.face').style.backgroundImage]))"
    )
    assert set(pictures) == {"", "neutral", "happiness", "laugh", "wink left", "wink right"}
    assert all(picture.startswith('url("data:image/jpeg') for picture in pictures.values())
    assert len({pictures[name] for name in ("", "happiness", "laugh", "wink left")}) == 4


def test_two_visitors_at_once_see_their_own_photos(visit, photos, pipe):
    pages = {name: visit(photos / f"{name}.png") for name in ("red", "blue")}
    for step in range(4):
        for page in pages.values():
            drag(page, -4, -3 - step, steps=4)
    for name, page in pages.items():
        settled(page, 1)
        result = downloaded(page)
        own = np.asarray(Image.open(photos / f"{name}.png"))
        assert np.array_equal(np.asarray(result)[:8], own[:8])  # the ground's colour
        expected = saved_preset(page).apply(pipe, photos / f"{name}.png").images[0]
        assert result.tobytes() == expected.tobytes()
    assert seen(pages["red"]) != seen(pages["blue"])


def test_the_other_face_of_a_photo_is_edited_by_itself(visit, photos):
    page = visit(photos / "two.png")
    faces = page.locator(".side .people button")
    playwright.expect(faces).to_have_count(2)
    drag(page, -8, -8)
    settled(page, 1)
    faces.nth(1).click()
    playwright.expect(faces.nth(1)).to_have_attribute("aria-pressed", "true")
    page.wait_for_selector(f"{EDITOR}[data-state=ready][data-face='1']")
    drag(page, -8, -8)
    settled(page, 2)
    preset = saved_preset(page)
    assert [edit.faces for edit in preset.edits] == [(0,), (1,)]
    changed = (np.asarray(downloaded(page)) != np.asarray(Image.open(photos / "two.png"))).any(2)
    assert changed[:, :400].any()
    assert changed[:, 430:].any()
    page.get_by_label("Face 1").click()
    page.wait_for_selector(f"{EDITOR}[data-state=ready][data-face='0']")
    undo = page.get_by_role("button", name="Undo", exact=True)
    undo.click()  # what was done to the other face, which is shown again
    page.wait_for_selector(f"{EDITOR}[data-state=ready][data-face='1']")
    playwright.expect(faces.nth(1)).to_have_attribute("aria-pressed", "true")
    assert [edit.faces for edit in saved_preset(page).edits] == [(0,)]


def test_everybody_gets_the_same_expression_by_one_click(visit, photos):
    page = visit(photos / "two.png")
    page.locator("[data-look='happiness']").click()
    page.get_by_role("button", name="Same for everybody").click()
    edits = saved_preset(page).edits
    assert [edit.faces for edit in edits] == [(0,), (1,)]
    assert edits[0].expression == edits[1].expression == {"happiness": 1}
    page.get_by_role("button", name="Undo", exact=True).click()
    assert [edit.faces for edit in saved_preset(page).edits] == [(0,)]


def test_a_preset_comes_by_file_and_by_link_and_a_broken_one_is_explained(visit, photos, tmp_path):
    preset = Preset((FaceEdit(expression={"laugh": 0.8}, intensity=0.5, moves={57: (0.0, 0.05)}),))
    plain = Preset((FaceEdit(expression={"laugh": 0.4}, moves={57: (0.0, 0.05)}),))
    page = visit(photos / "red.png", end="#preset=" + preset.to_code())
    settled(page, 1)
    assert saved_preset(page) == plain
    page.get_by_role("button", name="Copy a link").click()
    page.wait_for_function("document.querySelector('.said').textContent.includes('ink')")
    link = page.evaluate("location.href")  # where the clipboard is closed to pages
    if "copied" in page.locator(".said").inner_text():
        page.context.grant_permissions(["clipboard-read"])
        link = page.evaluate("navigator.clipboard.readText()")
    assert Preset.from_code(link) == plain
    page.get_by_role("button", name="Reset", exact=True).click()
    (tmp_path / "preset.json").write_text(preset.to_json(), "utf-8")
    (tmp_path / "other.json").write_text(json.dumps({"something": "else"}), "utf-8")
    opener = page.locator(".file input")
    opener.set_input_files(tmp_path / "preset.json")
    playwright.expect(page.get_by_role("button", name="Save as preset")).to_be_enabled()
    assert saved_preset(page) == plain
    opener.set_input_files(tmp_path / "other.json")
    playwright.expect(page.get_by_text("this is no preset")).to_be_visible()
    assert saved_preset(page) == plain


EDITS = {
    "nothing": FaceEdit(keep_expression=True),
    "a look": FaceEdit(expression={"laugh": 1.2}, keep_expression=True),
    "a corner": FaceEdit(moves={48: (-0.08, -0.06)}, keep_expression=True),
    "eyes": FaceEdit(
        expression={"look at camera": 0.8, "open eyes": 1.0, "laugh": 0.3},
        moves={48: (-0.08, -0.06), 68: (0.02, 0)},
        keep_expression=True,
    ),
    "far beyond": FaceEdit(moves={8: (0.0, 0.7), 57: (0.1, 0.5)}, keep_expression=True),
    "everything": FaceEdit(
        expression={"happiness": 0.7, "smile left": -0.5},
        moves={48: (-0.1, 0.1), 54: (0.05, -0.1), 19: (0, -0.1), 68: (0.05, 0.01), 69: (0.02, 0)},
        keep_expression=True,
    ),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_the_browser_moves_points_where_the_shape_model_does(browser, pipe, photos, edit):
    visits = Visits(pipe)
    key = visits.open(photos / "red.png")
    answer = Server(pipe, visits).face({"key": key, "face": 0})
    visit = visits.get(key)
    view = View.of(visit.faces[0], 384)
    expected = view.shares(asked_mesh(visit, visit.start(0, True), edit))
    page = browser.new_page()
    page.add_script_tag(content=(HERE / "geometry.js").read_text("utf-8"))
    moved = page.evaluate(
        "([sent, edit]) => [...new Shape(sent.model).mesh(readStart(sent.start), edit)]",
        [
            answer,
            {"expression": edit.expression, "moves": {str(k): v for k, v in edit.moves.items()}},
        ],
    )
    page.close()
    np.testing.assert_allclose(np.reshape(moved, (-1, 2)), expected, atol=1e-5)
