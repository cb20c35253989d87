"""A checkpoint's seal: its format and its files' digests, in the `config.json` at its root.

Strict loading finds what is missing, misshapen or not finite. A flipped bit in a weight, or another
number in a config, it cannot see: only a digest can.
"""

import hashlib
import json
from pathlib import Path

FORMAT = 3  # of the checkpoint folder; another one is refused
SEAL, INDEX = "config.json", "model_index.json"
WEIGHTS = "diffusion_pytorch_model.safetensors"
# What could run or be unpickled. We open none of them; a checkpoint that has one is not ours.
CODE = {".py", ".pyc", ".pyd", ".so", ".dll", ".sh", ".exe", ".ipynb"}
PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".dill", ".npy", ".npz"}


def seal(folder: Path, components: list[str]) -> None:
    """Write the root `config.json`: format, library, and the digest of every component's files."""
    entries = {
        "format": FORMAT,
        "library_name": "g2gan",
        "sha256": {name: _digest(folder / name) for name in _sealed(components)},
    }
    unfinished = folder / f"{SEAL}.part"
    unfinished.write_text(json.dumps(entries, indent=2) + "\n", "utf-8")
    unfinished.replace(folder / SEAL)


def check_seal(folder: Path, components: list[str]) -> None:
    """Raise ValueError unless the folder is of this format and every file is as it was sealed."""
    for name in (SEAL, INDEX, *_sealed(components)):
        if not (folder / name).is_file():  # nor a pipe, which would be waited for
            raise ValueError(f"{name} is missing")
    entries = json.loads((folder / SEAL).read_text("utf-8"))
    if not isinstance(entries, dict) or entries.get("library_name", "g2gan") != "g2gan":
        raise ValueError(f"{SEAL} does not describe a G2-GAN checkpoint")
    found = entries.get("format")
    if found != FORMAT:
        older = isinstance(found, int) and found < FORMAT
        raise ValueError(
            f"it has format {found}, this release of g2gan reads format {FORMAT}; "
            + ("take a newer revision" if older else "update g2gan with pip install --upgrade")
        )
    if unknown := entries.keys() - {"format", "library_name", "sha256"}:
        raise ValueError(f"{SEAL} has an unknown entry {min(unknown)!r}")
    digests = entries.get("sha256")
    if not isinstance(digests, dict) or digests.keys() != set(_sealed(components)):
        raise ValueError(f"{SEAL} does not list the checkpoint's files")
    for name, digest in digests.items():
        if _digest(folder / name) != digest:
            raise ValueError(f"{name} is not the file that was saved: its SHA-256 differs")


def refuse_code(names: list[str]) -> None:
    """Raise ValueError if a checkpoint's files, by their names, include code or pickles."""
    for name in sorted(names):
        suffix = Path(name).suffix.lower()
        if suffix in CODE | PICKLES:
            kind = "code" if suffix in CODE else "pickled data"
            raise ValueError(
                f"it holds {kind}, {name}, which no checkpoint of ours does; delete it"
            )


def _sealed(components: list[str]) -> list[str]:
    return [f"{name}/{file}" for name in sorted(components) for file in ("config.json", WEIGHTS)]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
