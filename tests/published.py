"""Small files with the keys of the published recognition networks, and random weights."""

import json
import struct
from pathlib import Path

import numpy as np
import torch
from scipy.io import savemat

from train.stand_ins import DLIB_STAGES, HSE_CHANNELS

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


def _written(number: int) -> bytes:
    """An integer as dlib writes it: its length in bytes, then those."""
    size = max(1, (number.bit_length() + 7) // 8)
    return struct.pack("B", size) + number.to_bytes(size, "little")


def dlib_layer(name: str, values: np.ndarray, before: tuple[int, ...] = ()) -> bytes:
    """A layer as dlib writes it: name, what its kind has before, parameters, and more."""
    head = _written(len(name)) + name.encode() + b"".join(_written(n) for n in (*before, 2))
    sizes = b"".join(_written(n) for n in (values.size, 1, 1, 1))
    return head + sizes + values.astype("<f4").tobytes() + _written(300) + b"more"


def dlib(rng: np.random.Generator) -> bytes:
    """A file of random weights in dlib's order: con_4 and affine_ in turn, fc_2 last."""
    shapes = [(32, 3, 7)]
    inputs = 32
    for outputs, count in DLIB_STAGES:
        for _ in range(count):
            shapes += [(outputs, inputs, 3), (outputs, outputs, 3)]
            inputs = outputs
    data = b"head"
    for outputs, channels, side in shapes:
        size = outputs * channels * side * side
        filters = rng.normal(0, (2 / (channels * side * side)) ** 0.5, size)
        data += dlib_layer("con_4", np.concatenate([filters, rng.normal(0, 0.1, outputs)]))
        data += dlib_layer(
            "affine_", np.concatenate([np.full(outputs, 0.5), np.full(outputs, 0.1)])
        )
    return data + dlib_layer("fc_2", rng.normal(0, 0.1, 256 * 128), before=(128, 256))


def hse(folder: Path, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A file of random weights under the published names, in half precision; the weights."""
    tensors = {"feats/kernel": np.ones((2, 2)), "conv1/convolution/merged_input": (3, 3, 3, 32)}
    tensors["conv1_bn/batchnorm_1/sub"] = (32,)
    inputs = 32
    for number, outputs in enumerate(HSE_CHANNELS, start=1):
        tensors[f"conv_dw_{number}/depthwise_kernel"] = (3, 3, inputs, 1)
        tensors[f"conv_dw_{number}_bn/batchnorm_1/mul"] = (inputs,)
        tensors[f"conv_dw_{number}_bn/batchnorm_1/sub"] = (inputs,)
        tensors[f"conv_pw_{number}/convolution/merged_input"] = (1, 1, inputs, outputs)
        tensors[f"conv_pw_{number}_bn/batchnorm_1/sub"] = (outputs,)
        inputs = outputs
    for name, shape in tensors.items():
        if isinstance(shape, tuple):
            fan_in = np.prod(shape[:3]) / (shape[2] if "depthwise" in name else 1)
            scale = 0.1 if len(shape) == 1 else (2 / fan_in) ** 0.5
            tensors[name] = rng.normal(1.0 if name.endswith("mul") else 0.0, scale, shape)
    tensors = {name: values.astype(np.float16) for name, values in tensors.items()}
    entries = [
        {
            "name": name,
            "shape": list(values.shape),
            "dtype": "float32",
            "quantization": {"dtype": "float16", "original_dtype": "float32"},
        }
        for name, values in tensors.items()
    ]
    manifest = [{"paths": ["faceres.bin"], "weights": entries}]
    (folder / "faceres.json").write_text(json.dumps({"weightsManifest": manifest}))
    (folder / "faceres.bin").write_bytes(b"".join(v.tobytes() for v in tensors.values()))
    return tensors
