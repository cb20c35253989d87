"""Writing files whole: under another name first, so that a reader never meets half of one."""

import hashlib
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save


def digest(path: Path) -> str:
    """A file's SHA-256, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_bytes(path: Path, data: bytes) -> None:
    """What stood there before stays until all of it is written."""
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_bytes(data)
    unfinished.replace(path)


def write_text(path: Path, text: str) -> None:
    """Text in UTF-8, line ends as they are."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: dict | list) -> None:
    """The same, as indented JSON."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def write_tensors(
    path: Path, tensors: dict[str, np.ndarray], metadata: dict[str, str] | None = None
) -> None:
    """Arrays as safetensors; what is equal gives equal bytes."""
    whole = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    write_bytes(path, _in_order(save(whole, metadata)))


def _in_order(data: bytes) -> bytes:
    """safetensors with their metadata by name: the library writes it in any order."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    if "__metadata__" in header:
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[8 + size :]
