"""The paper's generator, and the strict loading that all our models share."""

import json
from pathlib import Path

import pytest
import torch
from diffusers import DiffusionPipeline
from safetensors.torch import load_file, save_file

from g2gan.errors import CheckpointError
from g2gan.models.unet_generator import UNetGenerator

WEIGHTS = "diffusion_pytorch_model.safetensors"


class Twins(DiffusionPipeline):
    """The smallest pipeline with our two networks."""

    def __init__(self, synthesis: UNetGenerator, removal: UNetGenerator) -> None:
        super().__init__()
        self.register_modules(synthesis=synthesis, removal=removal)


def narrow_generator(seed: int = 0, **config) -> UNetGenerator:
    torch.manual_seed(seed)
    return UNetGenerator(**{"width": 4, **config})


def faces(batch: int = 2, channels: int = 3, side: int = 128) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(batch, channels, side, side, generator=generator)
    return image, torch.rand(batch, 68, side, side, generator=generator)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    narrow_generator().save_pretrained(tmp_path / "synthesis")
    return tmp_path / "synthesis"


def change_weights(folder: Path, change) -> None:
    weights = load_file(folder / WEIGHTS)
    change(weights)
    save_file(weights, folder / WEIGHTS)


def change_config(folder: Path, **values) -> None:
    """Write `values` into config.json; None removes a key."""
    config = json.loads((folder / "config.json").read_text()) | values
    kept = {key: value for key, value in config.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(kept))


def assert_same_weights(one: torch.nn.Module, other: torch.nn.Module) -> None:
    expected, found = one.state_dict(), other.state_dict()
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[key], found[key]) for key in expected)


@pytest.mark.parametrize("low_cpu_mem_usage", [True, False])
def test_a_saved_generator_comes_back_bit_equal(folder, low_cpu_mem_usage):
    loaded = UNetGenerator.from_pretrained(folder, low_cpu_mem_usage=low_cpu_mem_usage)
    assert_same_weights(narrow_generator(), loaded)
    assert not loaded.training
    with torch.no_grad():
        assert torch.equal(loaded(*faces()), narrow_generator().eval()(*faces()))


def test_a_generator_is_loaded_from_a_subfolder_and_in_half_precision(folder):
    loaded = UNetGenerator.from_pretrained(
        folder.parent, subfolder="synthesis", dtype=torch.float16
    )
    assert_same_weights(narrow_generator().half(), loaded)


def test_a_pipeline_loads_its_components_bit_equal(tmp_path):
    Twins(narrow_generator(0), narrow_generator(1)).save_pretrained(tmp_path)
    loaded = Twins.from_pretrained(tmp_path)
    assert_same_weights(narrow_generator(0), loaded.synthesis)
    assert_same_weights(narrow_generator(1), loaded.removal)


def test_a_pipeline_refuses_a_component_with_a_missing_weight(tmp_path):
    Twins(narrow_generator(0), narrow_generator(1)).save_pretrained(tmp_path)
    change_weights(tmp_path / "removal", lambda weights: weights.pop("encoder.2.1.weight"))
    with pytest.raises(CheckpointError, match=r"missing keys: encoder\.2\.1\.weight"):
        Twins.from_pretrained(tmp_path)


def nan_in(weights):
    weights["decoder.0.1.weight"][0, 0, 0, 0] = float("nan")


BROKEN_WEIGHTS = {
    "missing weight": (lambda w: w.pop("encoder.2.1.weight"), r"missing keys: encoder\.2\.1\.w"),
    "missing buffer": (lambda w: w.pop("encoder.1.2.running_var"), "missing keys: encoder.1.2.run"),
    "unknown weight": (lambda w: w.update(extra=torch.ones(1)), "unexpected keys: extra"),
    "wrong shape": (lambda w: w.update({"encoder.0.0.bias": torch.ones(5)}), "encoder.0.0.bias"),
    "not a number": (nan_in, r"not finite: decoder\.0\.1\.weight"),
}


@pytest.mark.parametrize("low_cpu_mem_usage", [True, False])  # with and without accelerate
@pytest.mark.parametrize("case", BROKEN_WEIGHTS)
def test_broken_weights_are_refused_by_name(folder, case, low_cpu_mem_usage):
    change, message = BROKEN_WEIGHTS[case]
    change_weights(folder, change)
    with pytest.raises(CheckpointError, match=message) as refusal:
        UNetGenerator.from_pretrained(folder, low_cpu_mem_usage=low_cpu_mem_usage)
    assert str(folder) in str(refusal.value)
    assert "export it again" in str(refusal.value)


