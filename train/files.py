"""Writing files whole: under another name first, so that a reader never meets half of one."""

import json
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Text in UTF-8; what stood there before stays until all of it is written."""
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_text(text, "utf-8")
    unfinished.replace(path)


def write_json(path: Path, content: dict | list) -> None:
    """The same, as indented JSON."""
    write_text(path, json.dumps(content, indent=1) + "\n")
