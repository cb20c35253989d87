"""What the commands of `train` do with a user's mistake: they say it, without a traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from g2gan.errors import G2GANError


@contextmanager
def mistakes_are_said() -> Iterator[None]:
    """Ends the program with a documented error's message, or what a disk says; exit status 1."""
    try:
        yield
    except (G2GANError, OSError) as error:
        sys.exit(str(error))
