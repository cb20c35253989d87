"""Pictures of the page for docs/page: every tab, light, dark and on a telephone.

    python -m space.screenshots --out docs/page

Shows the example portraits, which are composites. Needs Debian's `chromium` and
`pip install playwright`.
"""

import argparse
import io
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

import app

CHROMIUM = "/usr/bin/chromium"
DESK, TELEPHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
LOOKS = {"light": (DESK, "light"), "dark": (DESK, "dark"), "phone": (TELEPHONE, "light")}
DOWNLOADS = {"removal": 1, "synthesis": 0, "transfer": 2, "interpolation": 2}
PATIENCE = 120_000  # ms


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/page"))
    parser.add_argument("--kind", choices=("jpg", "png"), default="jpg")
    parser.add_argument("--tabs", nargs="+", choices=DOWNLOADS, default=list(DOWNLOADS))
    asked = parser.parse_args(arguments)
    asked.out.mkdir(parents=True, exist_ok=True)
    served = app.build(app.load())
    _, url, _ = served.launch(prevent_thread_lock=True, quiet=True, **app.LAUNCH)
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for look, (size, scheme) in LOOKS.items():
            scale = 2 if size is TELEPHONE else 1
            page = browser.new_page(viewport=size, device_scale_factor=scale)
            page.set_default_timeout(PATIENCE)
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.goto(f"{url}?__theme={scheme}")
            expect(page.locator(".result img").first).to_be_visible()
            save(page, asked.out / f"start-{look}.{asked.kind}")
            page.locator(".side .samples .gallery-item").first.click()
            expect(page.locator(".save:visible")).to_be_enabled()
            for tab in asked.tabs:
                open_tab(page, tab)
                save(page, asked.out / f"{tab}-{look}.{asked.kind}")
            page.close()
        browser.close()
    served.close(verbose=False)


def open_tab(page: Page, tab: str) -> None:
    """Opens a tab, chooses the second person where one is needed, and waits for the result."""
    page.get_by_role("tab", name=tab.capitalize()).click()
    panel = page.locator("div[role=tabpanel]:visible")
    if tab == "transfer":
        panel.locator(".samples .gallery-item").nth(1).click()
    if tab == "synthesis":
        page.wait_for_selector(".editor[data-thumbnails]")
    for number in range(DOWNLOADS[tab]):
        expect(panel.locator(".save").nth(number)).to_be_enabled()


def save(page: Page, path: Path) -> None:
    page.mouse.move(0, 0)
    page.wait_for_timeout(2500)  # for pictures to be fetched and for what fades
    picture = Image.open(io.BytesIO(page.screenshot(full_page=True)))
    picture.convert("RGB").save(path, quality=82)


if __name__ == "__main__":
    main()
