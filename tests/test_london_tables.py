"""The paper's tables with both generators, on drawn people."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import published
import pytest
import torch
from faces import draw_face
from PIL import Image

from g2gan import G2GAN
from g2gan.alignment import WORKING
from g2gan.errors import CheckpointError
from train import london_tables, stand_ins
from train.card import weights_digest
from train.config import PRESETS
from train.london_edits import cut
from train.london_page import FULL, page
from train.london_tables import EMBEDDED, LondonTables, embedded_anew
from train.paper_data import PaperSet, centre_crop
from train.paper_evaluate import ROWS
from train.paper_prepare import prepare_source
from train.recognizers import CROP, cut_chip
from train.sources import london

TRAIN, TEST = ["001", "003", "004"], ["002", "005"]
SKINS = [(214, 170, 145), (150, 105, 80), (235, 200, 180), (190, 140, 110), (120, 85, 65)]


@pytest.fixture
def photos(tmp_path, monkeypatch) -> Path:
    """Five drawn people, neutral and smiling, and their split."""
    (tmp_path / "split.json").write_text(json.dumps({"train": TRAIN, "test": TEST}))
    monkeypatch.setattr(london, "LONDON_SPLIT", tmp_path / "split.json")
    folder = tmp_path / "london"
    folder.mkdir()
    for number, person in enumerate(TRAIN + TEST):
        for state, smile in (("neutral", 0.0), ("smiling", 0.6 + 0.1 * number)):
            drawn = draw_face(512, smile=smile, colour=SKINS[number], seed=number)
            Image.fromarray(drawn).save(folder / f"{person}_{state}.jpg", quality=95)
    return folder


def test_both_generators_are_measured_on_the_same_pictures(tmp_path, photos):
    """A photo cut for ours is the picture that the paper's networks are tested on."""
    prepare_source("london-paper", photos, tmp_path / "set")
    sequence = PaperSet.load(tmp_path / "set", "test").sequences[0]
    photo = np.asarray(Image.open(photos / f"{sequence.person}_smiling.jpg").convert("RGB"))
    face = G2GAN.from_pretrained(EMBEDDED).detect(photo)[0]
    difference = (cut(photo, face) - centre_crop(sequence, 1)[0]).abs()
    assert difference.mean() < 0.5 / 255


def test_the_page_says_what_its_results_say():
    results = json.loads(london_tables.RESULTS.read_text("utf-8"))
    assert london_tables.PAGE.read_text("utf-8") == page(results)
    weights = {row["weights"] for kind in ("paper", "ours") for row in results[kind].values()}
    assert len(weights) == 8


@pytest.mark.slow
def test_both_generators_go_through_from_photos_to_page(tmp_path, photos, monkeypatch):
    rng = np.random.default_rng(0)
    weights = published.dlib(rng)
    monkeypatch.setattr(stand_ins, "dlib_weights", lambda: weights)
    monkeypatch.setattr(stand_ins.DlibFace, "is_installed", lambda: True)
    published.hse(tmp_path, rng)
    paper = replace(
        PRESETS["oulu"],
        generator_arguments={"image_channels": 3, "width": 2},
        discriminator_width=2,
        images=10,
    )
    ours = replace(
        PRESETS["london-full"],
        generator_arguments={"widths": (4, 6, 8, 8)},
        discriminator_width=2,
        images=8,
    )
    hse = tmp_path / "faceres.json"
    plan = LondonTables(photos, tmp_path / "out", paper, ours, hse, morphs=1)
    results = london_tables.london_tables(plan)
    copied = results["baselines"]["copy"]
    assert copied["removal"] == copied["removal_told"]
    for kind in ("paper", "ours"):
        assert set(results[kind]) == set(ROWS) - {"original"}
        for row in results[kind].values():
            assert len(row["weights"]) == 64
            assert set(row["table_2"]) == {"dlib_resnet", "hse_mobilenet"}
            assert 0 < row["synthesis"][0] <= 1
    assert results["ours"][FULL]["images"] == 8
    assert results["paper"][FULL]["images"] == 10
    text = page(results)
    for title in ROWS.values():
        if title != ROWS["original"]:
            assert text.count(f"| ours, {title} |") == 2
            assert text.count(f"| U-Net (paper), {title} |") == 2
    states = {path: path.stat().st_mtime_ns for path in plan.out.rglob("*.safetensors")}
    assert london_tables.london_tables(plan) == results
    assert {path: path.stat().st_mtime_ns for path in plan.out.rglob("*.safetensors")} == states
    # of other embedded weights: their row alone is measured again, without the trained runs
    for kind in ("ours", "paper"):
        for row in ROWS:
            shutil.rmtree(plan.out / kind / row, ignore_errors=True)
    old = {**results["embedded"], "weights": "other", "synthesis": [0, 0]}
    warp = {**results["baselines"]["warp"], "removal": [0, 0]}
    baselines = results["baselines"] | {"warp": warp}
    assert embedded_anew(plan, results | {"embedded": old, "baselines": baselines}) == results
    with pytest.raises(CheckpointError, match="hse_mobilenet"):
        embedded_anew(replace(plan, hse=None), results | {"embedded": old})


def test_the_embedded_row_stays_while_its_weights_do(tmp_path):
    results = {"embedded": {"weights": weights_digest(EMBEDDED)}}
    config = PRESETS["oulu"]
    nothing = LondonTables(tmp_path / "nowhere", tmp_path / "out", config, config)
    assert embedded_anew(nothing, results) is results


def test_ours_is_cut_at_the_eyes_of_the_paper():
    """The identity loss sees our working frame as the paper's crop."""
    y, x = torch.meshgrid(torch.arange(256.0), torch.arange(256.0), indexing="ij")
    chip = cut_chip(torch.stack([x, y])[None], CROP, WORKING)[0]
    middle, apart = 128 / 2, CROP.eye_distance * 128 / 2
    for side in (-1, 1):
        eye = chip[:, round(CROP.eye_line * 128), round(middle + side * apart)]
        expected = torch.tensor([128 + side * 0.14 * 256, 0.32 * 256])
        torch.testing.assert_close(eye, expected, atol=1.0, rtol=0)
