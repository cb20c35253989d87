"""The paper's two tables on the London set, with its generator and with ours.

    python -m train.london_tables --london ../shared/data/london --hse faceres.json --images 240

Both generators are trained from nothing in the paper's four configurations, on as many images of
the same 72 people, and measured alike on the 18 test people: at 128 px, the whole of the paper's
centre crop, against the real photo aligned by its own eyes. The paper's U-Nets see their crops;
ours edits the whole photo through the public pipeline, and the result is cut. Both are told the
expressed face's landmarks, so the neutral shape is known to neither; ours guesses it. Beside that
ours is told it.

Finished stages are skipped. Writes `docs/london_tables.json` and `docs/london_tables.md`.
"""

import argparse
import json
import os
import platform
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from g2gan import G2GAN
from g2gan.alignment import crop
from g2gan.flow import warp_photo
from g2gan.images import open_photo
from g2gan.landmarks import Face, LandmarkDetector
from train import metrics
from train.card import RESULTS_FILE, TRAINING_FILE, weights_digest
from train.command import mistakes_are_said
from train.config import PRESETS, TrainConfig, ablations
from train.data import PreparedSet
from train.export import export
from train.files import write_json, write_text
from train.paper_data import PaperSet
from train.paper_evaluate import ROWS, Pictures, likeness, pairs_of, pictures_of, recognised
from train.paper_plan import CHECKPOINT, PREPARED, RUN, Plan
from train.prepare import MANIFEST, MORPHS, prepare
from train.recognizers import CROP
from train.reproduce import check_settings, reproduce
from train.sources import Pair, london_pairs
from train.stand_ins import DLIB
from train.step_time import device
from train.trainer import Trainer

DOCS = Path(__file__).resolve().parents[1] / "docs"
RESULTS, PAGE = DOCS / "london_tables.json", DOCS / "london_tables.md"
SET = "london-paper"
EMBEDDED = Path(__file__).resolve().parents[1] / "checkpoints" / "g2gan-london"
FULL, PLAIN = "full", "without_both"
DIGITS = 4
MEASURES = (("SSIM", 3), ("PSNR, dB", 2))


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


class SeenPair(NamedTuple):
    """A neutral and a smiling photo, uint8 (H, W, 3), and the face in each."""

    photos: tuple[np.ndarray, np.ndarray]
    faces: tuple[Face, Face]


class Made(NamedTuple):
    """Crops (N, 3, 128, 128) of what was made of the test pairs, person by person."""

    synthesis: Tensor
    removal: Tensor  # told nothing of the neutral face
    removal_told: Tensor


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
    test = PaperSet.load(plan.out / "paper" / PREPARED, "test")
    pictures = pictures_of(test)
    known = {pair.person: pair for pair in london_pairs(plan.london, "test")}
    detector = LandmarkDetector()
    pairs = [seen_pair(known[sequence.person], detector) for sequence in test.sequences]
    names = plan.reproduction.judges
    judges = {name: plan.reproduction.load_judge(name) for name in names}

    checkpoints = {row: plan.out / "ours" / row / CHECKPOINT for row in ablations(plan.ours)}
    made = {row: make(checkpoint, pairs)[0] for row, checkpoint in checkpoints.items()}
    embedded, warped = make(EMBEDDED, pairs)
    expressed, neutral = pairs_of(pictures)
    copied = Made(*(pictures.images[i] for i in (neutral, expressed, expressed)))
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}",
        "face_network": plan.reproduction.face_network,
        "people": {"train": len(london_pairs(plan.london, "train")), "test": len(pairs)},
        "baselines": {
            "copy": {**_table_1(pictures, copied), "table_2": paper["table_2"]["original"]},
            "warp": _figures(pictures, warped, judges),
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
                **_figures(pictures, made[row], judges),
                "less": {} if row == PLAIN else _differences(pictures, made[row], made[PLAIN]),
            }
            for row, checkpoint in checkpoints.items()
        },
        "embedded": {
            "weights": weights_digest(EMBEDDED),
            **_figures(pictures, embedded, judges),
        },
    }


def seen_pair(pair: Pair, detector: LandmarkDetector) -> SeenPair:
    """Both photos and the largest face in each."""
    photos = tuple(open_photo(path).rgb for path in (pair.neutral, pair.smiling))
    return SeenPair(photos, tuple(detector.detect(photo)[0] for photo in photos))


