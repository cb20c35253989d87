"""A lent graphics card that refuses, fails or sleeps: the edit is made all the same."""

import time
from collections.abc import Callable

import pytest

pytest.importorskip("gradio")

from faces import draw_face
from PIL import Image
from tiny import tiny_pipeline

from g2gan import UnknownExpressionError
from space.hardware import lent, on_the_card_first
from space.interpolation import strip


def refusing(function: Callable) -> Callable:
    def run(*values: object) -> object:
        raise RuntimeError("You have exceeded your GPU quota")

    return run


def sleeping(function: Callable) -> Callable:
    def run(*values: object) -> object:
        time.sleep(3)
        raise TimeoutError

    return run


@pytest.fixture(scope="module")
def values() -> tuple:
    return Image.fromarray(draw_face(200)), 0, "neutral", "happiness", 3


def pixels(images: list[Image.Image]) -> list[bytes]:
    return [image.tobytes() for image in images]


@pytest.mark.parametrize("lend", [refusing, sleeping])
def test_a_card_that_gives_nothing_is_replaced_by_the_processor(values, lend):
    pipe = tiny_pipeline()
    edit = on_the_card_first(strip, pipe, lend, device="cpu", patience=0.3)
    began = time.monotonic()
    made = edit(*values)
    assert pixels(made) == pixels(strip(pipe, *values))
    assert time.monotonic() - began > 0.3 or lend is refusing


def test_a_card_that_is_lent_is_used_and_has_networks_of_its_own(values):
    pipe, used = tiny_pipeline(), []

    def lend(function: Callable) -> Callable:
        def run(*asked: object) -> object:
            used.append(asked)
            return function(*asked)

        return run

    edit = on_the_card_first(strip, pipe, lend, device="cpu", patience=60)
    assert pixels(edit(*values)) == pixels(strip(pipe, *values))
    assert used == [values]
    assert on_the_card_first(strip, pipe, None)(*values)[0].size == values[0].size


def test_a_wrong_name_is_refused_with_and_without_a_card(values):
    for lend in (refusing, None):
        edit = on_the_card_first(strip, tiny_pipeline(), lend, device="cpu")
        with pytest.raises(UnknownExpressionError):
            edit(values[0], 0, "neutral", "no such", 3)


def test_no_card_is_lent_outside_such_a_space(monkeypatch):
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    assert lent() is None
