"""How the page's editor answers a dragging finger, near the server and far from it.

    python -m benchmarks.page_speed checkpoints/g2gan-london

Starts the page in a process of its own, opens a composite portrait in headless Chromium (Debian's
`chromium`, without a graphics card, on the same machine), drags a mouth corner, and writes
`page_speed.json` beside this file and `docs/page_speed.md`. Nothing else should run.
"""

import argparse
import os
import platform
import statistics
import time
from importlib.metadata import version
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from benchmarks.edit_speed import ROOT
from benchmarks.serving import served
from train.card import weights_digest
from train.files import write_json, write_text

RESULTS = Path(__file__).with_suffix(".json")
DOCUMENT = ROOT / "docs" / "page_speed.md"
PORTRAIT = ROOT / "examples" / "woman-20s-fair-neutral.jpg"
CHROMIUM = "/usr/bin/chromium"
AWAY = (0, 150)  # ms that are added to every round trip
DRAG = 10.0  # seconds of dragging; the finger moves as often as the browser takes note of it
PATIENCE = 180_000  # ms
# Notes when the finger moved, when the face was drawn after that, and every call of the server
NOTES = """
window.notes = { draws: [], calls: [] };
const fetched = window.fetch;
window.fetch = async (address, options) => {
  const begun = performance.now(), response = await fetched(address, options);
  if (String(address.url ?? address).includes("component_server"))
    response.clone().json().then((answer) => notes.calls.push(
      { begun, ms: performance.now() - begun, server: answer?.picture ? answer.ms : undefined }));
  return response;
};
window.watchDraws = () => {
  let moved = null;
  const root = document.querySelector(".editor");
  root.addEventListener("pointermove", () => { moved ??= performance.now(); }, true);
  new MutationObserver(() => {
    if (moved !== null) notes.draws.push(performance.now() - moved);
    moved = null;
  }).observe(root, { attributes: true, attributeFilter: ["data-drawn"] });
};
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    checkpoint = parser.parse_args().checkpoint
    results = {
        "weights": weights_digest(checkpoint),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "torch": version("torch"),
        "load": os.getloadavg()[0],  # of the machine by others, before it began
    }
    with served(G2GAN_MODEL=str(checkpoint)) as (url, _):
        results["drags"] = [time_drag(url, away) for away in AWAY]
    write_json(RESULTS, results)
    write_text(DOCUMENT, document(results))


def time_drag(url: str, away: int) -> dict:
    """What a visitor sees whose round trips take so many milliseconds longer."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE)
        page.add_init_script(NOTES)
        page.goto(url)
        open_portrait(page)
        network = page.context.new_cdp_session(page)
        network.send("Network.enable")
        conditions = {"downloadThroughput": -1, "uploadThroughput": -1}
        network.send(
            "Network.emulateNetworkConditions", {"offline": False, "latency": away} | conditions
        )
        seconds, finished = drag(page)
        previews = int(page.locator(".editor").get_attribute("data-previews"))
        notes = page.evaluate("notes")
        browser.close()
    painted = [call for call in notes["calls"] if call.get("server") is not None]
    return {
        "away": away,
        "previews_per_second": previews / seconds,
        "finger_ms": spread(notes["draws"]),
        "preview_ms": spread([call["ms"] for call in painted]),
        "server_ms": spread([call["server"] for call in painted]),
        "whole_photo_ms": 1000 * finished,
    }


def open_portrait(page: Page) -> None:
    """Chooses the portrait on the synthesis tab and waits for all of the editor."""
    page.get_by_role("tab", name="Synthesis").click()
    upload = page.locator("div[role=tabpanel]:visible input[type=file]:not(.file input)")
    if not upload.count():  # it stands beside the tabs
        upload = page.locator("input[type=file]:not(.file input)")
    upload.first.set_input_files(PORTRAIT)
    page.wait_for_selector(".editor[data-thumbnails]")
    page.locator(".editor .stage").scroll_into_view_if_needed()
    page.evaluate("watchDraws(); notes.calls.length = 0")


def drag(page: Page) -> tuple[float, float]:
    """Drags for some time; seconds of it, and from the release to the written photo."""
    box = page.locator(".editor [data-dot='0'] .seen").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    begun, moves = time.perf_counter(), 0
    while (seconds := time.perf_counter() - begun) < DRAG:
        moves += 1
        page.mouse.move(x - 20 * abs((moves % 60) / 30 - 1), y - 15 * abs((moves % 34) / 17 - 1))
    page.mouse.up()
    released = time.perf_counter()
    page.wait_for_selector(".editor[data-finished]")
    return seconds, time.perf_counter() - released


def spread(values: list[float]) -> dict[str, float]:
    """Median, and what 95% stay below."""
    return {
        "count": len(values),
        "median": statistics.median(values),
        "95%": statistics.quantiles(values, n=20)[-1],
    }


def document(results: dict) -> str:
    """`docs/page_speed.md`."""
    lines = [
        "# Speed of the page",
        "",
        f"Weights `{results['weights'][:8]}`, {results['machine']}, torch {results['torch']}; the "
        "browser, headless Chromium without a graphics card, runs on the same machine and takes "
        "its share (load by others before it began: "
        f"{results['load']:.1f}). Written by `python -m benchmarks.page_speed`: a mouth corner "
        f"dragged for {DRAG:.0f} seconds; milliseconds, median (and what 95% stay below).",
        "",
        "| round trip longer by | previews a second | finger to face | preview asked to there "
        "| of which the server paints | release to whole photo written |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in results["drags"]:
        times = (row[name] for name in ("finger_ms", "preview_ms", "server_ms"))
        cells = [f"{each['median']:.0f} ({each['95%']:.0f})" for each in times]
        lines.append(
            f"| {row['away']} ms | {row['previews_per_second']:.1f} | {' | '.join(cells)} "
            f"| {row['whole_photo_ms']:.0f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
