"""How long edits take, detection included, and where a training step's time goes.

    python -m benchmarks.edit_speed checkpoints/g2gan-london

Edits a composite portrait at several sizes and writes `edit_speed.json` beside this file, and its
tables into `docs/speed.md`. Wall time, warm, on all cores: nothing else should run.
"""

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from g2gan import G2GAN
from train.card import weights_digest
from train.config import PRESETS
from train.data import PreparedSet, batch_at
from train.files import write_json, write_text
from train.trainer import Trainer

RESULTS = Path(__file__).with_suffix(".json")
ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "speed.md"
PORTRAITS = ("woman-20s-fair-smiling.jpg", "woman-20s-fair-neutral.jpg")
SIZES = ((1000, 1000), (3000, 4000))  # width, height
SHARE = 0.7  # of the photo's width that the portrait fills: the face is then a third of it wide
RUNS, STEPS = 7, 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, help="prepared set: time a training step as well")
    arguments = parser.parse_args()
    results = {
        "weights": weights_digest(arguments.checkpoint),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "edits": time_edits(G2GAN.from_pretrained(arguments.checkpoint)),
    }
    if arguments.data:
        results["training"] = time_training(PreparedSet(arguments.data))
    write_json(RESULTS, results)
    write_text(PAGE, page(results))


def time_edits(pipe: G2GAN) -> list[dict]:
    """Milliseconds of each edit at each size."""
    rows = []
    for size in SIZES:
        smiling, neutral = (enlarged(ROOT / "examples" / name, size) for name in PORTRAITS)
        face = pipe.detect(neutral)[0]
        edits = {
            "detect": lambda photo=smiling: pipe.detect(photo),
            "remove": lambda photo=smiling: pipe.remove(photo),
            "synthesize": lambda photo=smiling: pipe.synthesize(photo, "happiness"),
            "synthesize, from a detected neutral face": lambda photo=neutral, face=face: (
                pipe.synthesize(photo, "happiness", face=face, from_neutral=True)
            ),
        }
        rows += [
            {"edit": name, "size": list(size), "ms": round(1000 * median_time(edit), 1)}
            for name, edit in edits.items()
        ]
    return rows


def enlarged(path: Path, size: tuple[int, int]) -> np.ndarray:
    """A portrait in the middle of a photo of this size, uint8 (H, W, 3)."""
    portrait = Image.open(path).convert("RGB")
    width = round(SHARE * size[0])
    portrait = portrait.resize((width, round(width * portrait.height / portrait.width)))
    photo = Image.new("RGB", size, portrait.getpixel((0, 0)))
    photo.paste(portrait, ((size[0] - width) // 2, (size[1] - portrait.height) // 2))
    return np.asarray(photo)


def time_training(data: PreparedSet) -> dict[str, float]:
    """Images per second of the loader alone and of whole steps, on one thread."""
    torch.set_num_threads(1)
    config = PRESETS["london-removal"]
    batches = (batch_at(data, "removal", 0, step, config.batch) for step in range(STEPS))
    loading = median_time(lambda: next(batches), STEPS - 2)
    with tempfile.TemporaryDirectory() as run:
        step = median_time(Trainer(config, data, Path(run)).train_step, STEPS)
    return {"loader": config.batch / loading, "step": config.batch / step}


def median_time(run: Callable, runs: int = RUNS) -> float:
    """Seconds, the median after one run to warm up."""
    run()
    taken = []
    for _ in range(runs):
        begun = time.perf_counter()
        run()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def page(results: dict) -> str:
    """`docs/speed.md`."""
    lines = [
        "# Speed",
        "",
        f"Weights `{results['weights'][:8]}`, {results['machine']}, torch {results['torch']}. "
        "Written by `python -m benchmarks.edit_speed`; medians, warm, detection included but where "
        "it says otherwise; the face is a third of the photo's width.",
        "",
        "| edit | photo | ms |",
        "| --- | --- | --- |",
    ]
    lines += [
        f"| {row['edit']} | {row['size'][0]} x {row['size'][1]} | {row['ms']:.0f} |"
        for row in results["edits"]
    ]
    if "training" in results:
        rates = (f"{name} {rate:.1f}" for name, rate in results["training"].items())
        lines += ["", f"Training, images per second on one thread: {', '.join(rates)}."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
