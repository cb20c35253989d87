"""What the commands of `train` do with a user's mistake: they say it, without a traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from g2gan.errors import G2GANError


@contextmanager
def mistakes_are_said() -> Iterator[None]:
    """Ends the program with the message of a documented error, and exit status 1."""
    try:
        yield
    except G2GANError as error:
        sys.exit(str(error))
