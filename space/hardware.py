"""A graphics card that is lent for seconds (ZeroGPU), and the processor wherever none is.

Single edits take tenths of a second on the processor, less than a card takes to answer; only strips
ask for one. Refused, failed or slow, it is replaced by the processor, and the visitor sees nothing
of it.
"""

import copy
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from g2gan import G2GAN

AT_ONCE = max(2, os.cpu_count() or 2)  # edits; each has one thread (app.py)
SECONDS = 10  # of a card, asked for one strip
PATIENCE = 6.0  # seconds for the card's answer; the processor needs about as many for a strip

log = logging.getLogger("g2gan.space")

Lend = Callable[[Callable], Callable]  # such as `spaces.GPU(duration=10)`


def lent() -> Lend | None:
    """The decorator for what runs on a lent card, or `None` where there is none to lend.

    `spaces` must have been imported before torch.
    """
    if os.environ.get("SPACES_ZERO_GPU", "").lower() not in ("1", "t", "true"):
        return None
    import spaces

    return spaces.GPU(duration=SECONDS)


def on_the_card_first(
    edit: Callable,
    pipe: G2GAN,
    lend: Lend | None,
    device: str = "cuda",
    patience: float = PATIENCE,
) -> Callable:
    """`edit(pipe, *values)` as a function of `values`, tried on a lent card where there is one.

    Args:
        edit: takes a pipeline and what can be pickled, and returns what can.
        pipe: on the processor, where it stays.
        lend: makes a function run on the card; calling what it returns may raise anything.
        patience: seconds for the card's answer.
    """

    def on_the_processor(*values: object) -> object:
        return edit(pipe, *values)

    if lend is None:
        return on_the_processor
    copied = G2GAN(*map(copy.deepcopy, (pipe.synthesis, pipe.removal, pipe.shape_model)))
    copied.to(device)

    def on_the_card(*values: object) -> object:
        return edit(copied, *values)

    borrowed = lend(on_the_card)
    callers = ThreadPoolExecutor(max_workers=4, thread_name_prefix="card")

    def on_either(*values: object) -> object:
        # with the visitor's context, by which the card's owner knows whose quota it is
        answer = callers.submit(copy_context().run, borrowed, *values)
        try:
            return answer.result(timeout=patience)
        except Exception as error:  # an edit's own errors come again, from the processor
            answer.cancel()
            log.info("the card did not answer (%s)", type(error).__name__)
            return on_the_processor(*values)

    return on_either
