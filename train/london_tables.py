"""The paper's two tables on the London set, with its generator and with ours.

    python -m train.london_tables --london ../shared/data/london --hse faceres.json --images 240

Both generators are trained from nothing in the paper's four configurations, on as many images of
the same 72 people, and measured alike on the 18 test people: at 128 px, the whole of the paper's
centre crop, against the real photo aligned by its own eyes. The paper's U-Nets see their crops;
ours edits the whole photo through the public pipeline, and the result is cut. Both are told the
expressed face's landmarks, so the neutral shape is known to neither; ours guesses it. Beside that
ours is told it.

Finished stages are skipped. Writes `docs/london_tables.json` and `docs/london_tables.md`. After a
change of the embedded checkpoint, `--embedded` in place of `--images` measures its row alone.
"""

import argparse
import json
import os
import platform
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from g2gan.errors import CheckpointError
from g2gan.landmarks import LandmarkDetector
from train.card import EMBEDDED, RESULTS_FILE, TRAINING_FILE, weights_digest
from train.command import mistakes_are_said
from train.config import PRESETS, TrainConfig, ablations
from train.data import PreparedSet
from train.export import export
from train.files import write_json, write_text
from train.london_edits import Made, Yardstick, differences, figures, likenesses, make, seen_pair
from train.london_page import page
from train.paper_data import PaperSet
from train.paper_evaluate import ROWS, pairs_of, pictures_of
from train.paper_plan import CHECKPOINT, PREPARED, RUN, Plan
from train.paper_prepare import prepare_source
from train.prepare import MANIFEST, MORPHS, prepare
from train.reproduce import check_settings, reproduce
from train.sources import london_pairs
from train.stand_ins import DLIB
from train.step_time import device
from train.trainer import Trainer

DOCS = Path(__file__).resolve().parents[1] / "docs"
RESULTS, PAGE = DOCS / "london_tables.json", DOCS / "london_tables.md"
SET = "london-paper"
PLAIN = "without_both"


@dataclass(frozen=True)
class LondonTables:
    """What to compare, and where.

    Args:
        london: folder of the London set.
        out: everything is written here.
        paper: the full configuration of the paper's generator.
        ours: that of ours.
        hse: `faceres.json`, the second judge; `None` leaves it out.
        morphs: people between two others that ours sees beside.
    """

    london: Path
    out: Path
    paper: TrainConfig
    ours: TrainConfig
    hse: Path | None = None
    morphs: int = MORPHS

    @property
    def reproduction(self) -> Plan:
        """The paper's half."""
        return Plan(SET, self.london, self.out / "paper", self.paper, {}, hse=self.hse)


def london_tables(plan: LondonTables) -> dict:
    """Train and measure what is not yet; the results file's content.

    Raises:
        DataError: the set is missing.
        CheckpointError: the folder holds checkpoints of other settings, or a recognition network
            is missing.
    """
    reproduce(plan.reproduction)
    train_ours(plan)
    return measured(plan)


def train_ours(plan: LondonTables) -> None:
    """Our generator in all configurations, each to its checkpoint."""
    folder = plan.out / "ours"
    prepared = folder / PREPARED
    if not (prepared / MANIFEST).is_file():
        prepare(london_pairs(plan.london, "train"), prepared, "CC BY 4.0", plan.morphs)
    recognizer = plan.reproduction.load_judge(DLIB)
    for row, config in ablations(plan.ours).items():
        if (folder / row / CHECKPOINT).is_dir():
            record = json.loads((folder / row / CHECKPOINT / TRAINING_FILE).read_text("utf-8"))
            found = record["directions"]["synthesis"]["run 1"]["settings"]
            check_settings(folder / row / CHECKPOINT, found, json.loads(config.to_json()))
            continue
        print(f"ours, {ROWS[row]}: training")
        run = folder / row / RUN
        Trainer(config, PreparedSet(prepared), run, recognizer, device()).train()
        export([run], prepared, folder / row / CHECKPOINT)


