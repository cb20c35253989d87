"""The page itself, in a real browser: tabs with an example, at a desk and on a telephone.

The synthesis tab is tested in `test_editor_page.py`.

Needs Debian's `chromium` and `pip install playwright`; run with `pytest -m slow`.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from chromium import DESK, PATIENCE, TELEPHONE, in_chromium, served
from faces import SKIN, draw_face
from PIL import Image
from profiles import display_p3

playwright = pytest.importorskip("playwright.sync_api")
pytest.importorskip("gradio")

from tiny import tiny_pipeline  # noqa: E402

pytestmark = in_chromium


@pytest.fixture(scope="module")
def url(tmp_path_factory) -> Iterator[str]:
    """The page over a tiny pipeline, with two drawn people as examples."""
    examples = tmp_path_factory.mktemp("examples")
    for name, colour in (("dark", (140, 95, 70)), ("fair", SKIN)):
        for kind, smile in (("neutral", 0.0), ("smiling", 0.8)):
            drawn = Image.fromarray(draw_face(400, smile=smile, colour=colour))
            drawn.save(examples / f"{name}-{kind}.jpg", quality=95)
    with served(tiny_pipeline(), examples, tmp_path_factory.mktemp("files")) as url:
        yield url


@pytest.fixture
def page(come) -> "playwright.Page":
    return come(DESK)


def open_tab(page: "playwright.Page", name: str) -> "playwright.Locator":
    page.get_by_role("tab", name=name).click()
    return page.locator("div[role=tabpanel]:visible")


def pick(panel: "playwright.Locator") -> None:
    """Clicks a tab's first example, a neutral one, as soon as the page listens."""
    for _ in range(20):
        panel.locator(".samples .gallery-item").first.click()
        with contextlib.suppress(playwright.TimeoutError):
            panel.get_by_text("Another photo").wait_for(timeout=5000)
            return


def choose(page: "playwright.Page", photo: Path) -> None:
    """Gives the page a photo as its visitor's portrait."""
    another = page.locator(".side").get_by_role("button", name="Another photo")
    if another.is_visible():
        with page.expect_file_chooser() as chooser:
            another.click()
        chooser.value.set_files(photo)
    else:
        page.locator(".side .portrait input[type=file]").set_input_files(photo)


def download(page: "playwright.Page", folder: Path, number: int = 0) -> Path:
    """The file behind an open tab's download button, when it is ready."""
    button = page.locator(".save:visible").nth(number)
    playwright.expect(button).to_be_enabled(timeout=PATIENCE)
    with page.expect_download() as caught:
        button.click()
    path = folder / caught.value.suggested_filename
    caught.value.save_as(path)
    return path


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


@pytest.mark.parametrize("device", [DESK, TELEPHONE], ids=["desk", "telephone"])
def test_every_tab_edits_an_example_at_one_click(come, troubles, tmp_path, device):
    page = come(device)
    page.locator(".side .samples .gallery-item").first.wait_for()
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]
    page.locator(".side .samples .gallery-item").first.click()
    for name in ("Removal", "Transfer", "Interpolation"):
        panel = open_tab(page, name)
        if name == "Transfer":
            pick(panel)
        assert download(page, tmp_path).stat().st_size > 1000, name
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= page.viewport_size["width"], name
    assert troubles == []


def test_the_strip_is_scrubbed_and_downloaded_as_video_and_gif(page, tmp_path):
    page.locator(".side .samples .gallery-item").first.click()
    panel = open_tab(page, "Interpolation")
    files = {download(page, tmp_path, number).suffix for number in (0, 1)}
    assert files == {".gif", ".mp4"}
    seen = "frames => frames.map(frame => Number(getComputedStyle(frame).opacity))"
    before = panel.locator(".stage img").evaluate_all(seen)
    panel.get_by_role("slider").fill("0.5")
    after = panel.locator(".stage img").evaluate_all(seen)
    assert len(before) == 17
    assert sum(before) == 1
    assert sum(after) == 9


def test_a_strip_s_ends_are_chosen_and_swapped(page):
    page.locator(".side .samples .gallery-item").first.click()
    panel = open_tab(page, "Interpolation")
    names = panel.locator(".player .names span")
    playwright.expect(names).to_have_text(["Neutral", "Smile"], timeout=PATIENCE)
    frames = panel.locator(".stage img")
    playwright.expect(frames).to_have_count(17, timeout=PATIENCE)  # the worked example has fewer
    first = frames.first.get_attribute("src")
    last = frames.last.get_attribute("src")
    panel.get_by_role("button", name="Swap").click()
    playwright.expect(names).to_have_text(["Smile", "Neutral"], timeout=PATIENCE)
    assert frames.first.get_attribute("src") == last
    assert frames.last.get_attribute("src") == first
    panel.get_by_label("To", exact=True).select_option("As in the photo")
    playwright.expect(names).to_have_text(["Smile", "As in the photo"], timeout=PATIENCE)


