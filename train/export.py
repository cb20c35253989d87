"""Runs -> a checkpoint folder: averaged weights in half precision, shape model, training record.

python -m train.export --run runs/synthesis --run runs/removal --out checkpoints/g2gan-london
"""

import argparse
import json
import platform
import shutil
from collections import Counter
from pathlib import Path

import torch
from safetensors import safe_open

from g2gan.errors import CheckpointError
from g2gan.models.warp_generator import WarpGenerator
from g2gan.pipeline import G2GAN
from g2gan.seal import INDEX
from g2gan.shape import ShapeModel
from train.card import TRAINING_FILE, weights_digest
from train.command import mistakes_are_said
from train.files import digest
from train.origins import origins
from train.prepare import MANIFEST, SHAPE_MODEL
from train.sources import person_of
from train.trainer import CURVES, STATE


def export(
    runs: list[Path],
    data: Path,
    out: Path,
    start: Path | None = None,
    rest: Path | None = None,
) -> None:
    """Write the checkpoint folder `out`; nothing is left of an older one.

    Args:
        runs: folders of runs which together train both directions; runs of one direction, one
            of which began where another ended, are averaged.
        data: the prepared set, for its shape model and manifest.
        start: the checkpoint that the runs began from, whose weights count as one more run's: what
            it was good at is kept (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
        rest: the checkpoint whose network is taken for a direction that no run trains.

    Raises:
        CheckpointError: a direction is missing, a run was trained on other data, or `out` holds
            something that is no checkpoint.
    """
    if out.exists() and not (out / INDEX).is_file():
        raise CheckpointError(f"{out} is no checkpoint and would be deleted; give another --out")
    found: dict[str, list[WarpGenerator]] = {}
    record: dict[str, dict] = {}
    for run in runs:
        with safe_open(run / STATE, "pt") as state:
            meta, names = state.metadata(), list(state.keys())
            if meta["data"] != digest(data / MANIFEST):
                raise CheckpointError(
                    f"{run} was trained on other data than {data}; give its own with --data"
                )
            config = json.loads(meta["config"])
            for direction in config["directions"]:
                prefix = f"averages.{direction}."
                weights = {
                    name.removeprefix(prefix): state.get_tensor(name)
                    for name in names
                    if name.startswith(prefix)
                }
                network = WarpGenerator(**config["generator_arguments"])
                network.load_state_dict(weights)
                found.setdefault(direction, []).append(network)
                number = f"run {len(found[direction])}"
                record.setdefault(direction, {})[number] = _record(run, meta, config)
    if start is not None:
        before = json.loads((start / TRAINING_FILE).read_text("utf-8"))["directions"]
        for direction, networks in found.items():
            networks.append(WarpGenerator.from_pretrained(start / direction).float())
            record[direction]["start"] = {
                "weights": weights_digest(start),
                "runs": before[direction],
            }
    networks = {direction: _mean(several).half() for direction, several in found.items()}
    if rest is not None:
        before = json.loads((rest / TRAINING_FILE).read_text("utf-8"))["directions"]
        for direction in before.keys() - networks.keys():
            networks[direction] = WarpGenerator.from_pretrained(rest / direction).half()
            record[direction] = before[direction]
    missing = {"synthesis", "removal"} - networks.keys()
    if missing:
        raise CheckpointError(
            f"no run trains {', '.join(sorted(missing))}; name its folder with --run, or with "
            "--rest a checkpoint to take it from"
        )

    unfinished = out.with_name(f"{out.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    shape_model = ShapeModel.from_pretrained(data / SHAPE_MODEL)
    G2GAN(**networks, shape_model=shape_model).save_pretrained(unfinished)
    manifest = json.loads((data / MANIFEST).read_text("utf-8"))
    training = {
        "people": len({person_of(name) for name in manifest["people"]}),
        "data": {
            "licence": manifest["licence"],
            "sha256": manifest["shard"]["sha256"],
            "neutral_only": len(manifest["neutral_only"]),
            "animated": manifest["animated"],
            "pictures": dict(Counter(origins(data).values())),
        },
        "machine": {"processor": platform.machine(), "torch": torch.__version__},
        "directions": record,
    }
    (unfinished / TRAINING_FILE).write_text(json.dumps(training, indent=1) + "\n", "utf-8")
    shutil.rmtree(out, ignore_errors=True)  # a checkpoint, as was checked
    unfinished.replace(out)


def _mean(networks: list[WarpGenerator]) -> WarpGenerator:
    """The network whose weights are the mean of several runs' (Wortsman et al. 2022)."""
    states = [network.state_dict() for network in networks]
    mean = {name: sum(state[name] for state in states) / len(states) for name in states[0]}
    networks[0].load_state_dict(mean)
    return networks[0]


def _record(run: Path, meta: dict[str, str], config: dict) -> dict:
    """A run's settings, how long it was and how its losses fell."""
    lines = (run / CURVES).read_text("utf-8").splitlines() if (run / CURVES).is_file() else []
    curves = [json.loads(line) for line in lines]
    return {
        **({"init": meta["init"]} if meta["init"] else {}),
        "images": int(meta["step"]) * config["batch"] * int(meta.get("processes", 1)),
        "minutes": round(float(meta["seconds"]) / 60, 1),
        "settings": config,
        "curves": curves[:: max(1, len(curves) // 20)],
    }


@mistakes_are_said()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, action="append", required=True, help="once a run")
    parser.add_argument("--data", type=Path, default=Path("data/london"), help="prepared set")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="checkpoint they began from, to average with")
    parser.add_argument("--rest", type=Path, help="checkpoint, for a direction that no run trains")
    arguments = parser.parse_args()
    given = (arguments.run, arguments.data, arguments.out, arguments.start, arguments.rest)
    export(*given)


if __name__ == "__main__":
    main()