def measured(plan: LondonTables) -> dict:
    """Both tables' figures of every row."""
    paper = json.loads((plan.out / "paper" / RESULTS_FILE).read_text("utf-8"))
    by = yardstick(plan)
    checkpoints = {row: plan.out / "ours" / row / CHECKPOINT for row in ablations(plan.ours)}
    made = {row: make(checkpoint, by.pairs)[0] for row, checkpoint in checkpoints.items()}
    expressed, neutral = pairs_of(by.pictures)
    copied = Made(*(by.pictures.images[i] for i in (neutral, expressed, expressed)))
    embedded, warped = embedded_rows(by)
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}",
        "face_network": plan.reproduction.face_network,
        "people": {"train": len(london_pairs(plan.london, "train")), "test": len(by.pairs)},
        "baselines": {
            "copy": {**likenesses(by, copied), "table_2": paper["table_2"]["original"]},
            "warp": warped,
        },
        "paper": {
            row: {
                "weights": paper["weights"][row],
                **_length(plan.out / "paper" / row / CHECKPOINT),
                "synthesis": paper["table_1"][row][:2],
                "removal": paper["table_1"][row][2:],
                "table_2": paper["table_2"][row],
            }
            for row in plan.reproduction.rows
        },
        "ours": {
            row: {
                "weights": weights_digest(checkpoint),
                **_length(checkpoint),
                **figures(by, made[row]),
                "less": {} if row == PLAIN else differences(by, made[row], made[PLAIN]),
            }
            for row, checkpoint in checkpoints.items()
        },
        "embedded": embedded,
    }


def embedded_anew(plan: LondonTables, results: dict) -> dict:
    """The results with what the embedded checkpoint's weights decide measured anew.

    No trained run is needed; nothing is done where the results are of these weights.

    Raises:
        DataError: the set is missing.
        CheckpointError: a recognition network of the results is missing.
    """
    if results["embedded"]["weights"] == weights_digest(EMBEDDED):
        return results
    if missing := results["embedded"]["table_2"].keys() - {*plan.reproduction.judges}:
        raise CheckpointError(f"the tables need {', '.join(missing)}; see train/stand_ins.py")
    embedded, warped = embedded_rows(yardstick(plan))
    return results | {
        "baselines": results["baselines"] | {"warp": warped},
        "embedded": embedded,
    }


def embedded_rows(by: Yardstick) -> tuple[dict, dict]:
    """The row of the embedded checkpoint, and of the plain warp to the shapes it aims at."""
    made, warped = make(EMBEDDED, by.pairs)
    return {"weights": weights_digest(EMBEDDED), **figures(by, made)}, figures(by, warped)


def yardstick(plan: LondonTables) -> Yardstick:
    """The test pairs and judges; prepared where they are not yet."""
    prepared = plan.out / "paper" / PREPARED
    if not (prepared / MANIFEST).is_file():
        prepare_source(SET, plan.london, prepared)
    test = PaperSet.load(prepared, "test")
    known = {pair.person: pair for pair in london_pairs(plan.london, "test")}
    detector = LandmarkDetector()
    return Yardstick(
        pictures_of(test),
        [seen_pair(known[sequence.person], detector) for sequence in test.sequences],
        {name: plan.reproduction.load_judge(name) for name in plan.reproduction.judges},
    )


def _length(checkpoint: Path) -> dict[str, float]:
    """Images and minutes of a training record, the paper's kind or ours."""
    record = json.loads((checkpoint / TRAINING_FILE).read_text("utf-8"))
    record = record["directions"]["synthesis"]["run 1"] if "directions" in record else record
    return {name: record[name] for name in ("images", "minutes")}


@mistakes_are_said()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--london", type=Path, required=True, help="folder of the London set")
    parser.add_argument("--hse", type=Path, help="faceres.json: a second judge")
    parser.add_argument("--out", type=Path, default=Path("runs/london-tables"))
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--images", type=int, help="length of every run")
    what.add_argument(
        "--embedded", action="store_true", help="only the embedded checkpoint's row, if it is old"
    )
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    paper, ours = PRESETS["oulu"], PRESETS["london-full"]
    if arguments.images:
        paper, ours = (replace(config, images=arguments.images) for config in (paper, ours))
    plan = LondonTables(arguments.london, arguments.out, paper, ours, arguments.hse)
    if arguments.embedded:
        results = embedded_anew(plan, json.loads(RESULTS.read_text("utf-8")))
    else:
        results = london_tables(plan)
    write_json(RESULTS, results)
    write_text(PAGE, page(results))


if __name__ == "__main__":
    main()
