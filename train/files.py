"""Writing files whole: under another name first, so that a reader never meets half of one."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save


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
    """Arrays as safetensors; what is equal gives equal bytes."""
    unfinished = path.with_name(f"{path.name}.part")
    whole = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    unfinished.write_bytes(_in_order(save(whole, metadata)))
    unfinished.replace(path)


def _in_order(data: bytes) -> bytes:
    """safetensors with their metadata by name: the library writes it in any order."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    if "__metadata__" in header:
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[8 + size :]
