"""The paper in one command, on miniatures."""

import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import miniatures
import numpy as np
import published
import pytest
import tiny_paper
from PIL import Image

from g2gan import G2GAN
from g2gan.engines import MODEL_VARIABLE
from g2gan.errors import CheckpointError
from g2gan.models.unet_generator import UNetGenerator
from hub_upload import checkpoint_files
from train.config import PRESETS
from train.paper_data import MANIFEST, PaperSet
from train.paper_plan import CHECKPOINT, PREPARED, REPORT, RUN, Plan
from train.recognizers import convert, load_recognizer
from train.reproduce import dry_run, main, reproduce, train_row
from train.sources import DataError
from train.stand_ins import DLIB, DlibFace
from train.step_time import measured_step
from train.trainer import STATE, Trainer

EXAMPLE = Path(__file__).parents[1] / "examples" / "woman-20s-fair-smiling.jpg"
ROWS = ("without_both", "without_cycle", "without_identity", "full")


@pytest.fixture(scope="module")
def recognizers(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("published")
    published.light_cnn(folder / "light.pth.tar")
    published.vgg_face(folder / "vgg.mat")
    files = {"light_cnn_9": "light.pth.tar", "vgg_face": "vgg.mat"}
    for name, file in files.items():
        convert(name, folder / file, folder / f"{name}.safetensors")
    return {name: folder / f"{name}.safetensors" for name in files}


def narrow(name: str, images: int = 10):
    config = PRESETS[name]
    return replace(
        config,
        generator_arguments={**config.generator_arguments, "width": 2},
        discriminator_width=2,
        images=images,
    )


def check(out: Path, channels: int) -> None:
    """Every row was trained and measured, every figure drawn."""
    results = json.loads((out / "results.json").read_text())
    assert set(results["table_1"]) == set(ROWS)
    assert set(results["table_2"]) == {"original", *ROWS}
    for row in ROWS:
        network = UNetGenerator.from_pretrained(out / row / CHECKPOINT / "removal")
        assert network.config.image_channels == channels
        assert set(results["table_2"][row]) == {"light_cnn_9", "vgg_face"}
        assert len(results["table_1"][row]) == 4
    report = (out / REPORT).read_text()
    figures = sorted(path.name for path in (out / "figures").iterdir())
    assert len(figures) == 3
    assert all(figure in report for figure in figures)
    assert not list(out.rglob("*.part"))


def test_a_finished_reproduction_is_not_repeated_nor_taken_for_another(
    tmp_path, recognizers, capsys
):
    tiny_paper.prepared(tmp_path)
    (tmp_path / "set").rename(tmp_path / PREPARED)
    plan = Plan("ck", tmp_path / "nowhere", tmp_path, narrow("ck", 5), recognizers)
    reproduce(plan)
    check(tmp_path, channels=1)
    made = tmp_path / "full" / CHECKPOINT
    assert "README.md" in checkpoint_files(made, "org/g2gan-ck")
    photo = np.asarray(Image.open(EXAMPLE).convert("RGB"))
    edited = np.asarray(G2GAN.from_pretrained(made).remove(photo).images[0])
    before, after = (
        cv2.cvtColor(each, cv2.COLOR_RGB2YCrCb).astype(int) for each in (photo, edited)
    )
    changed = (photo != edited).any(2)
    assert 0.01 < changed.mean() < 0.6
    inside = changed & (edited > 0).all(2) & (edited < 255).all(2)  # nothing was cut off
    assert np.abs(after - before)[inside][:, 1:].max() <= 2  # a grey network keeps the chroma
    weights = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    capsys.readouterr()
    reproduce(plan)
    assert weights == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    assert capsys.readouterr().out.count("trained already") == 4
    with pytest.raises(CheckpointError, match="other settings or data; give another"):
        reproduce(replace(plan, config=narrow("ck", 10)))
    manifest = tmp_path / PREPARED / "manifest.json"
    manifest.write_text(manifest.read_text() + " ")  # as if it were prepared anew, of other people
    with pytest.raises(CheckpointError, match="other settings or data; give another"):
        reproduce(plan)


def test_without_a_face_network_the_rows_that_need_it_are_left_out_and_said(
    tmp_path, recognizers, monkeypatch
):
    monkeypatch.setattr(DlibFace, "is_installed", lambda: False)
    judges = {"vgg_face": recognizers["vgg_face"]}
    data = miniatures.ck(tmp_path / "ck")
    plan = Plan("ck", data, tmp_path / "out", narrow("ck"), judges)
    lines = list(dry_run(plan))
    assert sum("left out, needs --light-cnn or dlib's network" in line for line in lines) == 2
    assert sum("10 images, about" in line for line in lines) == 2
    assert not (tmp_path / "out").exists()


def test_where_light_cnn_is_missing_dlibs_network_is_the_losses_and_judges(tmp_path, monkeypatch):
    monkeypatch.setattr(DlibFace, "is_installed", lambda: True)
    plan = Plan("ck", tmp_path, tmp_path / "out", narrow("ck"), {})
    assert set(plan.rows) == set(ROWS)
    assert plan.face_network == DLIB
    assert plan.judges == [DLIB]
    both = {"light_cnn_9": tmp_path, "vgg_face": tmp_path}
    plan = replace(plan, recognizers=both)
    assert plan.face_network == "light_cnn_9"
    assert plan.judges == ["light_cnn_9", "vgg_face"]


def test_the_plan_says_what_is_on_disk_and_what_a_run_will_take(tmp_path, recognizers):
    data = miniatures.ck(tmp_path / "ck")
    images = data / "cohn-kanade-images"
    (images / "S005/001/S005_001_00000003.png").unlink()
    plan = Plan("ck", data, tmp_path / "out", narrow("ck", 10**6), recognizers)
    text = "\n".join(dry_run(plan))
    assert "3 people, 5 sequences (2 annotated), 15 pictures; skipped 1:" in text
    assert "S005/001: half-copied: 1 frames are missing, the first is 3" in text
    hours = [float(found) for found in re.findall(r"about ([\d.]+) hours at", text)]
    assert len(hours) == 4
    (together,) = re.findall(r"together about ([\d.]+) hours", text)
    assert min(hours) > 0
    assert float(together) == pytest.approx(sum(hours), abs=0.21)
    with pytest.raises(DataError, match="no folder"):
        list(dry_run(replace(plan, data=tmp_path / "nowhere")))
    with pytest.raises(CheckpointError, match=r"python -m train\.recognizers"):
        list(dry_run(replace(plan, recognizers={"light_cnn_9": tmp_path / "nowhere"})))


def test_a_measured_step_knows_what_the_runs_files_weigh(tmp_path, recognizers):
    tiny_paper.prepared(tmp_path)
    (tmp_path / "set").rename(tmp_path / PREPARED)
    judges = {name: load_recognizer(path) for name, path in recognizers.items()}
    cost = measured_step(narrow("ck"), steps=1, recognizer=judges["light_cnn_9"])
    data = PaperSet.load(tmp_path / PREPARED)
    trainer = Trainer(narrow("ck", 5), data, tmp_path / "run", judges["light_cnn_9"])
    trainer.train()
    state = (tmp_path / "run" / STATE).stat().st_size / 1e9
    assert state == pytest.approx(cost.gigabytes, rel=0.1)
    train_row(tmp_path / "row", narrow("ck", 5), tmp_path / PREPARED, "light_cnn_9", judges)
    weights = (tmp_path / "row" / CHECKPOINT).glob("*/diffusion*.safetensors")
    assert sum(file.stat().st_size for file in weights) / 1e9 == pytest.approx(
        cost.checkpoint, rel=0.2
    )
    # the state is gone, and another network cannot take F's place in what is left
    assert not (tmp_path / "row" / RUN / STATE).exists()
    shutil.rmtree(tmp_path / "row" / CHECKPOINT)
    with pytest.raises(CheckpointError, match="of other settings"):
        train_row(
            tmp_path / "row", narrow("ck", 5), tmp_path / PREPARED, DLIB, judges | {DLIB: None}
        )


def test_a_prepared_set_is_not_taken_for_one_of_another_split(tmp_path, recognizers):
    tiny_paper.prepared(tmp_path)
    (tmp_path / "set").rename(tmp_path / PREPARED)
    split = tmp_path / "split.json"
    split.write_text('{"train": ["0", "1"], "test": ["2", "3"]}')
    plan = Plan("ck", tmp_path, tmp_path, narrow("ck", 5), recognizers, split=split)
    with pytest.raises(DataError, match="made with another split; give another --out"):
        reproduce(plan)


def test_landmarks_given_after_the_set_was_prepared_are_not_passed_over(tmp_path, recognizers):
    tiny_paper.prepared(tmp_path)
    (tmp_path / "set").rename(tmp_path / PREPARED)
    plan = Plan("oulu", tmp_path, tmp_path, narrow("oulu", 5), recognizers, landmarks=tmp_path)
    said = "other landmarks than the given ones; give another --out"
    with pytest.raises(DataError, match=said):
        reproduce(plan)
    manifest = json.loads((tmp_path / PREPARED / MANIFEST).read_text("utf-8"))
    del manifest["precomputed_landmarks"]  # as of before it was kept
    (tmp_path / PREPARED / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(DataError, match=said):
        reproduce(plan)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ck", "--dry-run"], "CK+'s cohn-kanade-images, Landmarks and Emotion"),
        (["london"], "give the folder of the Face Research Lab London Set with --data"),
        (["own", "--out", __file__], "test_reproduce.py/prepared'"),
    ],
)
def test_a_users_mistake_is_said_without_a_traceback(tmp_path, monkeypatch, arguments, said):
    if arguments[0] == "own":
        miniatures.own(tmp_path)
    monkeypatch.setenv(MODEL_VARIABLE, __file__)
    command = ["reproduce", *arguments, "--data", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as ended:
        main()
    assert str(ended.value).endswith(said)


def test_a_dry_run_of_the_embedded_checkpoint_fetches_nothing(monkeypatch, capsys):
    monkeypatch.delenv(MODEL_VARIABLE, raising=False)
    monkeypatch.setattr(sys, "argv", ["reproduce", "london", "--images", "1000", "--dry-run"])
    main()
    assert "fetch face_landmarker.task and evaluate expressions: to do" in capsys.readouterr().out


def test_a_missing_set_is_refused_before_anything_is_made(tmp_path, recognizers):
    plan = Plan("oulu", tmp_path / "nowhere", tmp_path / "out", narrow("oulu"), recognizers)
    with pytest.raises(DataError, match="VL/Strong"):
        reproduce(plan)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "channels"), [("ck", 1), ("oulu", 3), ("crema", 3), ("own", 3)])
def test_each_set_goes_through_from_disk_to_report(tmp_path, recognizers, name, channels):
    data = getattr(miniatures, name)(tmp_path / "data")
    config = narrow("oulu" if name == "own" else name)
    reproduce(Plan(name, data, tmp_path / "out", config, recognizers))
    check(tmp_path / "out", channels)


@pytest.mark.slow
@pytest.mark.lengthy
def test_a_step_at_full_width_runs():
    cost = measured_step(PRESETS["ck"], steps=1)
    assert cost.seconds > 0
    assert 0.5 < cost.gigabytes < 3
