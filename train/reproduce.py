"""The paper in one command: prepare, train four configurations, evaluate, draw the figures.

    python -m train.reproduce ck --data /path/to/CK+ --light-cnn light_cnn_9.safetensors \
        --vgg-face vgg_face.safetensors
    python -m train.reproduce ck --data /path/to/CK+ --dry-run
    python -m train.reproduce london  # the embedded checkpoint: train.reproduce_london

Finished stages are skipped and a killed one goes on where it was. Under `torchrun`, all processes
train; the first one does the rest. The networks that judge, and F of
the identity loss, come from `python -m train.recognizers`. Where one of the two is missing, the
networks of `train.stand_ins` that are there judge too, under their own names, and without Light
CNN-9 dlib's is F. Without that as well, the two configurations with an identity loss are not
trained, and the tables say n/a.
"""

import argparse
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from accelerate import PartialState
from torch import nn

from g2gan import G2GAN
from g2gan.engines import fetched_model
from g2gan.errors import CheckpointError
from g2gan.models.unet_generator import UNetGenerator
from g2gan.shape import ShapeModel
from train.card import RESULTS_FILE, TRAINING_FILE, weights_digest
from train.config import PRESETS, TrainConfig, ablations
from train.files import write_json, write_text
from train.paper_data import MANIFEST, SHAPE_MODEL, PaperSet
from train.paper_evaluate import ROWS, pictures_of, table_1, table_2, tables
from train.paper_figures import CAPTIONS, Editor, write_figures
from train.paper_prepare import SOURCES, SPLIT, landmark_detector, prepare_source
from train.recognizers import load_recognizer
from train.reproduce_london import LondonPlan, london_dry_run, reproduce_london
from train.sources import skipped_list
from train.stand_ins import DLIB, HSE, DlibFace, HSEFace
from train.step_time import StepCost, device, measured_step
from train.trainer import STATE, Trainer

PREPARED, RUN, CHECKPOINT, FIGURES = "prepared", "run", "checkpoint", "figures"
REPORT = "report.md"


@dataclass(frozen=True)
class Plan:
    """What to reproduce, from what, and where to.

    Args:
        name: of the set, one of `SOURCES`.
        data: the set's folder.
        out: everything is written here.
        config: the full configuration; the other rows of the tables are derived from it.
        recognizers: "light_cnn_9" and "vgg_face" → converted file, those that there are.
        hse: `faceres.json`, a stand-in where one of them is missing.
        landmarks: folder of precomputed landmark files.
        split: file of who trains and who tests; drawn where there is none.
    """

    name: str
    data: Path
    out: Path
    config: TrainConfig
    recognizers: dict[str, Path]
    landmarks: Path | None = None
    split: Path | None = None
    hse: Path | None = None

    @property
    def rows(self) -> dict[str, TrainConfig]:
        """The configurations that can be trained."""
        rows = ablations(self.config)
        has_face = self.face_network is not None
        return {n: config for n, config in rows.items() if has_face or not config.losses.identity}

    @property
    def face_network(self) -> str | None:
        """The name of F of the identity loss, `None` where there is none."""
        if "light_cnn_9" in self.recognizers:
            return "light_cnn_9"
        return DLIB if DlibFace.is_installed() else None

    @property
    def judges(self) -> list[str]:
        """The networks of table 2, stand-ins last."""
        stand_ins = []
        if len(self.recognizers) < 2:
            stand_ins += [DLIB] if DlibFace.is_installed() else []
            stand_ins += [HSE] if self.hse else []
        return [*self.recognizers, *stand_ins]

    def load_judge(self, name: str) -> nn.Module:
        """One of `judges`, on the device; CheckpointError where it is unusable."""
        if name == DLIB:
            network = DlibFace()
        elif name == HSE:
            network = HSEFace(self.hse)
        else:
            network = load_recognizer(self.recognizers[name])
        return network.to(device())