def test_a_wrong_shape_is_refused_even_if_diffusers_is_told_to_ignore_it(folder):
    change_weights(folder, BROKEN_WEIGHTS["wrong shape"][0])
    with pytest.raises(CheckpointError, match="mismatched keys"):
        UNetGenerator.from_pretrained(folder, low_cpu_mem_usage=False, ignore_mismatched_sizes=True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"colour": 1}, "unknown colour"),
        ({"width": None}, "lacks width"),
        ({"width": "wide"}, "not supported"),
        ({"depth": 1}, "depth at least 2"),
        ({"width": 5}, "shape"),
        ({"_class_name": "WarpGenerator"}, "does not describe a UNetGenerator"),
    ],
)
def test_a_foreign_config_is_refused(folder, values, message):
    change_config(folder, **values)
    with pytest.raises(CheckpointError, match=message):
        UNetGenerator.from_pretrained(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_config_that_is_no_json_object_is_refused(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointError):
        UNetGenerator.from_pretrained(folder)


@pytest.mark.parametrize("kept", [0, 4, 200, -1])
def test_truncated_weights_are_refused(folder, kept):
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:kept])
    with pytest.raises(CheckpointError):
        UNetGenerator.from_pretrained(folder)


@pytest.mark.parametrize("name", [WEIGHTS, "config.json"])
def test_a_missing_file_is_refused(folder, name):
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match="no file named"):
        UNetGenerator.from_pretrained(folder)


def test_pickled_weights_are_never_opened(folder):
    torch.save(load_file(folder / WEIGHTS), folder / "diffusion_pytorch_model.bin")
    (folder / WEIGHTS).unlink()
    for asked in ({}, {"use_safetensors": None}, {"use_safetensors": False}):
        with pytest.raises(CheckpointError, match="no file named"):
            UNetGenerator.from_pretrained(folder, **asked)


def test_an_index_that_names_a_pickle_is_refused(folder):
    weights = load_file(folder / WEIGHTS)
    torch.save(weights, folder / "shard.bin")
    (folder / WEIGHTS).unlink()
    index = {"metadata": {}, "weight_map": dict.fromkeys(weights, "shard.bin")}
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="not shards"):
        UNetGenerator.from_pretrained(folder)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_generator_gives_pictures_between_0_and_1(channels):
    generator = narrow_generator(image_channels=channels)
    for parameter in generator.parameters():
        parameter.data *= 20  # far into the tanh's ends
    output = generator(*faces(channels=channels))
    assert output.shape == (2, channels, 128, 128)
    assert output.min() >= 0
    assert output.max() <= 1
    assert output.std() > 0.1


def test_the_full_width_generator_has_pix2pix_s_42_million_parameters():
    with torch.device("meta"):
        generator = UNetGenerator()
    assert sum(p.numel() for p in generator.parameters()) == 41_899_203


def test_every_parameter_of_the_generator_receives_a_gradient():
    generator = narrow_generator()
    generator(*faces()).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in generator.parameters())


def test_dropout_varies_the_output_in_training_only():
    generator, inputs = narrow_generator(), faces()
    torch.manual_seed(0)
    assert not torch.equal(generator(*inputs), generator(*inputs))
    generator.eval()
    assert torch.equal(generator(*inputs), generator(*inputs))


def test_the_generator_trains_on_a_single_picture():
    assert narrow_generator()(*faces(batch=1)).isfinite().all()


@pytest.mark.parametrize(
    ("image", "heatmaps"),
    [
        ((1, 1, 128, 128), (1, 68, 128, 128)),
        ((1, 3, 128, 128), (1, 67, 128, 128)),
        ((1, 3, 128, 128), (1, 68, 64, 64)),
        ((1, 3, 100, 100), (1, 68, 100, 100)),
    ],
)
def test_shapes_that_do_not_fit_are_named_with_the_ones_that_do(image, heatmaps):
    with pytest.raises(ValueError, match=r"image must be \(B, 3, H, W\).*multiples of 128"):
        narrow_generator()(torch.zeros(image), torch.zeros(heatmaps))
