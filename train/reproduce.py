"""The paper in one command: prepare, train four configurations, evaluate, draw the figures.

    python -m train.reproduce ck --data /path/to/CK+ --light-cnn light_cnn_9.safetensors \
        --vgg-face vgg_face.safetensors
    python -m train.reproduce ck --data /path/to/CK+ --dry-run
    python -m train.reproduce london  # the embedded checkpoint: train.reproduce_london

Finished stages are skipped and a killed one goes on where it was. Under `torchrun`, all processes
train; the first one does the rest. The networks that judge, and F of the identity loss, come from
`python -m train.recognizers`. Where one of the two is missing, the networks of `train.stand_ins`
that are there judge too, under their own names, and without Light CNN-9 dlib's is F. Without that
as well, the two configurations with an identity loss are not trained, and the tables say n/a.
"""

import argparse
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from accelerate import PartialState
from torch import nn

from g2gan import G2GAN
from g2gan.engines import MODEL_VARIABLE, fetched_model
from g2gan.errors import CheckpointError
from g2gan.shape import ShapeModel
from train.card import RESULTS_FILE, TRAINING_FILE
from train.command import mistakes_are_said
from train.config import PRESETS, TrainConfig, ablations
from train.files import digest, write_json
from train.paper import ASSUMED
from train.paper_data import MANIFEST, SHAPE_MODEL, PaperSet
from train.paper_evaluate import ROWS
from train.paper_plan import CHECKPOINT, PREPARED, RUN, Plan
from train.paper_prepare import SOURCES, SPLIT, look_at, prepare_source
from train.paper_report import evaluate_rows, write_report
from train.reproduce_london import LondonPlan, london_dry_run, reproduce_london
from train.sources import DataError, read_split, skipped_list
from train.step_time import device, measured_step
from train.trainer import STATE, Trainer

SETTINGS = "settings.json"


def reproduce(plan: Plan) -> None:
    """Do what is left of the plan.

    Raises:
        DataError: the set is missing, too little of it is usable, or it is prepared with another
            split or other landmarks.
        CheckpointError: a recognition network is unusable, or the folder holds a run of other
            settings.
    """
    is_main = PartialState(cpu=device() == "cpu").is_main_process
    judges = {name: plan.load_judge(name) for name in plan.judges}
    prepared = plan.out / PREPARED
    if (prepared / MANIFEST).is_file():
        check_prepared(plan)
        print(f"{prepared} is ready")
    elif not is_main:
        wait_for(prepared / MANIFEST)
    else:
        skipped = prepare_source(plan.name, plan.data, prepared, plan.landmarks, plan.split)
        print(f"{prepared} is ready{skipped_list(skipped)}")
    for row, config in plan.rows.items():
        if (plan.out / row / CHECKPOINT).is_dir():
            checkpoint = plan.out / row / CHECKPOINT
            record = json.loads((checkpoint / TRAINING_FILE).read_text("utf-8"))
            wanted = settings_record(config, plan.face_network, prepared)
            check_settings(checkpoint, {key: record.get(key) for key in wanted}, wanted)
            print(f"{ROWS[row]}: trained already")
            if is_main:  # killed just before this, it is still there
                (plan.out / row / RUN / STATE).unlink(missing_ok=True)
            continue
        print(f"{ROWS[row]}: training")
        train_row(plan.out / row, config, prepared, plan.face_network, judges)
    if not is_main:
        return
    results = evaluate_rows(plan, judges)
    for row in plan.rows:  # what hub_upload.py asks for, and the card is made of
        found = {"set": plan.name, "row": row, **results, "weights": results["weights"][row]}
        write_json(plan.out / row / CHECKPOINT / RESULTS_FILE, found)
    print(write_report(plan, results))


def train_row(
    folder: Path,
    config: TrainConfig,
    prepared: Path,
    face_network: str | None,
    judges: dict[str, nn.Module],
) -> None:
    """Train one configuration to its end and write its checkpoint; resumed where it was killed.

    `tensorboard --logdir` on the results' folder shows how the pictures come along.

    Args:
        face_network: which of `judges` is F.
    """
    recognizer = judges[face_network] if config.losses.identity else None
    settings = settings_record(config, face_network, prepared)
    if (folder / RUN / SETTINGS).is_file():  # the state alone does not know F
        found = json.loads((folder / RUN / SETTINGS).read_text("utf-8"))
        check_settings(folder / RUN, found, settings)
    trainer = Trainer(config, PaperSet.load(prepared), folder / RUN, recognizer, device())
    if trainer.is_main:
        write_json(folder / RUN / SETTINGS, settings)
    trainer.train()
    if not trainer.is_main:
        wait_for(folder / CHECKPOINT)
        return
    unfinished = folder / f"{CHECKPOINT}.part"
    shutil.rmtree(unfinished, ignore_errors=True)
    networks = {d: network.eval().cpu().half() for d, network in trainer.generators.items()}
    shape_model = ShapeModel.from_pretrained(prepared / SHAPE_MODEL)
    G2GAN(**networks, shape_model=shape_model).save_pretrained(unfinished)
    split = json.loads((prepared / SPLIT).read_text("utf-8"))
    record = {
        **settings,
        "people": len(split["train"]),
        "images": trainer.images,
        "minutes": round(trainer.seconds / 60, 1),
    }
    (unfinished / TRAINING_FILE).write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    unfinished.replace(folder / CHECKPOINT)
    (folder / RUN / STATE).unlink()  # over a gigabyte at full width, and no longer needed


