"""Deleting visitors' files by age. Gradio's own task for that ends for good when a file comes in
while it looks through them.
"""

import contextlib
import threading
import time
from pathlib import Path

import gradio as gr


def delete_old_files(page: gr.Blocks, age: float) -> None:
    """Deletes what visitors uploaded and got, if it is older than so many seconds."""
    kept = {path for block in page.blocks.values() for path in getattr(block, "keep_in_cache", ())}
    for files in tuple(page.temp_file_sets):
        for name in set(files) - kept:
            path = Path(name)
            # one that is being served, or that the system deletes now, must not end the thread
            with contextlib.suppress(OSError):
                if path.is_file() and time.time() - path.stat().st_mtime > age:
                    path.unlink(missing_ok=True)
                    path.parent.rmdir()  # its own folder; where others share it, that fails
            if not path.exists():
                files.discard(name)


def delete_regularly(page: gr.Blocks, every: float, age: float) -> None:
    """Does so in the background, as long as the program runs; all in seconds."""

    def run() -> None:
        while True:
            time.sleep(every)
            delete_old_files(page, age)

    threading.Thread(target=run, daemon=True, name="cleaning").start()