def make(checkpoint: Path, pairs: list[SeenPair]) -> tuple[Made, Made]:
    """The edits of every pair through the public pipeline, cut as the paper's test pictures.

    Returns:
        What the pipeline made, and what the plain mesh warp makes to the shapes it aimed at.
    """
    pipe = G2GAN.from_pretrained(checkpoint)
    edited, warped = [], []
    for photos, faces in pairs:
        meshes = [face.mesh[: metrics.FACE_POINTS, :2] for face in faces]
        smile, calm = metrics.carry(meshes[1], meshes[0]), metrics.carry(meshes[0], meshes[1])
        outputs = (
            pipe.synthesize(photos[0], landmarks=smile, face=faces[0], from_neutral=True),
            pipe.remove(photos[1], face=faces[1]),
            pipe.remove(photos[1], landmarks=calm, face=faces[1]),
        )
        sources = ((photos[i], faces[i]) for i in (0, 1, 1))
        both = [
            (
                cut(np.asarray(output.images[0]), face),
                cut(warp_photo(photo, face.mesh, output.faces[0].mesh), face),
            )
            for output, (photo, face) in zip(outputs, sources, strict=True)
        ]
        edited.append([made for made, _ in both])
        warped.append([made for _, made in both])
    return tuple(
        Made(*(torch.stack(column) for column in zip(*rows, strict=True)))
        for rows in (edited, warped)
    )


def cut(photo: np.ndarray, face: Face) -> Tensor:
    """The paper's centre crop of a photo, (3, 128, 128) in [0, 1]."""
    picture = crop(photo, CROP.matrix(face.landmarks), CROP.side)
    return torch.from_numpy(picture.astype(np.float32) / 255).permute(2, 0, 1)


def _figures(pictures: Pictures, made: Made, judges: dict[str, nn.Module]) -> dict:
    """A row of both tables; recognition of what was removed with nothing told."""
    seen = {name: recognised(pictures, made.removal, judge) for name, judge in judges.items()}
    return {**_table_1(pictures, made), "table_2": seen}


def _table_1(pictures: Pictures, made: Made) -> dict[str, list[float]]:
    """[SSIM, PSNR] of each task."""
    likenesses = _likenesses(pictures, made)
    return {task: np.round(values.mean(1), DIGITS).tolist() for task, values in likenesses.items()}


def _likenesses(pictures: Pictures, made: Made) -> dict[str, np.ndarray]:
    expressed, neutral = pairs_of(pictures)
    targets = Made(*(pictures.images[i] for i in (expressed, neutral, neutral)))
    return {
        task: likeness(made_of, targets_of)
        for task, made_of, targets_of in zip(Made._fields, made, targets, strict=True)
    }


def _differences(pictures: Pictures, made: Made, plain: Made) -> dict[str, list[list[float]]]:
    """Task → for SSIM and PSNR: how much more than `plain`, and the 95% interval over people."""
    more, less = _likenesses(pictures, made), _likenesses(pictures, plain)
    return {
        task: [
            np.round(metrics.bootstrap_interval(ours - theirs), DIGITS).tolist()
            for ours, theirs in zip(more[task], less[task], strict=True)
        ]
        for task in more
    }


def _length(checkpoint: Path) -> dict[str, float]:
    """Images and minutes of a training record, the paper's kind or ours."""
    record = json.loads((checkpoint / TRAINING_FILE).read_text("utf-8"))
    record = record["directions"]["synthesis"]["run 1"] if "directions" in record else record
    return {name: record[name] for name in ("images", "minutes")}


