"""Train the generators of a preset, in one go or in legs.

    python -m train.train --preset london-synthesis --run runs/synthesis

Started again with the same arguments, it goes on where it was. Several processes train one model
(torchrun takes `--run` for its own without the lone dashes):

    torchrun --nproc_per_node 2 -m train.train -- --preset london-synthesis --run runs/synthesis
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from train.command import mistakes_are_said
from train.config import PRESETS
from train.data import PreparedSet
from train.paper_data import PaperSet
from train.recognizers import load_recognizer
from train.stand_ins import DlibFace
from train.trainer import Trainer


@mistakes_are_said()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=sorted(PRESETS), required=True)
    parser.add_argument(
        "--data", type=Path, default=Path("data/london"), help="prepared set, packed or not"
    )
    parser.add_argument("--run", type=Path, required=True, help="folder of the run's state")
    parser.add_argument("--images", type=int, help="length of the run (default: the preset's)")
    parser.add_argument("--minutes", type=float, help="stop after this long; run again to go on")
    parser.add_argument("--init", type=Path, help="checkpoint folder whose weights to start from")
    parser.add_argument(
        "--learning-rate", type=float, help="of the generators (default: the preset's)"
    )
    parser.add_argument("--seed", type=int, default=0, help="another order of the same samples")
    parser.add_argument(
        "--light-cnn", type=Path, help="converted: F of the identity loss (default: dlib's)"
    )
    parser.add_argument("--bf16", action="store_true", help="compute the networks in bfloat16")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    config = replace(PRESETS[arguments.preset], seed=arguments.seed)
    if arguments.images:
        config = replace(config, images=arguments.images)
    if arguments.learning_rate:
        config = replace(config, learning_rate=arguments.learning_rate)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    read = PaperSet.load if config.generator == "unet" else PreparedSet
    recognizer = None
    if config.losses.identity:
        recognizer = load_recognizer(arguments.light_cnn) if arguments.light_cnn else DlibFace()
    precision = "bf16" if arguments.bf16 else "no"
    trainer = Trainer(config, read(arguments.data), arguments.run, recognizer, device, precision)
    if arguments.init and trainer.step == 0:
        trainer.start_from(arguments.init)
    trainer.train(arguments.minutes)


if __name__ == "__main__":
    main()
