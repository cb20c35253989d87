"""What a checkpoint offers: expressions and looks to choose, controls to slide."""

from g2gan import G2GAN
from space.words import label


def looks(pipe: G2GAN) -> list[dict]:
    """Expressions as {"name", "label"}, the neutral face first."""
    return [{"name": name, "label": label(name)} for name in pipe.expressions]


def controls(pipe: G2GAN) -> list[dict]:
    """Directions to slide along, as {"name", "label", "low", "high"}."""
    return []


def twins(pipe: G2GAN) -> dict[str, str]:
    """Controls of one side of the face -> those of the other."""
    return {}
