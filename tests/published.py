"""Small files with the keys of the published recognition networks, and random weights."""

from pathlib import Path

import numpy as np
import torch
from scipy.io import savemat

LIGHT_WIDTHS, LIGHT_FEATURES = (2, 3, 4, 3, 3), 8
VGG_CHANNELS = {
    "conv1_1": 2,
    "conv1_2": 2,
    "conv2_1": 3,
    "conv2_2": 3,
    "conv3_1": 3,
    "conv3_2": 3,
    "conv3_3": 3,
    "conv4_1": 3,
    "conv4_2": 3,
    "conv4_3": 3,
    "conv5_1": 3,
    "conv5_2": 3,
    "conv5_3": 3,
    "fc6": 5,
    "fc7": 6,
    "fc8": 4,
}


def light_cnn(path: Path) -> dict[str, torch.Tensor]:
    """As the authors' checkpoint: saved from DataParallel, with a classifier; its state_dict."""
    generator = torch.Generator().manual_seed(0)
    a, b, c, d, e = LIGHT_WIDTHS
    shapes = {"module.features.0.filter": (2 * a, 1, 5, 5)}
    for index, (inputs, outputs) in zip(
        (2, 4, 6, 7), ((a, b), (b, c), (c, d), (d, e)), strict=True
    ):
        shapes[f"module.features.{index}.conv_a.filter"] = (2 * inputs, inputs, 1, 1)
        shapes[f"module.features.{index}.conv.filter"] = (2 * outputs, inputs, 3, 3)
    shapes["module.fc1.filter"] = (2 * LIGHT_FEATURES, 8 * 8 * e)
    shapes["module.fc2"] = (7, LIGHT_FEATURES)
    state = {}
    for name, shape in shapes.items():
        state[f"{name}.weight"] = torch.randn(shape, generator=generator) / np.sqrt(
            np.prod(shape[1:])
        )
        state[f"{name}.bias"] = torch.randn(shape[:1], generator=generator) / 10
    torch.save({"epoch": 80, "arch": "LightCNN", "state_dict": state, "prec1": 97.9}, path)
    return state


def vgg_face(path: Path, nested: bool = True) -> dict[str, np.ndarray]:
    """As MatConvNet's file, in a struct `net` or not; filters (height, width, in, out) by name."""
    rng = np.random.default_rng(0)
    layers, filters, inputs = [], {}, 3
    for name, outputs in VGG_CHANNELS.items():
        side = {"fc6": 7, "fc7": 1, "fc8": 1}.get(name, 3)
        spread = 1 / np.sqrt(side * side * inputs)
        filters[name] = rng.normal(0, spread, (side, side, inputs, outputs)).astype(np.float32)
        weights = np.empty(2, object)
        weights[:] = filters[name], rng.normal(0, 0.1, (1, outputs)).astype(np.float32)
        layers.append({"name": name, "type": "conv", "weights": weights, "stride": 1.0})
        layers.append({"name": name.replace("conv", "relu"), "type": "relu"})
        inputs = outputs
    content = {"layers": np.array(layers, object)}
    savemat(path, {"net": content} if nested else content)
    return filters
