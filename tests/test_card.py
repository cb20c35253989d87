"""The card says what was measured, and only about the weights it was measured on."""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard
from PIL import Image

from g2gan.errors import CheckpointError
from train import card
from train.sources import split_people
from train.sources.london import LONDON_SPLIT


def distinct_results() -> dict:
    """Results in which no two figures are alike."""
    counter = itertools.count(1)

    def figures() -> dict:
        return {
            **{f"psnr{area}": 20 + next(counter) / 100 for area in ("", "_face", "_mouth")},
            **{f"ssim{area}": next(counter) / 1000 for area in ("", "_face", "_mouth")},
            **{f"sharp{area}": next(counter) / 100 for area in ("", "_mouth", "_eyes")},
        }

    def interval() -> list[float]:
        middle = next(counter) / 100
        return [middle, middle - 1, middle + 1]

    groups = {"all": ["002", "005", "006"], "strong": ["002"]}
    return {
        "groups": groups,
        "means": {
            group: {
                task: {
                    method: {side: figures() for side in ("128", "256")} for method in card.METHODS
                }
                for task in card.TASKS
            }
            for group in groups
        },
        "differences": {
            group: {
                task: {
                    baseline: {
                        side: {"psnr_face": interval(), "ssim_face": interval()}
                        for side in ("128", "256")
                    }
                    for baseline in card.BASELINES
                }
                for task in card.TASKS
            }
            for group in groups
        },
        "lips": {
            task: {name: next(counter) / 100 for name in ("ours", "warp", "truth")}
            for task in ("synthesis_told", "removal_told")
        },
        "elsewhere": {
            name: {task: next(counter) / 100 for task in ("synthesis_told", "removal_told")}
            for name in ("blurred", "tilted")
        },
        "fidelity": {"remove": 41.5, "synthesize": 42.5},
    }


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A folder with weights, their results and the record of a training."""
    folder = tmp_path / "g2gan-test"
    (folder / "synthesis").mkdir(parents=True)
    (folder / "synthesis" / "weights.safetensors").write_bytes(b"some weights")
    results = {"weights": card.weights_digest(folder), **distinct_results()}
    (folder / "results.json").write_text(json.dumps(results))
    training = {
        "data": {
            "animated": ["anger"],
            "neutral_only": 3,
            "pictures": {"real": 5, "morphed": 6, "animated": 7},
        },
        "directions": {"removal": {"images": 123456, "curves": [1, 2, 3]}},
    }
    (folder / "training.json").write_text(json.dumps(training))
    (folder / "shape_model").mkdir()
    expressions = {"expressions": ["neutral", "happiness", "anger"], "looks": ["wink left"]}
    (folder / "shape_model" / "config.json").write_text(json.dumps(expressions))
    return folder


def test_every_figure_of_the_results_is_in_the_card(checkpoint):
    text = card.card(checkpoint)
    results = card.read_results(checkpoint)
    for name, row in results["elsewhere"].items():
        gains = (f"{row[task]:+.2f}" for task in ("synthesis_told", "removal_told"))
        assert f"| {name} | {' | '.join(gains)} |" in text
    for group, side in (("all", "128"), ("all", "256"), ("strong", "128")):
        for task, methods in results["means"][group].items():
            for method, sides in methods.items():
                means = sides[side]
                for area in ("", "_face", "_mouth"):
                    pair = f"{means['psnr' + area]:.2f} / {means['ssim' + area]:.3f}"
                    assert pair in text, (group, side, task, method, area)
                sharp = [means[f"sharp{area}"] for area in ("", "_mouth", "_eyes")]
                assert side == "128" or ", ".join(f"{value:.2f}" for value in sharp) in text
        for baselines in results["differences"][group].values():
            for sides in baselines.values():
                mean, low, high = sides[side]["psnr_face"]
                assert f"{mean:+.2f} [{low:+.2f}, {high:+.2f}] dB" in text
                mean, low, high = sides[side]["ssim_face"]
                assert f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]" in text
    for row in results["lips"].values():
        assert f"{row['ours']:.2f} (mesh warp {row['warp']:.2f}" in text
    assert "41.5 dB" in text
    assert "42.5 dB" in text
    assert "- directions, removal, images: 123456" in text


def test_tables_have_as_many_cells_in_every_line(checkpoint):
    for side in ("128", "256"):
        table = card.group_table(card.read_results(checkpoint), "all", side)
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_card_front_matter_is_what_the_hub_reads(checkpoint):
    front = yaml.safe_load(card.card(checkpoint).split("---\n")[1])
    assert front["license"] == "mit"
    assert front["library_name"] == "g2gan"
    assert front["pipeline_tag"] == "image-to-image"
    assert "diffusers" in front["tags"]
    measured = front["model-index"][0]["results"][0]["metrics"][0]["value"]
    results = card.read_results(checkpoint)
    assert measured == results["means"]["all"]["synthesis_told"]["ours"]["128"]["psnr_face"]


def test_every_main_figure_is_metadata_that_the_hub_s_own_reader_understands(checkpoint):
    data = ModelCard(card.card(checkpoint)).data
    results = card.read_results(checkpoint)
    measured = {(entry.metric_type, entry.metric_value) for entry in data.eval_results}
    assert measured == {
        (figure, methods["ours"]["128"][f"{figure}_face"])
        for methods in results["means"]["all"].values()
        for figure in ("psnr", "ssim")
    }
    assert all(entry.task_type == "image-to-image" for entry in data.eval_results)


def test_card_says_what_was_learned_from_photographs_and_what_from_animated_ones(checkpoint):
    text = card.card(checkpoint)
    assert "learned from photographs of them: neutral, happiness." in text
    assert "never seen in a photograph: anger, wink left." in text
    assert "5 real, 6 morphed, 7 animated" in text


def test_card_counts_the_people_who_trained(checkpoint):
    text = card.card(checkpoint)
    described = json.loads(LONDON_SPLIT.read_text("utf-8"))["train_described"]
    women, men = (sum(described[sex].values()) for sex in ("women", "men"))
    assert women + men == len(split_people()["train"])
    assert f"{women} women (" in text
    assert f"{men} men (" in text


def test_card_shows_the_picture_of_its_own_weights_and_refuses_another_s(checkpoint):
    assert card.PICTURE not in card.card(checkpoint)
    picture, path = Image.new("RGB", (64, 32)), checkpoint / card.PICTURE
    picture.save(path, comment=card.weights_digest(checkpoint))
    assert f"]({card.PICTURE})" in card.card(checkpoint)
    picture.save(path, comment="another")
    with pytest.raises(CheckpointError, match=re.escape("train.figures")):
        card.card(checkpoint)


def test_card_names_limits_uses_and_how_to_make_it_again(checkpoint):
    text = card.card(checkpoint, "org/name")
    assert 'G2GAN.from_pretrained("org/name")' in text
    assert text.index("## Limits") < text.index("## Uses")
    assert "Not meant for" in text
    assert "python -m train.evaluate checkpoints/g2gan-test" in text


def test_card_credits_the_photographs_as_their_licence_asks(checkpoint):
    text = card.card(checkpoint)
    assert "Face Research Lab London Set" in text
    assert "10.6084/m9.figshare.5047666.v5" in text
    assert "10.6084/m9.figshare.4220517.v1" in text
    assert "ICT-FaceKit" in text
    assert text.count("CC BY 4.0") == 2


def test_a_card_of_other_photographs_says_nothing_of_londons(checkpoint):
    training = json.loads((checkpoint / card.TRAINING_FILE).read_text("utf-8"))
    training |= {"people": 12, "data": {"licence": "your own", "animated": []}}
    (checkpoint / card.TRAINING_FILE).write_text(json.dumps(training), "utf-8")
    text = card.card(checkpoint)
    assert "license: other" in text
    assert 'noted as "your own"' in text
    assert "12 people" in text
    assert "prepare_pairs" in text
    for claim in ("CC BY 4.0", "DeBruine", "London set's training people", "has seen is the smile"):
        assert claim not in text


def test_a_card_without_animated_photographs_credits_none(checkpoint):
    training = json.loads((checkpoint / card.TRAINING_FILE).read_text("utf-8"))
    training["data"] = {"animated": []}
    (checkpoint / card.TRAINING_FILE).write_text(json.dumps(training), "utf-8")
    text = card.card(checkpoint)
    assert "ICT-FaceKit" not in text
    assert "--canada" not in text


def measured_expressions(weights: str) -> dict:
    shares = {"all": 0.97, "anger": 0.94, "fear": 1.0}
    told = {"ours": {"psnr": 34.5, "ssim": 0.951}, "copy": {"psnr": 23.25, "ssim": 0.812}}
    return {
        "weights": weights,
        "people": 18,
        "animated": {"rises": shares, "largest": shares, "table": {"anger": {}, "fear": {}}},
        "ours": {"rises": shares, "largest": shares, "table": {"anger": {}, "fear": {}}},
        "strips": {"mean": 0.98, "anger": 0.96, "fear": 0.99},
        "told": dict.fromkeys(card.EXPRESSION_TASKS, told),
    }


def test_the_expressions_figures_are_in_the_card_and_another_s_are_refused(checkpoint):
    weights = card.weights_digest(checkpoint)
    path = checkpoint / card.EXPRESSIONS_FILE
    path.write_text(json.dumps(measured_expressions(weights)), "utf-8")
    text = card.card(checkpoint)
    assert "| ours: rises most | 94% | 100% |" in text
    means = card.read_results(checkpoint)["means"]["all"]["removal_honest"]
    real = (means[method]["128"] for method in card.METHODS)
    real = " | ".join(f"{m['psnr_face']:.2f} / {m['ssim_face']:.3f}" for m in real)
    assert f"| removed, nothing told | real | {real} |" in text
    assert "| removed, nothing told | animated | 34.50 / 0.951 |  | 23.25 / 0.812 |" in text
    path.write_text(json.dumps(measured_expressions("0" * 64)), "utf-8")
    with pytest.raises(CheckpointError, match="evaluate_expressions"):
        card.card(checkpoint)


def test_results_of_other_weights_are_refused(checkpoint):
    (checkpoint / "synthesis" / "weights.safetensors").write_bytes(b"other weights")
    with pytest.raises(CheckpointError, match="other weights"):
        card.card(checkpoint)


def test_missing_results_are_refused_with_their_path(checkpoint):
    (checkpoint / "results.json").unlink()
    with pytest.raises(CheckpointError, match=re.escape("results.json")):
        card.card(checkpoint)


@pytest.mark.parametrize("file", ["results.json", "training.json"])
@pytest.mark.parametrize("content", ["[]", "{", "3"])
def test_records_that_are_none_are_refused(checkpoint, file, content):
    (checkpoint / file).write_text(content, "utf-8")
    with pytest.raises(CheckpointError, match=re.escape(file)):
        card.card(checkpoint)


def test_results_of_an_older_evaluation_are_refused(checkpoint):
    results = card.read_results(checkpoint)
    del results["means"]["strong"]
    (checkpoint / "results.json").write_text(json.dumps(results), "utf-8")
    with pytest.raises(CheckpointError, match=r"'strong'.*evaluate it again"):
        card.card(checkpoint)


def test_a_folder_without_weights_is_no_checkpoint(tmp_path):
    with pytest.raises(CheckpointError, match="safetensors"):
        card.weights_digest(tmp_path)


def test_digest_feels_names_as_well_as_bytes(checkpoint):
    before = card.weights_digest(checkpoint)
    (checkpoint / "synthesis").rename(checkpoint / "removal")
    assert card.weights_digest(checkpoint) != before


def test_readme_keeps_everything_outside_the_results_block():
    readme = "# Title\n\n<!-- results -->\nold\n<!-- /results -->\n\nEnd \\1\n"
    changed = card.with_results(readme, "| new | \\g<0> |")
    assert changed == (
        "# Title\n\n<!-- results -->\n\n| new | \\g<0> |\n\n<!-- /results -->\n\nEnd \\1\n"
    )
    assert card.with_results(changed, "| new | \\g<0> |") == changed


def test_the_command_writes_card_and_readme(checkpoint, tmp_path):
    """Run on a copy of `train`: its README is about the embedded checkpoint alone."""
    shutil.copytree(Path(card.__file__).parent, tmp_path / "train")
    embedded, readme = tmp_path / "checkpoints" / "g2gan-london", tmp_path / "README.md"
    shutil.copytree(checkpoint, embedded)
    empty = "<!-- results -->\n<!-- /results -->\n"
    readme.write_text(empty)
    environment = os.environ | {"PYTHONPATH": str(Path(card.__file__).parents[1])}
    table = card.group_table(card.read_results(checkpoint), "all", "128")
    for folder, written in ((checkpoint, False), (embedded, True)):
        command = [sys.executable, "-m", "train.card", str(folder)]
        subprocess.run(command, cwd=tmp_path, env=environment, check=True)
        assert (folder / "README.md").read_text("utf-8") == card.card(folder)
        assert (table in readme.read_text("utf-8")) is written
        assert (readme.read_text("utf-8") == empty) is not written
