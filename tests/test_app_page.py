"""The page itself, in a real browser: tabs with an example, at a desk and on a telephone.

The synthesis tab is tested in `test_editor_page.py`.

Needs Debian's `chromium` and `pip install playwright`; run with `pytest -m slow`.
"""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from faces import SKIN, draw_face
from PIL import Image

playwright = pytest.importorskip("playwright.sync_api")
pytest.importorskip("gradio")

from tiny import tiny_pipeline  # noqa: E402

import app  # noqa: E402

CHROMIUM = "/usr/bin/chromium"
DESK, TELEPHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
TABS = {"Removal": 1, "Transfer": 2, "Interpolation": 6}  # number of results
PATIENCE = 120_000  # ms; the machine may be busy

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"needs {CHROMIUM}"),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory) -> Iterator[str]:
    """The page over a tiny pipeline, with two drawn people as examples."""
    examples = tmp_path_factory.mktemp("examples")
    for name, colour in (("dark", (140, 95, 70)), ("fair", SKIN)):
        for kind, smile in (("neutral", 0.0), ("smiling", 0.8)):
            drawn = Image.fromarray(draw_face(400, smile=smile, colour=colour))
            drawn.save(examples / f"{name}-{kind}.jpg", quality=95)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        page = app.build(tiny_pipeline(), examples=examples)
        _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **app.LAUNCH)
        yield url
        page.close(verbose=False)


@pytest.fixture(scope="module")
def browser() -> Iterator["playwright.Browser"]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def troubles() -> list[str]:
    return []


@pytest.fixture(params=[DESK, TELEPHONE], ids=["desk", "telephone"])
def page(browser, url, troubles, request) -> Iterator["playwright.Page"]:
    """The opened page; requests to other hosts and errors are noted in `troubles`."""
    context = browser.new_context(viewport=request.param)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()

    def note_request(asked: "playwright.Request") -> None:
        parts = urlsplit(asked.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != urlsplit(url).netloc:
            troubles.append(f"request to {asked.url}")

    page.on("request", note_request)
    page.on("console", lambda line: line.type == "error" and troubles.append(line.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto(url)
    yield page
    context.close()


def open_tab(page: "playwright.Page", name: str) -> "playwright.Locator":
    page.get_by_role("tab", name=name).click()
    panel = page.locator("div[role=tabpanel]:visible")
    playwright.expect(panel.get_by_role("button").first).to_be_visible()
    return panel


def test_every_tab_edits_an_example_at_one_click(page, url, troubles):
    for name, count in TABS.items():
        panel = open_tab(page, name)
        panel.locator(".gallery-item, tr.tr-body").first.click()
        results = panel.locator("img[src$='.png'], img[src$='.webp']")
        playwright.expect(results).to_have_count(count, timeout=PATIENCE)
        sources = {image.get_attribute("src") for image in results.all()}
        assert len(sources) == count, name
        for source in sources:
            assert page.request.get(source).ok
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= page.viewport_size["width"], name
    assert troubles == []


def test_without_a_photo_the_button_says_what_to_do(page):
    panel = open_tab(page, "Removal")
    panel.get_by_role("button", name="Remove the expression").click()
    playwright.expect(page.get_by_text(app.NO_PHOTO)).to_be_visible(timeout=PATIENCE)


def test_several_faces_can_be_chosen_from(page, tmp_path):
    two = Image.new("RGB", (800, 400), (120, 130, 140))
    two.paste(Image.fromarray(draw_face(400)), (0, 0))
    two.paste(Image.fromarray(draw_face(340)), (430, 30))
    two.save(tmp_path / "two.png")
    panel = open_tab(page, "Removal")
    panel.locator("input[type=file]").first.set_input_files(tmp_path / "two.png")
    choice = panel.get_by_role("radio")
    playwright.expect(choice).to_have_count(2, timeout=PATIENCE)
    result = panel.locator("img[src$='image.png']")
    before = result.get_attribute("src")
    choice.nth(1).click()
    playwright.expect(result).not_to_have_attribute("src", before, timeout=PATIENCE)


def test_a_file_that_is_no_photo_is_explained_after_the_last_result_is_cleared(page, tmp_path):
    panel = open_tab(page, "Removal")
    panel.locator(".gallery-item").first.click()
    result = panel.locator("img[src$='image.png']")
    playwright.expect(result).to_be_visible(timeout=PATIENCE)
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 no photo")
    panel.get_by_label("Remove Image").click()
    playwright.expect(result).to_have_count(0)
    panel.locator("input[type=file]").first.set_input_files(tmp_path / "broken.jpg")
    # the clearing, if it is still under way, may meet the new file and say so as well
    said = page.get_by_text("save it as JPEG or PNG").first
    playwright.expect(said).to_be_visible(timeout=PATIENCE)
