"""The embedded checkpoint in one command, on drawn people whom a local server gives out."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import drawn_set
import pytest
from face_kit import face_kit
from faces import draw_face
from file_hosts import FileHosts
from PIL import Image

from g2gan import G2GAN, CheckpointError
from g2gan.shape import ShapeModel
from train import card, download, reproduce_london
from train.config import PRESETS
from train.facekit import FaceKit
from train.reproduce_london import LondonPlan, london_dry_run
from train.sources import DataError, canada, london

TRAIN, TEST, ALONE = ["001", "003", "004"], ["002", "005"], ["003f"]
SKINS = [(214, 170, 145), (150, 105, 80), (235, 200, 180), (190, 140, 110), (120, 85, 65)]


@pytest.fixture
def few_people(tmp_path, monkeypatch):
    """A split of five, and one neutral person; short runs of narrow networks."""
    described = json.loads(london.LONDON_SPLIT.read_text("utf-8"))["train_described"]
    split = {"train": TRAIN, "test": TEST, "canada": ALONE, "train_described": described}
    (tmp_path / "split.json").write_text(json.dumps(split))
    for module in (london, canada, card):
        monkeypatch.setattr(module, "LONDON_SPLIT", tmp_path / "split.json")
    for name, kept in (("london", 10), ("canada", 1)):
        article = replace(download.ARTICLES[name], kept=kept)
        monkeypatch.setitem(download.ARTICLES, name, article)
    for name in ("london-synthesis", "london-removal"):
        narrow = replace(PRESETS[name], generator_arguments={"widths": (4, 6, 8, 8)}, images=8)
        monkeypatch.setitem(PRESETS, name, narrow)
    kit = face_kit(ShapeModel.from_pretrained(drawn_set.EMBEDDED))
    monkeypatch.setattr(FaceKit, "load", classmethod(lambda cls, folder: kit))


def archive(photos: dict[str, tuple[int, float]]) -> bytes:
    """Name → person and smile, drawn."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name, (person, smile) in photos.items():
            picture = io.BytesIO()
            drawn = draw_face(512, smile=smile, colour=SKINS[person % 5], seed=person)
            Image.fromarray(drawn).save(picture, "JPEG", quality=95)
            file.writestr(f"{name}.jpg", picture.getvalue())
    return content.getvalue()


def articles() -> dict[int, dict[str, bytes]]:
    people = list(enumerate(TRAIN + TEST))
    return {
        5047666: {
            "neutral_front.zip": archive({f"{p}_03": (n, 0.0) for n, p in people}),
            "smiling_front.zip": archive({f"{p}_08": (n, 0.6 + 0.1 * n) for n, p in people}),
        },
        4220517: {"neutral_front.zip": archive({f"{ALONE[0]}_03": (9, 0.0)})},
    }


def test_the_plan_says_what_is_to_do_without_doing_it(tmp_path, few_people):
    (tmp_path / f"{ALONE[0]}.jpg").touch()
    lines = "\n".join(london_dry_run(LondonPlan(tmp_path / "out", canada=tmp_path)))
    assert "fetch london: to do" in lines
    assert "fetch canada" not in lines  # a folder was given
    assert lines.count("8 images, about") == 2
    assert not (tmp_path / "out").exists()


def test_what_was_given_is_looked_at_before_anything_is_fetched(tmp_path, few_people):
    """A test person's photo or the judge would only be asked for after training."""
    for person in TRAIN:
        for state in ("neutral", "smiling"):
            (tmp_path / f"{person}_{state}.jpg").touch()
    with FileHosts({}) as web:
        nothing = LondonPlan(tmp_path / "out", hosts=web.hosts)
        for plan, message in (
            (replace(nothing, london=tmp_path), "2 people of the test split"),
            (replace(nothing, canada=tmp_path), "no photo like 003f.jpg"),
            (replace(nothing, scores=tmp_path / "nowhere"), "give MediaPipe's face_landmarker"),
        ):
            with pytest.raises(DataError, match=message):
                reproduce_london.reproduce_london(plan)
            with pytest.raises(DataError, match=message):
                list(london_dry_run(plan))
    assert not web.seen
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_embedded_checkpoint_is_made_from_nothing(tmp_path, few_people, capsys):
    with FileHosts(articles()) as web:
        plan = LondonPlan(tmp_path / "out", facekit=tmp_path, morphs=1, hosts=web.hosts)
        reproduce_london.reproduce_london(plan)
        asked = len(web.seen)
        made = G2GAN.from_pretrained(plan.checkpoint)
        assert "surprise" in made.expressions
        text = (plan.checkpoint / "README.md").read_text("utf-8")
        assert "**ours**" in text
        results = json.loads((plan.checkpoint / "results.json").read_text("utf-8"))
        assert set(results["per_person"]) == set(TEST)
        states = {path: path.stat().st_mtime_ns for path in plan.out.rglob("*.safetensors")}
        capsys.readouterr()
        reproduce_london.reproduce_london(plan)
        assert len(web.seen) == asked
    assert states == {path: path.stat().st_mtime_ns for path in plan.out.rglob("*.safetensors")}
    assert capsys.readouterr().out.count(": done") == 7
    with pytest.raises(CheckpointError, match="other settings"):
        reproduce_london.reproduce_london(replace(plan, images=16))
    assert not list(Path(plan.out).rglob("*.part"))
