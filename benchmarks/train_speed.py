"""How many images a second training sees: the paper's preset at full width, and ours.

    python -m benchmarks.train_speed

Steps on noise, in several precisions, layouts and numbers of threads, each in a process of its own;
loaders apart. Writes `train_speed.json` beside this file and `docs/train_speed.md`.
"""

import argparse
import multiprocessing
import os
import platform
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from g2gan.alignment import WORKING, crop, transform
from train.animate import dress, pose_mesh
from train.config import PRESETS
from train.data import PreparedSet, batch_at, warped_crop
from train.expressions import draw
from train.files import write_json, write_text
from train.paper import ASSUMED
from train.paper_data import AlignedSequence, PaperSet, paper_batch_at
from train.step_time import device, measured_step

RESULTS = Path(__file__).with_suffix(".json")
PAGE = Path(__file__).resolve().parents[1] / "docs" / "train_speed.md"
STEPS = {"ck": "ck", "ours, one direction": "london-synthesis"}  # name: preset
VARIANTS = (  # precision, channels_last, threads
    ("no", False, 1),
    ("no", True, 1),
    ("bf16", True, 1),
    ("no", True, 2),
)
BATCHES = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=3, help="that are timed of each (default: 3)")
    parser.add_argument("--data", type=Path, help="prepared set of ours: time its loader as well")
    arguments = parser.parse_args()
    variants = VARIANTS if device() == "cpu" else [v for v in VARIANTS if v[2] == 1]
    results = {
        "machine": machine(),
        "torch": torch.__version__,
        "load": [round(os.getloadavg()[1], 1)],  # before and after
        "steps": [
            in_its_own_process(time_steps, name, STEPS[name], *variant, arguments.steps)
            for name in STEPS
            for variant in variants
        ],
        "loaders": {"ck": in_its_own_process(time_papers_loader)},
    }
    if arguments.data:
        results["loaders"]["ours"] = in_its_own_process(time_our_loader, arguments.data)
        results["loaders"]["animating alone"] = in_its_own_process(time_animating, arguments.data)
    results["load"].append(round(os.getloadavg()[1], 1))
    write_json(RESULTS, results)
    write_text(PAGE, page(results))


def machine() -> str:
    """What is measured on."""
    if device() == "cuda":
        return torch.cuda.get_device_name()
    return f"{platform.machine()}, {os.cpu_count()} cores"


def in_its_own_process(function, *arguments):
    """A function's result, from an interpreter that nothing was set in before."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def time_steps(
    name: str, preset: str, precision: str, channels_last: bool, threads: int, steps: int
) -> dict:
    """One line of the table."""
    torch.set_num_threads(threads)
    config = PRESETS[preset]
    layout = torch.channels_last if channels_last else torch.contiguous_format
    cost = measured_step(config, steps, layout, precision=precision)
    return {
        "what": name,
        "batch": config.batch,
        "precision": {"no": "fp32"}.get(precision, precision),
        "layout": "channels last" if channels_last else "channels first",
        "threads": threads,
        "per_second": round(config.batch / cost.seconds, 2),
        "per_core_second": round(config.batch / cost.core_seconds, 2),
    }


def time_papers_loader() -> dict:
    """Images of each side a second, on one picture of noise."""
    side = ASSUMED.aligned_side
    rng = np.random.default_rng(0)
    encoded = cv2.imencode(".png", rng.integers(0, 256, (side, side, 1), np.uint8))[1].ravel()
    sequence = AlignedSequence("-", "-", None, (encoded,) * 2, rng.uniform(0, side, (2, 68, 2)))
    data, size = PaperSet((sequence,), 1), PRESETS["ck"].batch
    return rates(lambda step: paper_batch_at(data, "synthesis", 0, step, size), size)


def time_our_loader(folder: Path) -> dict:
    """The same of a prepared set's augmented samples."""
    data, size = PreparedSet(folder), PRESETS["london-synthesis"].batch
    return rates(lambda step: batch_at(data, "synthesis", 0, step, size), size)


def time_animating(folder: Path) -> dict:
    """The same of pictures of 256 px that are animated, from mesh and neutral crop on."""
    data = PreparedSet(folder)
    rng = np.random.default_rng(0)
    rest = [(data.images[f"{p}/neutral"], data.meshes[f"{p}/neutral"][0]) for p in data.people]
    crops = []
    for image, mesh in rest:
        matrix = WORKING.matrix(mesh)
        crops.append((crop(image, matrix, WORKING.side), matrix, transform(matrix, mesh), image))
    size = 4

    def animated(step: int) -> None:
        for number in range(step * size, (step + 1) * size):
            photo, matrix, mesh, image = crops[number % len(crops)]
            weights = draw(rng)[1]
            target = pose_mesh(data.rig, mesh, weights)
            moved = warped_crop(image, matrix, mesh, target)
            dress(data.rig, moved, photo, mesh, target, weights)

    return rates(animated, size)


def rates(batch, size: int) -> dict:
    """Images per second on the clock and of processor time, on one thread."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    batch(0)
    started = time.perf_counter(), time.process_time()
    for step in range(1, 1 + BATCHES):
        batch(step)
    ended = time.perf_counter(), time.process_time()
    clock, core = (size * BATCHES / (b - a) for a, b in zip(started, ended, strict=True))
    return {"per_second": round(clock, 1), "per_core_second": round(core, 1)}


def page(results: dict) -> str:
    """`docs/train_speed.md`."""
    before, after = results["load"]
    lines = [
        "# Speed of training",
        "",
        f"On {results['machine']}, torch {results['torch']}. Written by "
        "`python -m benchmarks.train_speed`. The five minutes' load average was "
        f"{before} before and {after} after: where it is above the number of cores, other work ran "
        "beside this, and images per second on the clock are less than the machine can do; images "
        "per second of processor time depend on it less.",
        "",
        "A step of `ck` is the paper's at full width, batch 5: both generators and both "
        "discriminators, with the cycle and without the identity loss. One of ours is "
        "`london-synthesis`, batch 4, 256 px, with its discriminator left out, as the preset says.",
        "",
        "| step | precision | layout | threads | images/s | images/s of processor time |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row['what']} | {row['precision']} | {row['layout']} | {row['threads']} | "
        f"{row['per_second']:.2f} | {row['per_core_second']:.2f} |"
        for row in results["steps"]
    ]
    lines += ["", "| loader | images/s | images/s of processor time |", "| --- | --- | --- |"]
    lines += [
        f"| {name} | {row['per_second']:.1f} | {row['per_core_second']:.1f} |"
        for name, row in results["loaders"].items()
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
