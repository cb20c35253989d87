"""What a reproduction measures and shows: `results.json`, `report.md`, figures 2 to 7."""

import json
from pathlib import Path

from torch import nn

from g2gan.models.unet_generator import UNetGenerator
from g2gan.shape import ShapeModel
from train.card import RESULTS_FILE, weights_digest
from train.files import write_json, write_text
from train.paper_data import SHAPE_MODEL, PaperSet
from train.paper_evaluate import ROWS, pictures_of, table_1, table_2, tables
from train.paper_figures import CAPTIONS, Editor, write_figures
from train.paper_plan import CHECKPOINT, FIGURES, PREPARED, REPORT, Plan
from train.paper_prepare import landmark_detector
from train.step_time import device


def evaluate_rows(plan: Plan, judges: dict[str, nn.Module]) -> dict:
    """Both tables' figures, kept in `results.json`; what was measured is not measured again."""
    path = plan.out / RESULTS_FILE
    results = {"weights": {}, "table_1": {}, "table_2": {}}
    if path.is_file():
        results = json.loads(path.read_text("utf-8"))
    pictures = pictures_of(PaperSet.load(plan.out / PREPARED, "test"))
    sigma = plan.config.heatmap_sigma
    for row in ("original", *plan.rows):
        networks = None
        if row != "original":
            checkpoint = plan.out / row / CHECKPOINT
            digest, networks = weights_digest(checkpoint), load_row(checkpoint)
            if results["weights"].get(row) != digest:  # of other weights, or none yet
                results["weights"][row] = digest
                results["table_1"][row] = table_1(pictures, *networks, sigma)
                results["table_2"].pop(row, None)
        done = {*results["table_2"].get(row, {})}
        for name in judges.keys() - done:
            removal = networks and networks[1]
            figures = table_2(pictures, removal, judges[name], sigma)
            results["table_2"].setdefault(row, {})[name] = figures
        write_json(path, results)
    return results


def load_row(checkpoint: Path) -> tuple[UNetGenerator, UNetGenerator]:
    """Synthesis and removal, in evaluation mode, on the device."""
    return tuple(
        UNetGenerator.from_pretrained(checkpoint / direction).eval().to(device())
        for direction in ("synthesis", "removal")
    )


def write_report(plan: Plan, results: dict) -> str:
    """Tables and figures as `report.md`; the tables."""
    row = "full" if "full" in plan.rows else "without_identity"
    checkpoint = plan.out / row / CHECKPOINT
    editor = Editor(
        *load_row(checkpoint),
        ShapeModel.from_pretrained(checkpoint / SHAPE_MODEL),
        plan.config.heatmap_sigma,
    )
    test = PaperSet.load(plan.out / PREPARED, "test")
    paths = write_figures(plan.name, test, editor, landmark_detector(), plan.out / FIGURES)
    text = tables(plan.name, results)
    figures = "\n\n".join(
        f"![{CAPTIONS[kind]}]({FIGURES}/{path.name})\n\n{path.stem}, {ROWS[row]}: {CAPTIONS[kind]}"
        for kind, path in paths.items()
    )
    write_text(plan.out / REPORT, f"# {plan.name}\n\n{text}\n{figures}\n")
    return text
