"""How long one crop takes in torch and in onnxruntime, on one thread.

    python -m benchmarks.onnx_speed checkpoints/g2gan-london

Writes `onnx_speed.json` beside this file, and its table into `docs/onnx.md`. What is counted is the
process's own time, so that other work on the machine disturbs it little.
"""

import argparse
import platform
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import onnxruntime
import torch

from g2gan import G2GAN
from train.card import weights_digest
from train.export_onnx import INPUTS, example_inputs, export_generator
from train.files import write_json, write_text

RESULTS = Path(__file__).with_suffix(".json")
PAGE = Path(__file__).resolve().parents[1] / "docs" / "onnx.md"
BLOCK = re.compile(r"(<!-- speed -->\n).*?(<!-- /speed -->)", re.DOTALL)
RUNS = 9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    results = measure(parser.parse_args().checkpoint)
    write_json(RESULTS, results)
    table = speed_table(results)
    page = BLOCK.sub(lambda block: f"{block[1]}\n{table}\n\n{block[2]}", PAGE.read_text("utf-8"))
    write_text(PAGE, page)


def measure(checkpoint: Path) -> dict:
    """Milliseconds and megabytes of both generators in both runtimes, and where."""
    torch.set_num_threads(1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    pipe = G2GAN.from_pretrained(checkpoint)
    inputs = example_inputs(1)
    feed = {name: value.numpy() for name, value in zip(INPUTS, inputs, strict=True)}
    rows = []
    for name in ("synthesis", "removal"):
        generator = getattr(pipe, name)
        with torch.inference_mode():
            taken = timed(generator.predict, *inputs)
        rows.append({"generator": name, "runtime": "torch", **taken})
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}.onnx"
            export_generator(generator, path, dynamic=False)
            session = onnxruntime.InferenceSession(path, options)
            rows.append(
                {
                    "generator": name,
                    "runtime": "onnxruntime",
                    **timed(session.run, None, feed),
                    "megabytes": round(path.stat().st_size / 1e6, 1),
                }
            )
    return {
        "weights": weights_digest(checkpoint),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "onnxruntime": onnxruntime.__version__,
        "runs": RUNS,
        "rows": rows,
    }


def timed(run: Callable, *arguments: object) -> dict[str, float]:
    """Median and fastest of `RUNS` runs, in milliseconds, after two to warm up."""
    taken = []
    for _ in range(RUNS + 2):
        begun = time.process_time()
        run(*arguments)
        taken.append((time.process_time() - begun) * 1000)
    return {"median": round(statistics.median(taken[2:]), 1), "fastest": round(min(taken), 1)}


def speed_table(results: dict) -> str:
    """The results as Markdown, with the weights that they belong to."""
    lines = ["| generator | runtime | median | fastest | file |", "| --- | --- | --- | --- | --- |"]
    for row in results["rows"]:
        size = f"{row['megabytes']} MB" if "megabytes" in row else ""
        runtime = f"{row['runtime']} {results[row['runtime']]}"
        times = f"{row['median']} ms | {row['fastest']} ms"
        lines.append(f"| {row['generator']} | {runtime} | {times} | {size} |")
    return "\n".join([*lines, "", f"Weights with SHA-256 `{results['weights']}`."])


if __name__ == "__main__":
    main()
