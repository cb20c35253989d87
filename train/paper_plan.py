"""What a reproduction of the paper is made from, and where its parts lie."""

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from train.config import TrainConfig, ablations
from train.recognizers import load_recognizer
from train.stand_ins import DLIB, HSE, DlibFace, HSEFace
from train.step_time import device

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
