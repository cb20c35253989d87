"""How long a training step takes and how much its state weighs, on noise: no data is needed."""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from train.config import Direction, TrainConfig
from train.data import Batch
from train.paper import ASSUMED
from train.paper_data import PaperBatch
from train.trainer import Trainer


class NoiseTrainer(Trainer):
    """Sees the same random pictures at every step; everything else is the real one."""

    def __init__(self, config: TrainConfig, run: Path, device: str, **options) -> None:
        super().__init__(config, None, run, device=device, **options)
        self._noise = noise_batch(config)

    def _batch(self, direction: Direction, step: int) -> Batch | PaperBatch:
        return type(self._noise)(*(x.to(self.device) for x in self._noise))


def noise_batch(config: TrainConfig) -> Batch | PaperBatch:
    """A batch of the config's size and kind, its pictures and landmarks random."""
    generator = torch.Generator().manual_seed(0)

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand((config.batch, *shape), generator=generator)

    if config.generator == "unet":
        channels, side = config.generator_arguments.get("image_channels", 3), ASSUMED.crop_side
        pictures = [uniform(channels, side, side) for _ in range(2)]
        return PaperBatch(*pictures, *(side * uniform(68, 2) for _ in range(2)))
    side = 256
    fields = [4 * uniform(2, side, side) - 2, uniform(2, side, side)]
    return Batch(
        *(uniform(3, side, side) for _ in range(2)),
        *fields,
        uniform(1, side, side),
        *(side * uniform(68, 2) for _ in range(2)),
        torch.zeros(config.batch, dtype=torch.int64),
        *fields,
    )


class StepCost(NamedTuple):
    """What a step takes, and what the run leaves on disk.

    Args:
        seconds: on the clock.
        core_seconds: of processor time.
        gigabytes: of the state that the run saves; for a moment there are two, the old and the new.
        checkpoint: GB of the generators that it ends with, in half precision.
    """

    seconds: float
    core_seconds: float
    gigabytes: float
    checkpoint: float


def measured_step(
    config: TrainConfig,
    steps: int = 2,
    layout: torch.memory_format | None = None,
    recognizer: nn.Module | None = None,
    **options,
) -> StepCost:
    """What a step takes.

    The first step, which warms up, does not count.

    Args:
        config: what to time.
        steps: how many steps are timed.
        layout: of the weights; `None` for the one that training uses.
        recognizer: F of the identity loss; without it, that loss is left out.
        options: of the `Trainer`.
    """
    config = replace(config, adversarial_from=0.0)
    if recognizer is None:
        config = replace(config, losses=replace(config.losses, identity=0.0))
    with tempfile.TemporaryDirectory() as folder:
        trainer = NoiseTrainer(config, Path(folder), device(), recognizer=recognizer, **options)
        if layout is not None:
            trainer.generators.to(memory_format=layout)
            trainer.discriminators.to(memory_format=layout)
        trainer.train_step()
        started = time.perf_counter(), time.process_time()
        for _ in range(steps):
            trainer.train_step()  # its figures are read back, so it has ended
        ended = time.perf_counter(), time.process_time()
    generators, discriminators = (
        sum(p.numel() for p in networks.parameters())
        for networks in (trainer.generators, trainer.discriminators)
    )
    # weights, their average, Adam's two moments; discriminators have no average
    taken = ((end - start) / steps for start, end in zip(started, ended, strict=True))
    return StepCost(*taken, 4 * (4 * generators + 3 * discriminators) / 1e9, 2 * generators / 1e9)


def device() -> str:
    """Where networks run."""
    return "cuda" if torch.cuda.is_available() else "cpu"
