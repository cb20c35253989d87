"""The page in a process of its own, as visitors meet it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.edit_speed import ROOT

SERVE = """
import sys
import app
sys.setswitchinterval(app.TURN)
page = app.build(app.load())
app.delete_regularly(page, 10, 120)
_, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **app.LAUNCH)
print("URL", url, flush=True)
sys.stdin.read()
"""


@contextmanager
def served(**environment: str) -> Iterator[tuple[str, int]]:
    """Address and process id of the page, which deletes files after two minutes.

    Args:
        environment: variables that the process has besides this one's.
    """
    server = subprocess.Popen(
        [sys.executable, "-c", SERVE],
        cwd=ROOT,
        env=os.environ | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = next(line.split()[1] for line in server.stdout if line.startswith("URL"))
        yield url, server.pid
    finally:
        server.stdin.close()
        server.terminate()
        server.wait(30)
