"""The train command with narrow networks, saving after every step: a process that tests can kill.

python tests/stepping.py ck --data SET --run RUN --light-cnn FILE

Says "step N" when a step begins to be saved.
"""

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from safetensors.torch import save_file
from torch.nn import ModuleDict

from train import train, trainer
from train.config import PRESETS, LossWeights

NARROW = {
    "ck": replace(
        PRESETS["ck"],
        generator_arguments={"image_channels": 1, "width": 2},
        discriminator_width=2,
        images=40,
    ),
    "smoke": replace(PRESETS["smoke"], images=14),
    # nothing that tells two processes from one of twice the batch
    "warp-1": replace(PRESETS["smoke"], losses=LossWeights(cycle=0.5), images=12, batch=4),
}
NARROW["warp-2"] = replace(NARROW["warp-1"], batch=2)


class Announced(trainer.Trainer):
    """Says when it saves; leaves each process' weights behind when it has come to the end."""

    def save(self) -> None:
        print(f"step {self.step}", flush=True)
        super().save()

    def train(self, minutes: float | None = None) -> None:
        number = self.accelerator.process_index
        self.write(f"start-{number}")
        super().train(minutes)
        self.write(f"end-{number}")

    def write(self, name: str) -> None:
        state = ModuleDict(self._networks()).state_dict()
        state = {key: value.contiguous() for key, value in state.items()}
        save_file(state, self.run_folder / f"{name}.safetensors")


if __name__ == "__main__":
    trainer.SAVE_EVERY = 0.0
    train.Trainer = Announced
    PRESETS |= NARROW
    sys.argv[1:2] = ["--preset", sys.argv[1]]
    train.main()