def test_transfer_shows_both_neutral_faces_between_photo_and_swap(page, tmp_path):
    page.locator(".side .samples .gallery-item").first.click()
    panel = open_tab(page, "Transfer")
    pick(panel)
    first, second = (download(page, tmp_path, number) for number in (0, 1))
    assert first.name != second.name
    faces = [face.get_attribute("src") for face in panel.locator(".overview img").all()]
    smiling, plain, swapped = faces[:3]
    assert smiling not in (plain, swapped)
    assert plain == swapped  # the second person has no expression to give
    assert faces[3] == faces[4] != faces[5]


@pytest.fixture(scope="module")
def portrait() -> Image.Image:
    """A face in a larger picture with texture, as photographs have it."""
    rng = np.random.default_rng(0)
    rgb = rng.normal(128, 12, (900, 1200, 3)).clip(0, 255).astype(np.uint8)
    rgb[200:600, 400:800] = draw_face(400, smile=0.7)
    return Image.fromarray(rgb)


def test_an_example_makes_way_for_another_photo_by_one_button(page, portrait, tmp_path):
    page.locator(".side .samples .gallery-item").first.click()
    download(page, tmp_path)
    portrait.save(tmp_path / "mine.png")
    with page.expect_file_chooser() as chooser:
        page.locator(".side").get_by_role("button", name="Another photo").click()
    playwright.expect(page.locator(".side .portrait img")).to_be_visible()  # it may be cancelled
    shown = page.locator(".result img").last
    before = shown.get_attribute("src")
    chooser.value.set_files(tmp_path / "mine.png")
    playwright.expect(shown).not_to_have_attribute("src", before)
    assert download(page, tmp_path).name == "mine-plain.png"
    page.locator(".side .portrait").get_by_label("Remove Image").click()
    playwright.expect(page.locator(".side .portrait input[type=file]")).to_be_attached()
    playwright.expect(page.locator(".result img").first).to_be_visible()  # the example, again
    playwright.expect(page.get_by_text("deleted from the server meanwhile")).to_have_count(0)


def untouched(photo: Path) -> np.ndarray:
    """Where the edit that the page makes leaves a photo as it is, (H, W)."""
    return np.asarray(tiny_pipeline().remove(photo).masks[0]) == 0


def test_a_downloaded_png_is_the_photo_outside_the_edit(page, portrait, tmp_path):
    portrait.save(tmp_path / "photo.png")
    choose(page, tmp_path / "photo.png")
    edit = download(page, tmp_path)
    assert edit.name == "photo-plain.png"
    changed = (pixels(edit) != pixels(tmp_path / "photo.png")).any(-1)
    assert changed.any()
    assert not changed[untouched(tmp_path / "photo.png")].any()


def test_a_downloaded_jpeg_is_nearly_the_photo_outside_the_edit(page, portrait, tmp_path):
    profile = display_p3()
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    exif[0x8825] = {1: "N", 2: (48.0, 8.0, 0.0)}
    path = tmp_path / "photo.jpg"
    portrait.save(path, quality=88, subsampling="4:2:2", icc_profile=profile, exif=exif)
    choose(page, path)
    edit = download(page, tmp_path)
    assert edit.suffix == ".jpg"
    changed = (pixels(edit) != pixels(path)).any(-1)
    assert changed.any()
    assert changed[untouched(path)].mean() < 0.005
    with Image.open(path) as before, Image.open(edit) as after:
        assert after.quantization == before.quantization
        assert after.info["icc_profile"] == profile
        assert after.getexif()[0x010F] == "Camera"
        assert not after.getexif().get_ifd(0x8825)
        assert b"compositeWithTrainedAlgorithmicMedia" in after.info["xmp"]


def test_the_page_shows_what_a_tab_does_before_there_is_a_photo(page):
    playwright.expect(page.locator(".result img").first).to_be_visible(timeout=PATIENCE)
    for name, shown in (("Transfer", ".overview img"), ("Interpolation", ".player .stage img")):
        panel = open_tab(page, name)
        playwright.expect(panel.locator(shown).first).to_be_visible(timeout=PATIENCE)


