"""Many edits by several clients at once: does memory stay flat, is every answer its asker's own?

    python -m benchmarks.soak --out benchmarks/soak.json

Starts the page in a process of its own and calls its four endpoints with the example portraits,
each client with a tint of its own, by which its answers are checked.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
from gradio_client import Client, handle_file
from PIL import Image

from benchmarks.edit_speed import ROOT
from benchmarks.serving import served

TINTS = ((1.0, 0.8, 0.7), (0.7, 1.0, 0.8), (0.8, 0.7, 1.0), (1.0, 1.0, 0.6))  # one a client
SIDE = 700  # pixels of a photo's longer side
ANOTHERS = 8.0  # mean difference, of 255, along the border; a GIF's palette makes up to 3
WARM = 0.2  # of the edits; memory is compared from there on


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edits", type=int, default=200)
    parser.add_argument("--clients", type=int, default=len(TINTS), choices=(1, 2, 3, 4))
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        record = soak(Path(folder), asked.edits, asked.clients)
    text = json.dumps(record, indent=1) + "\n"
    print(text, end="")
    if asked.out:
        asked.out.write_text(text, "utf-8")
    if record["failed"] or record["of_others"] or record["files_left"]:
        sys.exit("the soak found something")


def soak(folder: Path, edits: int, clients: int) -> dict:
    """Makes the edits; what was seen."""
    files, sent = folder / "served", folder / "sent"
    files.mkdir()
    photos = [_photos(sent / str(number), TINTS[number]) for number in range(clients)]
    with served(GRADIO_TEMP_DIR=str(files), TMPDIR=str(files)) as (url, process):
        at_start = set(_files(files))
        server, memory, answers = psutil.Process(process), [], []
        began = time.monotonic()

        def work(number: int) -> list[dict]:
            # each client keeps what it downloads in a folder of its own
            client = Client(url, verbose=False, download_files=folder / f"client-{number}")
            made = []
            for turn in range(number, edits, clients):
                made.append(_edit(client, photos[number], random.Random(turn)))
                memory.append(server.memory_info().rss)
            return made

        with ThreadPoolExecutor(clients) as pool:
            for made in pool.map(work, range(clients)):
                answers += made
        seconds = time.monotonic() - began
        deadline = time.monotonic() + 300
        while (left := set(_files(files)) - at_start) and time.monotonic() < deadline:
            time.sleep(2)
    warm = memory[int(WARM * len(memory)) :]
    third = len(warm) // 3
    return {
        "edits": len(answers),
        "clients": clients,
        "seconds": round(seconds, 1),
        "failed": sum(answer["failed"] for answer in answers),
        "of_others": sum(answer["of_another"] for answer in answers),
        "files_left": len(left),
        "memory_mb": {
            "first_third": round(float(np.median(warm[:third])) / 1e6),
            "last_third": round(float(np.median(warm[-third:])) / 1e6),
            "most": round(max(memory) / 1e6),
        },
    }


def _photos(folder: Path, tint: tuple[float, float, float]) -> list[Path]:
    """The example portraits in a tint, as JPEG, PNG and WebP in turn."""
    folder.mkdir(parents=True)
    paths = []
    for number, path in enumerate(sorted((ROOT / "examples").glob("*.jpg"))[:6]):
        with Image.open(path) as photo:
            photo.thumbnail((SIDE, SIDE))
            tinted = Image.fromarray((np.asarray(photo) * np.array(tint)).astype(np.uint8))
        paths.append(folder / f"{path.stem}.{('jpg', 'png', 'webp')[number % 3]}")
        tinted.save(paths[-1], quality=92)
    return paths


def _edit(client: Client, photos: list[Path], chance: random.Random) -> dict:
    """One edit by chance, and whether its answers show the photos that were sent."""
    photo, other = chance.sample(photos, 2)
    name = chance.choice(["remove", "synthesize", "transfer", "interpolate"])
    one, two = handle_file(photo), handle_file(other)
    try:
        if name == "transfer":
            answers = client.predict(one, two, api_name="/transfer")
        elif name == "interpolate":
            answers = [client.predict(one, frames=5, format="gif", api_name="/interpolate")]
        else:
            answers = [client.predict(one, api_name=f"/{name}")]
    except Exception as error:
        print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
        return {"failed": True, "of_another": False}
    sent = [photo, other][: len(answers)]
    of_another = any(_differ(*pair) > ANOTHERS for pair in zip(sent, answers, strict=True))
    for answer in answers:
        Path(answer).unlink()
    return {"failed": False, "of_another": of_another}


def _differ(photo: Path, answer: str) -> float:
    """Mean difference along the upper border, which no edit touches."""
    border = []
    for path in (answer, photo):
        with Image.open(path) as image:
            shown = image.convert("RGB").resize(border[0].shape[1::-1] if border else image.size)
        border.append(np.asarray(shown).astype(float))
    top = border[0].shape[0] // 20
    return float(np.abs(border[0] - border[1])[:top].mean())


def _files(folder: Path) -> list[Path]:
    """The visitors' files: those of the page's own examples stay as long as it runs."""
    own = folder.glob("g2gan-examples-*/*")
    found = (Path(place, name) for place, _, names in os.walk(folder) for name in names)
    return sorted({*found} - set(own))  # `rglob` stumbles over what is deleted meanwhile


if __name__ == "__main__":
    main()