def page(results: dict) -> str:
    """`docs/london_tables.md`."""
    people, images = results["people"], results["ours"][FULL]["images"]
    judges = list(results["ours"][FULL]["table_2"])
    minutes = [row["minutes"] for kind in ("paper", "ours") for row in results[kind].values()]
    lines = [
        "# The paper's tables on the London set",
        "",
        "Written by `python -m train.london_tables` from `docs/london_tables.json`.",
        "",
        f"Each configuration was trained once, from nothing, on {images} images of "
        f"{people['train']} people in each direction, on one core ({results['machine']}) beside "
        f"other work, which took {min(minutes):.0f} to {max(minutes):.0f} minutes on the clock: "
        "minutes say more of that work than of a configuration. It is what the time allowed and "
        "very little: the paper's U-Net has to learn to paint a whole face, ours starts as a "
        "warp of the photo. So this says which generator is of use after so short a training, "
        "and nothing of what either comes to after a long one. Not measured: a long training, "
        "and anything on a graphics card.",
        "",
        f"Measured on {people['test']} other people, at 128 px, the whole of the paper's centre "
        "crop (which holds hair and background, and mostly measures the pose of the head), "
        "against the real photo aligned by its own eyes. Both generators are told the expressed "
        "face's landmarks, neither knows the neutral shape in removal; in the last two columns "
        "ours and the plain warp are told it too. The paper's own tables are of CK+ and "
        "Oulu-CASIA; its figures cannot be compared with these and are not repeated here.",
        "",
        f"F of the identity loss is {results['face_network']} here, in place of Light CNN-9; the "
        "weights of ours are to its pixel loss as the paper's are to its own (cycle 0.5, "
        "identity 0.1 times 0.1 to 0.5, adversarial 0.1).",
        "",
        "## Table 1",
        "",
    ]
    titles = [f"{task.replace('_', ', ')} {m}" for task in Made._fields for m, _ in MEASURES]
    lines += _head(["", "images", "minutes", *titles, "weights"])
    for title, row in _rows(results):
        cells = [_number(row.get("images"), 0), _number(row.get("minutes"), 0)]
        for task in Made._fields:
            values = row.get(task, (None, None))
            cells += [_number(v, digits) for v, (_, digits) in zip(values, MEASURES, strict=True)]
        weights = f"`{row['weights'][:8]}`" if "weights" in row else ""
        lines.append(f"| {title} | {' | '.join(cells)} | {weights} |")
    lines += [
        "",
        "## Table 2",
        "",
        f"Gallery: the neutral photos; probes: the smiling ones, after removal. "
        f"{people['test']} people give {people['test'] * (people['test'] - 1)} impostor pairs: "
        "enough for a false accept rate of 1%, not of 0.1%. Neither network is the paper's: "
        f"{', '.join(judges)} stand in (`train/stand_ins.py` says whence, and under which "
        f"licences). {results['face_network']} is also F of the loss, as Light CNN-9 is in the "
        "paper; the other had no part in training.",
        "",
    ]
    columns = [f"{judge}: {c}" for judge in judges for c in ("rank-1", "TAR@FAR=1%")]
    lines += _head(["", *columns])
    for title, row in _rows(results):
        if title == "plain warp, told":
            continue
        values = [v for judge in judges for v in row["table_2"][judge][:2]]
        title = "original pictures" if title == "input as it is" else title
        lines.append(f"| {title} | {' | '.join(_number(v, 1) for v in values)} |")
    lines += [
        "",
        "## Which of the paper's losses help ours",
        "",
        "Against ours without cycle and identity loss, the same people: mean difference and its "
        "95% interval when the people are drawn again. An interval that holds 0 shows nothing; one "
        "that does not may still be the luck of a single run.",
        "",
    ]
    lines += _head(["", *titles])
    for row, found in results["ours"].items():
        if found["less"]:
            cells = [
                f"{mean:+.{digits + 1}f} ({low:+.{digits + 1}f} to {high:+.{digits + 1}f})"
                for task in Made._fields
                for (mean, low, high), (_, digits) in zip(
                    found["less"][task], MEASURES, strict=True
                )
            ]
            lines.append(f"| {ROWS[row]} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _rows(results: dict) -> list[tuple[str, dict]]:
    """Title and figures of every row, from the input to the embedded checkpoint."""
    rows = [
        ("input as it is", results["baselines"]["copy"]),
        ("plain warp, told", results["baselines"]["warp"]),
    ]
    for kind, name in (("paper", "U-Net (paper)"), ("ours", "ours")):
        rows += [(f"{name}, {ROWS[row]}", found) for row, found in results[kind].items()]
    return [*rows, ("ours, the embedded checkpoint", results["embedded"])]


def _head(cells: list[str]) -> list[str]:
    return [f"| {' | '.join(cells)} |", f"|{' --- |' * len(cells)}"]


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


@mistakes_are_said()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--london", type=Path, required=True, help="folder of the London set")
    parser.add_argument("--hse", type=Path, help="faceres.json: a second judge")
    parser.add_argument("--out", type=Path, default=Path("runs/london-tables"))
    parser.add_argument("--images", type=int, required=True, help="length of every run")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    paper, ours = (
        replace(PRESETS[name], images=arguments.images) for name in ("oulu", "london-full")
    )
    plan = LondonTables(arguments.london, arguments.out, paper, ours, arguments.hse)
    results = london_tables(plan)
    write_json(RESULTS, results)
    write_text(PAGE, page(results))


if __name__ == "__main__":
    main()