def test_beside_ones_own_photo_no_worked_example_is_shown(page):
    playwright.expect(page.locator(".result img").first).to_be_visible(timeout=PATIENCE)
    panel = open_tab(page, "Transfer")
    overview = panel.locator(".overview img")
    playwright.expect(overview.first).to_be_visible(timeout=PATIENCE)
    page.locator(".side .samples .gallery-item").first.click()
    playwright.expect(overview).to_have_count(0)  # as long as there is no second person
    pick(panel)
    playwright.expect(overview).to_have_count(6, timeout=PATIENCE)


@pytest.mark.parametrize(("suffix", "kind"), [(".heic", "HEIF"), (".avif", "AVIF")])
def test_a_telephones_photo_opens_is_edited_and_comes_back_as_what_it_was(
    page, portrait, tmp_path, suffix, kind
):
    pillow_heif.register_heif_opener()
    path = tmp_path / f"photo{suffix}"
    portrait.save(path, kind, quality=90)
    choose(page, path)
    playwright.expect(page.locator(".side .portrait img")).to_be_visible(timeout=PATIENCE)
    edit = download(page, tmp_path)
    assert edit.name == f"photo-plain{suffix}"
    with Image.open(edit) as image:
        assert image.format == kind
        assert image.size == portrait.size
    change = np.abs(pixels(edit) - pixels(path)).mean(-1)
    there = untouched(path)
    assert change[~there].mean() > 2 * change[there].mean()


@pytest.fixture(scope="module")
def unusable(tmp_path_factory) -> Path:
    """Files that cannot be edited."""
    folder = tmp_path_factory.mktemp("unusable")
    Image.linear_gradient("L").resize((600, 400)).save(folder / "nobody.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no photo")
    (folder / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>", "utf-8")
    Image.new("1", (20_000, 10_000)).save(folder / "huge.png")
    (folder / "heavy.jpg").write_bytes(bytes(60_000_000))
    return folder


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nobody.png", "could not find a face"),
        ("broken.jpg", "save it as JPEG or PNG"),
        ("drawing.svg", "save it as JPEG or PNG"),
        ("huge.png", "far too large"),
        ("heavy.jpg", "maximum allowed size of 50"),
    ],
)
def test_what_cannot_be_edited_is_explained_and_the_next_photo_works(
    page, unusable, portrait, tmp_path, name, words
):
    choose(page, unusable / name)
    said = page.get_by_text(words).first
    playwright.expect(said).to_be_visible(timeout=PATIENCE)
    assert "Traceback" not in page.content()
    portrait.save(tmp_path / "photo.png")
    choose(page, tmp_path / "photo.png")
    assert download(page, tmp_path).stat().st_size > 1000


def test_of_several_people_one_is_chosen_or_everybody(page, tmp_path):
    group = Image.new("RGB", (800, 400), (120, 130, 140))
    group.paste(Image.fromarray(draw_face(400, smile=0.7)), (0, 0))
    group.paste(Image.fromarray(draw_face(340, smile=0.7)), (430, 30))
    group.save(tmp_path / "group.png")
    choose(page, tmp_path / "group.png")
    people = page.locator(".side .people button")
    playwright.expect(people).to_have_count(2)

    def changed() -> tuple[bool, bool]:
        edit = download(page, tmp_path)
        differs = (pixels(edit) != pixels(tmp_path / "group.png")).any(-1)
        return bool(differs[:, :400].any()), bool(differs[:, 430:].any())

    shown = page.locator(".result img").last
    assert changed() == (True, False)
    before = shown.get_attribute("src")
    people.nth(1).click()
    playwright.expect(shown).not_to_have_attribute("src", before)
    assert changed() == (False, True)
    before = shown.get_attribute("src")
    page.get_by_label("Everybody in the photo").check()
    playwright.expect(shown).not_to_have_attribute("src", before)
    assert changed() == (True, True)


def test_two_visitors_at_once_each_get_their_own_photo(come, portrait, tmp_path):
    pages, photos = [come(DESK) for _ in range(2)], []
    for number, tint in enumerate(((255, 220, 200), (200, 220, 255))):
        path = tmp_path / f"visitor-{number}.png"
        Image.fromarray((np.asarray(portrait) * (np.array(tint) / 255)).astype(np.uint8)).save(path)
        photos.append(path)
    for page, photo in zip(pages, photos, strict=True):
        choose(page, photo)
    for page, photo in zip(pages, photos, strict=True):
        edit = download(page, tmp_path)
        assert (pixels(edit)[:40] == pixels(photo)[:40]).all()
