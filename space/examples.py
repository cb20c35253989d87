"""What the tabs show until there is a photo: example portraits, edited once the page is up."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import gradio as gr

POLLED = 1.0  # seconds between a page's looks whether they are made


@dataclass(eq=False)
class Example:
    """A component's value while a photo is missing; `None` until it is made."""

    component: gr.components.Component
    make: Callable[[], object]
    value: object = None


class Examples:
    """The worked examples of all tabs.

    Args:
        folder: of the portraits, NAME-neutral.jpg and NAME-smiling.jpg; may be empty or missing.
    """

    def __init__(self, folder: Path) -> None:
        self.neutral, self.smiling = (
            sorted(folder.glob(f"*-{kind}.jpg")) for kind in ("neutral", "smiling")
        )
        self._all: list[Example] = []
        self._files = TemporaryDirectory(prefix="g2gan-examples-")
        gr.set_static_paths([self._files.name])  # served as they are, and not deleted by age

    @property
    def portraits(self) -> list[Path]:
        """Different people to try the page with, the smiling ones first."""
        return _mixed(self.smiling, self.neutral)[:8]

    @property
    def others(self) -> list[Path]:
        """Second people, who differ from the first ones; every other one smiles."""
        people = _mixed(self.neutral, self.smiling)[-8:]
        smiling = {_person(path): path for path in self.smiling}
        return [
            smiling.get(_person(path), path) if i % 2 else path for i, path in enumerate(people)
        ]

    def file(self, name: str) -> Path:
        """Where to write a file that an example shows."""
        return Path(self._files.name, name)

    def add(self, component: gr.components.Component, make: Callable[[], object]) -> Example:
        """Registers what a component shows while a photo is missing."""
        self._all.append(Example(component, make))
        return self._all[-1]

    def show(self, page: gr.Blocks, key: gr.State) -> None:
        """Makes them in the background, and brings them to pages whose `key` has no visit yet."""
        if not self._all:
            return
        timer = gr.Timer(POLLED)

        def look(key: str | None) -> list:
            made = all(example.value is not None for example in self._all)
            values = [example.value if made and not key else gr.skip() for example in self._all]
            return [*values, gr.Timer(active=not (made or key))]

        gr.on(
            [page.load, timer.tick],
            look,
            key,
            [*(example.component for example in self._all), timer],
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        )
        threading.Thread(target=self._make, name="examples").start()

    def _make(self) -> None:
        for example in self._all:
            if threading.main_thread().is_alive():  # else the program ends, and waits for this one
                example.value = example.make()


def _mixed(some: list[Path], others: list[Path]) -> list[Path]:
    """Portraits of different people, those of `some` first."""
    known = {_person(path) for path in some}
    return [*some, *(path for path in others if _person(path) not in known)]


def _person(path: Path) -> str:
    return path.stem.rsplit("-", 1)[0]
