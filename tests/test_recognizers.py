"""The published recognition networks, on small files with their keys."""

from pathlib import Path

import cv2
import numpy as np
import published
import pytest
import torch
from torch.nn import functional

from g2gan.alignment import Frame
from g2gan.errors import CheckpointError
from train.losses import IdentityLoss
from train.recognizers import (
    CROP,
    LightCNN9,
    convert,
    cut_chip,
    identity_similarity,
    load_recognizer,
)

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    published.light_cnn(folder / "light.pth.tar")
    published.vgg_face(folder / "vgg.mat")
    found = {}
    for name, file in (("light_cnn_9", "light.pth.tar"), ("vgg_face", "vgg.mat")):
        convert(name, folder / file, folder / f"{name}.safetensors")
        found[name] = load_recognizer(folder / f"{name}.safetensors")
    return found


def faces(count: int = 2, channels: int = 3) -> torch.Tensor:
    return torch.rand((count, channels, 128, 128), generator=torch.Generator().manual_seed(1))


def test_the_published_light_cnn_has_the_authors_sizes():
    network = LightCNN9()
    sizes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert sizes["features.0.filter.weight"] == (96, 1, 5, 5)
    assert sizes["features.6.conv.filter.weight"] == (256, 192, 3, 3)
    assert sizes["fc1.filter.weight"] == (512, 8 * 8 * 128)


def test_light_cnn_computes_what_its_layers_say(networks, tmp_path):
    state = published.light_cnn(tmp_path / "again")

    def maximum(x, key, padding):
        x = functional.conv2d(x, state[f"{key}.weight"], state[f"{key}.bias"], padding=padding)
        first, second = x.split(x.shape[1] // 2, dim=1)
        return torch.where(first > second, first, second)

    x = functional.max_pool2d(maximum(faces(channels=1), "module.features.0.filter", 2), 2)
    for index in (2, 4, 6, 7):
        x = maximum(x, f"module.features.{index}.conv_a.filter", 0)
        x = maximum(x, f"module.features.{index}.conv.filter", 1)
        x = functional.max_pool2d(x, 2) if index != 6 else x
    weight, bias = (state[f"module.fc1.filter.{kind}"] for kind in ("weight", "bias"))
    both = functional.linear(x.flatten(1), weight, bias).view(2, 2, published.LIGHT_FEATURES)
    result = networks["light_cnn_9"](faces(channels=1))
    torch.testing.assert_close(result, both.max(1).values, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("nested", [True, False])
def test_vgg_filters_keep_their_orientation(tmp_path, nested):
    filters = published.vgg_face(tmp_path / "vgg.mat", nested)
    convert("vgg_face", tmp_path / "vgg.mat", tmp_path / "vgg.safetensors")
    network = load_recognizer(tmp_path / "vgg.safetensors")
    for name in ("conv1_1", "conv5_3", "fc6", "fc7"):
        found = network.layers[name].weight.detach().numpy()
        np.testing.assert_array_equal(found, filters[name].transpose(3, 2, 0, 1))
    assert "fc8" not in network.layers


@pytest.mark.parametrize("name", ["light_cnn_9", "vgg_face"])
def test_features_take_grey_and_colour_and_gradients_reach_the_picture(networks, name):
    picture = faces(1).requires_grad_()
    loss = IdentityLoss(networks[name], 128)(picture, faces(1).flip(-1))
    loss.backward()
    assert loss > 0
    assert (picture.grad.abs().sum((0, 1)) > 0).float().mean() > 0.5
    grey = faces(1, 1)
    torch.testing.assert_close(
        networks[name](grey), networks[name](grey.expand(-1, 3, -1, -1)), atol=1e-4, rtol=1e-3
    )


def test_the_chip_of_the_same_frame_is_the_crop_itself():
    torch.testing.assert_close(cut_chip(faces(), CROP), faces(), atol=1e-4, rtol=0)


def test_a_chip_puts_the_eyes_where_its_frame_says():
    """Channels that hold their own x and y show where a chip's pixel was cut."""
    y, x = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    chip = Frame(100, eye_distance=0.3, eye_line=0.4)
    cut = cut_chip(torch.stack([x, y])[None], chip)[0]
    for eye, expected in ((35, 41.0), (65, 87.0)):  # 50 -+ 15 and 64 -+ 23
        torch.testing.assert_close(
            cut[:, 40, eye], torch.tensor([expected, 40.0]), atol=1e-3, rtol=0
        )


def test_foreign_files_are_refused_with_the_reason(tmp_path):
    torch.save({"state_dict": {"module.conv.weight": torch.zeros(1)}}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="published weights of light_cnn_9"):
        convert("light_cnn_9", tmp_path / "other.pth", tmp_path / "out.safetensors")
    with pytest.raises(CheckpointError, match="published weights of vgg_face"):
        convert("vgg_face", tmp_path / "missing.mat", tmp_path / "out.safetensors")
    with pytest.raises(CheckpointError, match=r"python -m train\.recognizers"):
        load_recognizer(tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


def test_the_same_face_is_more_alike_than_another(networks):
    """Wherever in the picture it lies, and however large."""
    points = np.zeros((68, 2))
    points[36:42], points[42:48] = (100, 120), (160, 120)
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    face, other = (cv2.resize(each, (256, 256), interpolation=cv2.INTER_CUBIC) for each in blocks)
    moved = cv2.warpAffine(
        face, np.float32([[1.5, 0, 20], [0, 1.5, 30]]), (500, 500), flags=cv2.INTER_CUBIC
    )
    for network in networks.values():
        same = identity_similarity(network, [face, moved], [points, 1.5 * points + [20, 30]])
        different = identity_similarity(network, [face, other], [points, points])
        assert same > 0.99
        assert different < same


class Trap:
    """What a pickle could do: leave a mark on the disk."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_checkpoint_with_code_in_it_is_never_run(tmp_path):
    torch.save({"state_dict": Trap(tmp_path / "mark")}, tmp_path / "trap.pth")
    with pytest.raises(CheckpointError):
        convert("light_cnn_9", tmp_path / "trap.pth", tmp_path / "out.safetensors")
    assert not (tmp_path / "mark").exists()
