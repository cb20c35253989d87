"""Writing files whole: under another name first, so that a reader never meets half of one."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file


def write_text(path: Path, text: str) -> None:
    """Text in UTF-8; what stood there before stays until all of it is written."""
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_text(text, "utf-8")
    unfinished.replace(path)


def write_json(path: Path, content: dict | list) -> None:
    """The same, as indented JSON."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def write_tensors(
    path: Path, tensors: dict[str, np.ndarray], metadata: dict[str, str] | None = None
) -> None:
    """Arrays as safetensors."""
    unfinished = path.with_name(f"{path.name}.part")
    whole = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    save_file(whole, unfinished, metadata)
    unfinished.replace(path)