def check_prepared(plan: Plan) -> None:
    """Raise DataError where the prepared set was made without the given split or landmarks."""
    prepared = plan.out / PREPARED
    split = json.loads((prepared / SPLIT).read_text("utf-8"))
    manifest = json.loads((prepared / MANIFEST).read_text("utf-8"))
    other = ""
    if plan.split and read_split(plan.split, [*split["train"], *split["test"]]) != split:
        other = "another split"
    elif plan.landmarks and not manifest.get("precomputed_landmarks"):
        other = "other landmarks than the given ones"
    if other:
        raise DataError(f"{prepared} was made with {other}; give another --out, or delete it")


def settings_record(config: TrainConfig, face_network: str | None, prepared: Path) -> dict:
    """What a checkpoint's record says of its settings and data; F only where it took part."""
    return {
        "settings": json.loads(config.to_json()),
        "face_network": face_network if config.losses.identity else None,
        "data": {"sha256": digest(prepared / MANIFEST)},
    }


def wait_for(path: Path) -> None:
    """Until another process has made it, however long that takes."""
    while not path.exists():
        time.sleep(1)


def check_settings(folder: Path, found: dict, wanted: dict) -> None:
    """Raise CheckpointError where a run's or a checkpoint's folder is of other settings."""
    if found != wanted:
        raise CheckpointError(
            f"{folder} is of other settings or data; give another --out, or delete it"
        )


def dry_run(plan: Plan) -> Iterator[str]:
    """What would be done, line by line, with time and disk estimated from a measured step.

    Raises:
        DataError: the set is missing, or nothing of it is usable.
        CheckpointError: a recognition network is unusable.
    """
    yield f"set {plan.name} from {plan.data}, results in {plan.out}, on {device()}"
    if (plan.out / PREPARED / MANIFEST).is_file():
        yield "prepare: done"
    else:
        yield look_at(plan.name, plan.data, plan.landmarks)
        largest = SOURCES[plan.name].channels * ASSUMED.aligned_side**2 / 1000
        yield f"prepare: to do, at most {largest:.0f} kB a picture"
    judges = {name: plan.load_judge(name) for name in plan.judges}
    hours, costs = 0.0, []
    for row in ablations(plan.config):
        if row not in plan.rows:
            yield f"{ROWS[row]}: left out, needs --light-cnn or dlib's network"
        elif (plan.out / row / CHECKPOINT).is_dir():
            yield f"{ROWS[row]}: done"
        else:
            config = plan.rows[row]
            recognizer = judges[plan.face_network] if config.losses.identity else None
            costs.append(measured_step(config, steps=1, recognizer=recognizer))
            speed = config.batch / costs[-1].seconds
            hours += config.images / speed / 3600
            yield (
                f"{ROWS[row]}: {config.images} images, about "
                f"{config.images / speed / 3600:.1f} hours at {speed:.2f} images/s"
            )
    if costs:
        yield (
            f"together about {hours:.1f} hours; on disk {2 * costs[0].gigabytes:.2f} GB while a "
            f"run saves its state, {sum(c.checkpoint for c in costs):.2f} GB in the end"
        )
    if plan.face_network:
        yield f"identity loss with {plan.face_network}"
    yield f"evaluate with {', '.join(plan.judges) or 'no recognition network'}; figures; report"


@mistakes_are_said()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("set", choices=sorted([*SOURCES, "london"]))
    parser.add_argument("--data", type=Path, help="folder of the set (london: else it is fetched)")
    parser.add_argument("--out", type=Path, help="folder of all results (default: runs/SET)")
    parser.add_argument("--light-cnn", type=Path, help="converted Light CNN-9")
    parser.add_argument("--vgg-face", type=Path, help="converted VGG-Face")
    parser.add_argument("--hse", type=Path, help="faceres.json, where one of the two is missing")
    parser.add_argument("--landmarks", type=Path, help="folder of precomputed points (oulu)")
    parser.add_argument("--split", type=Path, help="who trains and tests (default: drawn)")
    parser.add_argument("--canada", type=Path, help="folder of the Canada set (london)")
    parser.add_argument("--facekit", type=Path, help="folder of facekit.npz (london)")
    parser.add_argument("--scores", type=Path, help="face_landmarker.task (london)")
    parser.add_argument("--images", type=int, help="length of each run (default: the preset's)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    if arguments.set == "london":
        london(arguments)
        return
    if arguments.data is None:
        parser.error("--data is needed: this set cannot be fetched")
    config = PRESETS.get(arguments.set, PRESETS["oulu"])  # colour, for sets that the paper lacks
    if arguments.images:
        config = replace(config, images=arguments.images)
    given = {"light_cnn_9": arguments.light_cnn, "vgg_face": arguments.vgg_face}
    plan = Plan(
        name=arguments.set,
        data=arguments.data,
        out=arguments.out or Path("runs") / arguments.set,
        config=config,
        recognizers={name: path for name, path in given.items() if path},
        landmarks=arguments.landmarks,
        split=arguments.split,
        hse=arguments.hse,
    )
    if arguments.dry_run:
        print("\n".join(dry_run(plan)))
    else:
        reproduce(plan)


def london(arguments: argparse.Namespace) -> None:
    """The embedded checkpoint; `face_landmarker.task` is the user's own, or fetched."""
    scores = arguments.scores or os.environ.get(MODEL_VARIABLE)
    if not scores and not arguments.dry_run:
        scores = fetched_model()
    plan = LondonPlan(
        out=arguments.out or Path("runs/london"),
        london=arguments.data,
        canada=arguments.canada,
        facekit=arguments.facekit,
        scores=Path(scores) if scores else None,
        images=arguments.images,
    )
    if arguments.dry_run:
        print("\n".join(london_dry_run(plan)))
        if not scores:
            print("fetch face_landmarker.task and evaluate expressions: to do")
    else:
        reproduce_london(plan)


if __name__ == "__main__":
    main()
