"""The page in a real browser: what its tests share. The fixtures stand in `conftest.py`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from g2gan import G2GAN

CHROMIUM = "/usr/bin/chromium"
DESK = {"viewport": {"width": 1280, "height": 900}}
TELEPHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
PATIENCE = 180_000  # ms; the machine may be busy

in_chromium = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"needs {CHROMIUM}"),
]


@contextmanager
def served(pipe: G2GAN, examples: Path, folder: Path) -> Iterator[str]:
    """The page's address; what visitors upload and get lies in the folder."""
    import app

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        page = app.build(pipe, examples=examples)
        _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **app.LAUNCH)
        yield url
        page.close(verbose=False)
