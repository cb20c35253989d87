"""What tests of publishing work with: a user's machine, a narrow checkpoint, people with tokens."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from faces import draw_face
from hub_server import User
from PIL import Image
from test_card import distinct_results
from tiny import save_halved

from train.card import PICTURE, weights_digest

ROOT = Path(__file__).parents[1]
TOKEN, READER, WRONG = "hf_VerySecretOwner", "hf_VerySecretReader", "hf_VerySecretWrong"
USERS = {TOKEN: User("somebody", ("org",)), READER: User("somebody", ("org",), role="read")}
MODEL, SPACE = "org/g2gan-tiny", "org/g2gan"
PULL = """
import sys
from pathlib import Path
import numpy as np
from PIL import Image
from g2gan import G2GAN, CheckpointError
name, out, *options = sys.argv[1:]
try:
    pipe = G2GAN.from_pretrained(name, **dict(option.split("=") for option in options))
except CheckpointError as error:
    sys.exit(f"CheckpointError: {error}")
pipe.synthesize(Path(out, "photo.png"), "happiness").images[0].save(Path(out, "edited.png"))
"""


@dataclass
class Desk:
    """A user's machine: a home with a cache, a Hub to talk to, a Python, commands to run."""

    home: Path
    url: str
    python: str | Path = sys.executable
    sources: str = str(ROOT)  # of this project, for its Python; none where it is installed

    def environment(self, **more: str) -> dict[str, str]:
        """What a command finds set: of this machine's, all but what concerns the Hub."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        own = {
            "HOME": str(self.home),
            "HF_HOME": str(self.home / "hf"),
            "HF_ENDPOINT": self.url,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "PYTHONPATH": self.sources,
        }
        return clean | own | more

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess:
        """Python in a process of its own, as its user would run it."""
        return subprocess.run(
            [self.python, *command],
            env=self.environment(**environment),
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )

    def push(self, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess:
        command = [str(ROOT / "hub_upload.py"), *map(str, arguments)]
        return self.run(*command, **{"HF_TOKEN": TOKEN} | environment)

    def pull(self, name: str, *options: str, **environment: str) -> np.ndarray:
        """The edit of the drawn face by a checkpoint, in a process of its own."""
        Image.fromarray(draw_face(400)).save(self.home / "photo.png")
        done = self.run("-c", PULL, name, str(self.home), *options, **environment)
        assert done.returncode == 0, done.stderr
        return np.asarray(Image.open(self.home / "edited.png"))


def save_measured(folder: Path) -> None:
    """A whole narrow checkpoint: weights, results, record, picture."""
    save_halved(folder)
    weights = weights_digest(folder)
    results = {"weights": weights, **distinct_results()}
    (folder / "results.json").write_text(json.dumps(results))
    (folder / "training.json").write_text(json.dumps({"people": 12, "data": {}}))
    Image.new("RGB", (64, 32)).save(folder / PICTURE, comment=weights)
