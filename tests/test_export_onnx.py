"""The generators as ONNX say what torch says, for one crop and for several."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from faces import draw_face
from tiny import save_halved, tiny_generator, tiny_pipeline

from g2gan import G2GAN
from g2gan.models.warp_generator import WarpGenerator

pytest.importorskip("onnx", reason="the extra onnx is not installed")
runtime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

from benchmarks.onnx_speed import PAGE, RESULTS, speed_table  # noqa: E402
from train.card import read_json, weights_digest  # noqa: E402
from train.export_onnx import INPUTS, OUTPUTS, example_inputs, export, export_generator  # noqa: E402

CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "checkpoint"
    save_halved(folder)
    export(folder)
    return folder


def fields(path: Path, inputs: tuple[torch.Tensor, ...]) -> list[np.ndarray]:
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    values = {name: value.numpy() for name, value in zip(INPUTS, inputs, strict=True)}
    return session.run(list(OUTPUTS), values)


@pytest.mark.parametrize(
    ("file", "batches"), [("synthesis", (1, 3)), ("removal", (2,)), ("removal-1", (1,))]
)
def test_onnx_and_torch_agree(exported, file, batches):
    generator = tiny_generator(0 if file == "synthesis" else 1).half().float()
    for batch in batches:
        inputs = example_inputs(batch, seed=batch)
        with torch.inference_mode():
            expected = generator.predict(*inputs)
        for got, want in zip(
            fields(exported / "onnx" / f"{file}.onnx", inputs), expected, strict=True
        ):
            assert got.shape == tuple(want.shape)
            assert np.abs(got - want.numpy()).max() < 1e-4


def test_the_page_s_program_edits_as_the_pipeline_does(exported):
    """The Python of docs/onnx.md, run as it stands there."""
    program: dict = {}
    exec(CODE.search(PAGE.read_text("utf-8"))[1], program)
    pipe, photo = tiny_pipeline(), draw_face(400)
    face = pipe.detect(photo)[0]
    target = pipe.shape_model.express(face.mesh, {"happiness": 1.0})
    session = runtime.InferenceSession(exported / "onnx" / "synthesis-1.onnx")
    edited = program["edit"](photo, face.mesh, target, session)
    same = G2GAN.from_pretrained(exported)
    expected = same.synthesize(photo, "happiness", face=face, from_neutral=True).images[0]
    assert not np.array_equal(edited, photo)
    assert np.abs(edited.astype(int) - np.asarray(expected)).max() <= 1  # rounding


def test_the_page_s_table_is_the_results_file_s():
    results = read_json(RESULTS)
    assert speed_table(results) in PAGE.read_text("utf-8")


def test_a_model_for_one_crop_refuses_two(exported):
    with pytest.raises(Exception, match="invalid dimensions"):
        fields(exported / "onnx" / "synthesis-1.onnx", example_inputs(2))


def test_half_precision_on_disk_is_half_as_large_and_changes_nothing(tmp_path):
    generator = WarpGenerator(widths=(16, 24, 32, 32))
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter)  # half precision holds no such number exactly
    sizes = []
    for _ in range(2):
        export_generator(generator, tmp_path / "generator.onnx", dynamic=True)
        generator.half()
        sizes.append((tmp_path / "generator.onnx").stat().st_size)
    weights = sum(parameter.numel() for parameter in generator.parameters())
    assert sizes[0] - sizes[1] > 1.6 * weights  # bytes


def test_the_record_names_the_weights(exported):
    assert read_json(exported / "onnx" / "onnx.json")["weights"] == weights_digest(exported)
    names = {path.name for path in (exported / "onnx").iterdir()}
    assert names == {"onnx.json"} | {
        f"{direction}{size}.onnx" for direction in ("synthesis", "removal") for size in ("", "-1")
    }
    assert not list(exported.parent.glob("*.part"))


def test_exporting_again_replaces_the_old_files(exported, tmp_path):
    folder = Path(shutil.copytree(exported, tmp_path / "again"))
    (folder / "onnx" / "old.onnx").touch()
    export(folder)
    assert not (folder / "onnx" / "old.onnx").exists()
