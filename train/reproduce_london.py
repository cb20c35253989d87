"""The embedded checkpoint in one command: fetch, prepare, train, export, measure, card.

    python -m train.reproduce london
    python -m train.reproduce london --data LONDON --canada CANADA --facekit FACEKIT

What folders are not given is fetched by `train.download`, which was never run against the real
hosts. Finished stages are skipped, a killed one goes on where it was.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from g2gan import G2GAN
from g2gan.errors import CheckpointError
from train.card import (
    EXPRESSIONS_FILE,
    PICTURE,
    RESULTS_FILE,
    TRAINING_FILE,
    card,
    results_table,
    weights_digest,
)
from train.config import PRESETS, TrainConfig
from train.data import PreparedSet
from train.download import DONE, PUBLIC, Hosts, download_article, download_facekit
from train.evaluate import evaluate
from train.evaluate_expressions import evaluate_expressions
from train.export import export
from train.facekit import FaceKit
from train.figures import edits
from train.files import write_json, write_text
from train.prepare import MANIFEST, MORPHS, prepare
from train.sources import DataError, canada_photos, london_pairs, split_people
from train.step_time import device, measured_step
from train.trainer import Trainer

DIRECTIONS = ("synthesis", "removal")


@dataclass(frozen=True)
class LondonPlan:
    """What to make the checkpoint of, and where.

    Args:
        out: everything is written here.
        london, canada, facekit: folders; what is `None` is fetched.
        scores: `face_landmarker.task`, which judges the expressions; `None` leaves that out.
        images: length of each run; `None` for the presets'.
        morphs: how many people between two others are added.
        hosts: whence to fetch.
    """

    out: Path
    london: Path | None = None
    canada: Path | None = None
    facekit: Path | None = None
    scores: Path | None = None
    images: int | None = None
    morphs: int = MORPHS
    hosts: Hosts = PUBLIC

    @property
    def prepared(self) -> Path:
        return self.out / "prepared"

    @property
    def checkpoint(self) -> Path:
        return self.out / "g2gan-london"

    def config(self, direction: str) -> TrainConfig:
        """What one direction's run does."""
        preset = PRESETS[f"london-{direction}"]
        return replace(preset, images=self.images) if self.images else preset

    def folder(self, name: str) -> Path:
        """Of the set "london", "canada", or "facekit"; where it is fetched to, if not given."""
        return getattr(self, name) or self.out / "downloads" / name


@dataclass(frozen=True)
class Stage:
    """One step of the plan.

    Args:
        name: what it does.
        is_done: whether that was done before.
        run: does it.
    """

    name: str
    is_done: Callable[[], bool]
    run: Callable[[], None]


def reproduce_london(plan: LondonPlan) -> None:
    """Do what is left of the plan.

    Raises:
        DataError: a set or the judge of expressions is missing, or a set cannot be fetched.
        CheckpointError: the folder holds a checkpoint of other settings.
    """
    check_given(plan)
    for stage in stages(plan):
        done = stage.is_done()
        print(f"{stage.name}: done" if done else stage.name)
        if not done:
            stage.run()
    print(results_table(json.loads((plan.checkpoint / RESULTS_FILE).read_text("utf-8"))))


def check_given(plan: LondonPlan) -> None:
    """Raise DataError where a given folder or file is not what it should be: not after training."""
    if plan.london:
        for part in split_people():
            london_pairs(plan.london, part)
    if plan.canada:
        canada_photos(plan.canada)
    if plan.facekit:
        FaceKit.load(plan.facekit)
    if plan.scores and not plan.scores.is_file():
        raise DataError(f"there is no file {plan.scores}; give MediaPipe's face_landmarker.task")