def reproduce(plan: Plan) -> None:
    """Do what is left of the plan.

    Raises:
        DataError: the set is missing, or too little of it is usable.
        CheckpointError: a recognition network is unusable, or the folder holds a run of other
            settings.
    """
    is_main = PartialState(cpu=device() == "cpu").is_main_process
    judges = {name: plan.load_judge(name) for name in plan.judges}
    prepared = plan.out / PREPARED
    if (prepared / MANIFEST).is_file():
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
            wanted = settings_record(config, plan.face_network)
            check_settings(checkpoint, {key: record.get(key) for key in wanted}, wanted)
            print(f"{ROWS[row]}: trained already")
            continue
        print(f"{ROWS[row]}: training")
        train_row(plan.out / row, config, prepared, plan.face_network, judges)
    if not is_main:
        return
    results = evaluate_rows(plan, judges)
    for row in plan.rows:  # what hub_upload.py asks for, and the card is made of
        weights = results["weights"][row]
        found = {"set": plan.name, **results, "weights": weights}
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
    trainer = Trainer(config, PaperSet.load(prepared), folder / RUN, recognizer, device())
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
        **settings_record(config, face_network),
        "people": len(split["train"]),
        "images": trainer.images,
        "minutes": round(trainer.seconds / 60, 1),
    }
    (unfinished / TRAINING_FILE).write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    unfinished.replace(folder / CHECKPOINT)
    (folder / RUN / STATE).unlink()  # over a gigabyte at full width, and no longer needed


def settings_record(config: TrainConfig, face_network: str | None) -> dict:
    """What a checkpoint's record says of its settings; F only where it took part."""
    return {
        "settings": json.loads(config.to_json()),
        "face_network": face_network if config.losses.identity else None,
    }


def wait_for(path: Path) -> None:
    """Until another process has made it, however long that takes."""
    while not path.exists():
        time.sleep(1)


def check_settings(checkpoint: Path, found: dict, wanted: dict) -> None:
    """Raise CheckpointError where a finished checkpoint was trained with other settings."""
    if found != wanted:
        raise CheckpointError(
            f"{checkpoint} was trained with other settings; give another --out, or delete it"
        )


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


def dry_run(plan: Plan) -> Iterator[str]:
    """What would be done, line by line, with time and disk estimated from a measured step."""
    yield f"set {plan.name} from {plan.data}, results in {plan.out}, on {device()}"
    yield f"prepare: {'done' if (plan.out / PREPARED / MANIFEST).is_file() else 'to do'}"
    costs: dict[bool, StepCost] = {}  # with the cycle loss and without: the others cost little
    for row in ablations(plan.config):
        if row not in plan.rows:
            yield f"{ROWS[row]}: left out, needs --light-cnn or dlib's network"
        elif (plan.out / row / CHECKPOINT).is_dir():
            yield f"{ROWS[row]}: done"
        else:
            config = plan.rows[row]
            has_cycle = config.losses.cycle > 0
            if has_cycle not in costs:
                costs[has_cycle] = measured_step(config)
            seconds, _, gigabytes = costs[has_cycle]
            hours = seconds * config.images / config.batch / 3600
            yield (
                f"{ROWS[row]}: {config.images} images, about {hours:.1f} hours at "
                f"{config.batch / seconds:.2f} images/s, {gigabytes:.2f} GB while it runs"
            )
    if plan.face_network:
        yield f"identity loss with {plan.face_network}"
    yield f"evaluate with {', '.join(plan.judges) or 'no recognition network'}; figures; report"


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
    """The embedded checkpoint."""
    plan = LondonPlan(
        out=arguments.out or Path("runs/london"),
        london=arguments.data,
        canada=arguments.canada,
        facekit=arguments.facekit,
        scores=arguments.scores or fetched_model(),
        images=arguments.images,
    )
    if arguments.dry_run:
        print("\n".join(london_dry_run(plan)))
    else:
        reproduce_london(plan)


if __name__ == "__main__":
    main()
