"""The page of experiments shows what was measured, with the weights it was measured on."""

import json
import subprocess
import sys

import pytest

from train.research import FIGURES, TABLED, figures, page

WORDS = {"change": "one thing", "expected": "better", "verdict": "kept"}


def results(weights: str, start: float) -> dict:
    sides = {
        "128": {name: start + place for place, name in enumerate(FIGURES)},
        "256": {"sharp": 0.875, "sharp_mouth": 1.125},
    }
    means = {task: {"ours": sides} for task in TABLED}
    return {"weights": weights, "groups": {"all": ["002", "005"]}, "means": {"all": means}}


def test_every_measured_experiment_has_its_row_and_every_one_its_words():
    experiments = {
        "first": {**WORDS, "results": figures(results("0123456789", 20.5))},
        "not measured yet": {**WORDS, "verdict": "to be seen"},
    }
    text = page(experiments)
    row = next(line for line in text.splitlines() if line.startswith("| first"))
    assert row.startswith("| first (`01234567`) |")
    assert row.count("20.50 / 21.500 (22.50 / 23.500), 0.88 1.12") == len(TABLED)
    assert "| not measured" not in text
    for name, words in experiments.items():
        assert f"## {name}\n\n**Change.** one thing" in text
        assert words["verdict"] in text
    assert "2 test people" in text


def test_figures_of_an_experiment_without_words_are_refused(tmp_path):
    path = tmp_path / "experiments.json"
    path.write_text(json.dumps({"first": WORDS}), "utf-8")
    command = [sys.executable, "-m", "train.research", str(path), "--add", "second", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no words on 'second'" in done.stderr
    assert json.loads(path.read_text("utf-8")) == {"first": WORDS}


@pytest.mark.parametrize("missing", ["change", "expected", "verdict"])
def test_an_experiment_says_all_three_things(missing):
    with pytest.raises(KeyError, match=missing):
        page({"first": {key: word for key, word in WORDS.items() if key != missing}})