def stages(plan: LondonPlan) -> Iterator[Stage]:
    """The plan's steps in their order."""
    made = plan.checkpoint

    for name in ("london", "canada", "facekit"):
        if getattr(plan, name) is None:
            there = plan.folder(name) / DONE
            yield Stage(f"fetch {name}", there.is_file, lambda name=name: fetch(plan, name))
    yield Stage("prepare", (plan.prepared / MANIFEST).is_file, lambda: prepare_sets(plan))
    for direction in DIRECTIONS:
        yield Stage(
            f"train {direction}",
            lambda: is_exported(plan),
            lambda direction=direction: train(plan, direction),
        )
    yield Stage("export", lambda: is_exported(plan), lambda: export_runs(plan))
    yield Stage("evaluate", lambda: is_measured(made, RESULTS_FILE), lambda: measure(plan))
    if plan.scores:
        yield Stage(
            "evaluate expressions",
            lambda: is_measured(made, EXPRESSIONS_FILE),
            lambda: measure_expressions(plan),
        )
    yield Stage("figure and card", lambda: False, lambda: describe(made))


def fetch(plan: LondonPlan, name: str) -> None:
    """One set, or the 3D face."""
    if name == "facekit":
        download_facekit(plan.folder(name), plan.hosts)
    else:
        download_article(name, plan.folder(name), plan.hosts)


def prepare_sets(plan: LondonPlan) -> None:
    """Everybody's crops and meshes, the animated photos, the shape model."""
    prepare(
        london_pairs(plan.folder("london"), "train"),
        plan.prepared,
        "CC BY 4.0",
        plan.morphs,
        canada_photos(plan.folder("canada")),
        FaceKit.load(plan.folder("facekit")),
        processes=os.cpu_count(),
    )


def train(plan: LondonPlan, direction: str) -> None:
    """One direction to its end."""
    data = PreparedSet(plan.prepared)
    Trainer(plan.config(direction), data, plan.out / direction, device=device()).train()


def is_exported(plan: LondonPlan) -> bool:
    """Whether the checkpoint is there.

    Raises:
        CheckpointError: it was trained with other settings.
    """
    path = plan.checkpoint / TRAINING_FILE
    if not path.is_file():
        return False
    record = json.loads(path.read_text("utf-8"))["directions"]
    for direction in DIRECTIONS:
        settings = json.loads(plan.config(direction).to_json())
        if record[direction]["run 1"]["settings"] != settings:
            raise CheckpointError(
                f"{plan.checkpoint} was trained with other settings; give another --out, "
                "or delete it"
            )
    return True


def export_runs(plan: LondonPlan) -> None:
    """Both runs' averaged weights as a checkpoint."""
    export([plan.out / direction for direction in DIRECTIONS], plan.prepared, plan.checkpoint)


def is_measured(checkpoint: Path, file: str) -> bool:
    """Whether the figures in this file of a checkpoint are of its weights."""
    path = checkpoint / file
    if not path.is_file():
        return False
    return json.loads(path.read_text("utf-8"))["weights"] == weights_digest(checkpoint)


def measure(plan: LondonPlan) -> None:
    """The tables' figures, on the test people."""
    write_json(plan.checkpoint / RESULTS_FILE, evaluate(plan.checkpoint, plan.folder("london")))


def measure_expressions(plan: LondonPlan) -> None:
    """The seven expressions' figures."""
    results = evaluate_expressions(
        plan.checkpoint, plan.folder("london"), plan.prepared, plan.scores
    )
    write_json(plan.checkpoint / EXPRESSIONS_FILE, results)


def describe(checkpoint: Path) -> None:
    """The card and its picture, of composites."""
    picture = edits(G2GAN.from_pretrained(checkpoint))
    picture.save(checkpoint / PICTURE, quality=90, comment=weights_digest(checkpoint))
    write_text(checkpoint / "README.md", card(checkpoint))


def london_dry_run(plan: LondonPlan) -> Iterator[str]:
    """What would be done, with time and disk estimated from a measured step.

    Raises:
        DataError: what was given is not there.
    """
    check_given(plan)
    yield f"london, results in {plan.out}, on {device()}"
    for stage in stages(plan):
        done = "done" if stage.is_done() else "to do"
        if stage.name.startswith("train") and done == "to do":
            config = plan.config(stage.name.removeprefix("train "))
            cost = measured_step(config)
            hours = cost.seconds * config.images / config.batch / 3600
            done = (
                f"{config.images} images, about {hours:.1f} hours at "
                f"{config.batch / cost.seconds:.2f} images/s, {2 * cost.gigabytes:.2f} GB while "
                f"it saves its state"
            )
        yield f"{stage.name}: {done}"
