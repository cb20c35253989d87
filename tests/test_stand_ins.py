"""The recognition networks that stand in for the paper's."""

import json
from pathlib import Path

import numpy as np
import published
import pytest
import torch
from PIL import Image
from torch.nn import functional

from g2gan.errors import CheckpointError
from g2gan.landmarks import LandmarkDetector
from train import stand_ins
from train.losses import IdentityLoss
from train.recognizers import cut_chip, identity_similarity
from train.stand_ins import DlibFace, HSEFace

EXAMPLES = Path(__file__).parents[1] / "examples"
needs_weights = pytest.mark.skipif(
    not DlibFace.is_installed(), reason='needs pip install "g2gan[recognition]"'
)


def faces(count: int = 2, channels: int = 3) -> torch.Tensor:
    return torch.rand((count, channels, 128, 128), generator=torch.Generator().manual_seed(1))


def test_convolutions_take_over_the_scales_that_follow_them(monkeypatch):
    data = published.dlib(np.random.default_rng(0))
    monkeypatch.setattr(stand_ins, "dlib_weights", lambda: data)
    network = DlibFace()
    filters = np.frombuffer(data, "<f4", 32 * 147 + 32, data.index(b"con_4") + 5 + 2 + 3 + 6)
    expected = 0.5 * filters[: 32 * 147].reshape(32, 3, 7, 7)
    np.testing.assert_allclose(network.stem.weight.detach(), expected, rtol=1e-6)
    np.testing.assert_allclose(
        network.stem.bias.detach(), 0.5 * filters[32 * 147 :] + 0.1, rtol=1e-5
    )
    assert network(faces()).shape == (2, 128)


def test_a_file_of_another_network_is_refused(monkeypatch):
    monkeypatch.setattr(
        stand_ins, "dlib_weights", lambda: published.dlib_layer("con_4", np.ones(9))
    )
    with pytest.raises(CheckpointError, match="does not hold dlib's network"):
        DlibFace()


@needs_weights
def test_features_are_dlibs_own():
    """Against dlib itself, on chips of noise over a face's colours."""
    dlib = pytest.importorskip("dlib")
    network = DlibFace()
    rng = np.random.default_rng(0)
    chips = rng.integers(0, 256, (2, 150, 150, 3), dtype=np.uint8)
    judge = dlib.face_recognition_model_v1(str(stand_ins.dlib_file()))
    expected = np.array([judge.compute_face_descriptor(chip) for chip in chips])
    with torch.no_grad():
        found = network.descriptor(torch.from_numpy(chips).permute(0, 3, 1, 2).float())
    np.testing.assert_allclose(found, expected, atol=1e-5)


@needs_weights
def test_gradients_of_the_identity_loss_reach_every_pixel_through_dlibs_network():
    picture = faces(1).requires_grad_()
    loss = IdentityLoss(DlibFace(), 128)(picture, faces(1).flip(-1))
    loss.backward()
    assert loss > 0
    assert (picture.grad.abs().sum((0, 1)) > 0).float().mean() > 0.9


@needs_weights
def test_dlibs_network_knows_composites_again():
    """Portraits that two people each do not share."""
    detector, network = LandmarkDetector(), DlibFace()
    photos = {
        name: np.asarray(Image.open(EXAMPLES / f"{name}.jpg").convert("RGB"))
        for name in ("man-20s-neutral", "woman-20s-fair-neutral", "woman-20s-fair-smiling")
    }
    meshes = {name: detector.detect(photo)[0].mesh for name, photo in photos.items()}

    def similarity(*names: str) -> float:
        return identity_similarity(network, [photos[n] for n in names], [meshes[n] for n in names])

    same = similarity("woman-20s-fair-neutral", "woman-20s-fair-smiling")
    assert same > 0.97
    assert similarity("woman-20s-fair-neutral", "man-20s-neutral") < same - 0.03
    assert network(faces(3, 1)).shape == (3, 128)


def test_missing_weights_say_what_to_install(monkeypatch):
    monkeypatch.setattr(stand_ins, "find_spec", lambda _name: None)
    assert not DlibFace.is_installed()
    with pytest.raises(CheckpointError, match=r"pip install \"g2gan\[recognition\]\""):
        DlibFace()


def test_hse_computes_what_its_layers_say(tmp_path):
    """A second reading of the graph: TensorFlow's padding, ReLU6, BGR less the mean."""
    weights = published.hse(tmp_path, np.random.default_rng(0))
    weights = {name: torch.from_numpy(v.astype(np.float32)) for name, v in weights.items()}
    network = HSEFace(tmp_path / "faceres.json")
    red, green, blue = (255 * cut_chip(faces(), network.chip)).unbind(dim=1)
    x = torch.stack([blue - 103.939, green - 116.779, red - 123.68], 1)

    def convolved(x, kernel, bias, stride, groups):
        if kernel.shape[2] == 3:  # "SAME": what is odd goes to the end
            total = max(3 - stride, 0)
            x = functional.pad(x, (total // 2, total - total // 2) * 2)
        return functional.conv2d(x, kernel, bias, stride, groups=groups).clamp(0, 6)

    kernel = weights["conv1/convolution/merged_input"].permute(3, 2, 0, 1)
    x = convolved(x, kernel, weights["conv1_bn/batchnorm_1/sub"], 2, 1)
    for number in range(1, 14):
        name, stride = f"conv_dw_{number}", 2 if number in (2, 4, 6, 12) else 1
        kernel = (
            weights[f"{name}/depthwise_kernel"] * weights[f"{name}_bn/batchnorm_1/mul"][:, None]
        )
        bias = weights[f"{name}_bn/batchnorm_1/sub"]
        x = convolved(x, kernel.permute(2, 3, 0, 1), bias, stride, x.shape[1])
        name = f"conv_pw_{number}"
        kernel = weights[f"{name}/convolution/merged_input"].permute(3, 2, 0, 1)
        x = convolved(x, kernel, weights[f"{name}_bn/batchnorm_1/sub"], 1, 1)
    with torch.no_grad():
        torch.testing.assert_close(network(faces()), x.mean((2, 3)), atol=1e-3, rtol=1e-3)


def test_a_missing_or_foreign_hse_file_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="is not HSE's network"):
        HSEFace(tmp_path / "faceres.json")
    (tmp_path / "faceres.json").write_text(
        json.dumps({"weightsManifest": [{"paths": [], "weights": []}]})
    )
    with pytest.raises(CheckpointError, match="is not HSE's network"):
        HSEFace(tmp_path / "faceres.json")
