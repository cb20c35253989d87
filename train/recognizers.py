"""Networks that tell whose face it is: F of the identity loss (eq. 5) and the judges of table 2.

    python -m train.recognizers light_cnn_9 LightCNN_9Layers_checkpoint.pth.tar OUT.safetensors
    python -m train.recognizers vgg_face vgg_face.mat OUT.safetensors

The authors' published weights are converted once; training and evaluation read safetensors only.
VGG-Face's weights are for non-commercial use: they judge, and never take part in training. Where
the paper's networks are missing, those of `train.stand_ins` take their place.
"""

import argparse
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from g2gan.alignment import Frame, crop
from g2gan.errors import CheckpointError
from train.command import mistakes_are_said
from train.losses import mouth_squares
from train.paper import ASSUMED

CROP = Frame(
    ASSUMED.crop_side,
    ASSUMED.eye_distance / ASSUMED.crop_side,
    (ASSUMED.eye_line - ASSUMED.margin) / ASSUMED.crop_side,
)
LUMINANCE = (0.299, 0.587, 0.114)
VGG_MEAN = (129.1863, 104.7624, 93.5940)  # RGB, 0 to 255: the published model's average image
VGG_LAYERS = ((1, 2), (2, 2), (3, 3), (4, 3), (5, 3))  # block, convolutions; a pool ends each


def cut_chip(faces: Tensor, chip: Frame, frame: Frame = CROP) -> Tensor:
    """Faces (B, C, S, S) resampled into another frame; gradients reach them.

    A random crop is cut as if it were the centre one: an identity loss shifts both alike.

    Args:
        chip: the frame to cut.
        frame: the one they lie in.
    """
    scale = frame.eye_distance * frame.side / (chip.eye_distance * chip.side)
    # a frame's places count pixel centres from 0, the square is placed by its middle
    x = 0.5 * frame.side - 0.5 * scale
    y = frame.eye_line * frame.side + (chip.side / 2 - 0.5 - chip.eye_line * chip.side) * scale
    centres = torch.tensor([[x, y]]).expand(len(faces), 2)
    return mouth_squares(faces, centres, scale * chip.side, chip.side)


class MaxFeatureMap(nn.Module):
    """A layer of twice the channels; of each pair the greater value goes on."""

    def __init__(self, layer: nn.Conv2d | nn.Linear) -> None:
        super().__init__()
        self.filter = layer

    def forward(self, x: Tensor) -> Tensor:
        return torch.maximum(*self.filter(x).chunk(2, dim=1))


class Group(nn.Module):
    """1 x 1, then 3 x 3, both with max feature maps."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv_a = MaxFeatureMap(nn.Conv2d(inputs, 2 * inputs, 1))
        self.conv = MaxFeatureMap(nn.Conv2d(inputs, 2 * outputs, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.conv_a(x))


class LightCNN9(nn.Module):
    """Light CNN-9 (Wu, He, Sun, Tan 2018) without its classifier; the paper's F.

    Args:
        widths: channels of the first layer and of the four groups.
        features: length of the feature vector.
    """

    chip = CROP  # by its own alignment: eyes on row 40 of 128 (see `PaperAssumptions`)

    def __init__(
        self, widths: tuple[int, ...] = (48, 96, 192, 128, 128), features: int = 256
    ) -> None:
        super().__init__()
        a, b, c, d, e = widths
        pool = nn.MaxPool2d(2, ceil_mode=True)
        first = MaxFeatureMap(nn.Conv2d(1, 2 * a, 5, padding=2))
        groups = (Group(a, b), Group(b, c), Group(c, d), Group(d, e))
        self.features = nn.Sequential(
            first, pool, groups[0], pool, groups[1], pool, groups[2], groups[3], pool
        )
        cells = (self.chip.side // 16) ** 2
        self.fc1 = MaxFeatureMap(nn.Linear(cells * e, 2 * features))

    def forward(self, faces: Tensor) -> Tensor:
        """Features (B, 256) of centre crops (B, 1 or 3, 128, 128) in [0, 1]."""
        return self.fc1(self.features(cut_chip(grey(faces), self.chip)).flatten(1))

    @classmethod
    def fitting(cls, weights: dict[str, Tensor]) -> "LightCNN9":
        """An empty network of the widths that these weights have; KeyError without them."""
        layers = ("0.filter", "2.conv.filter", "4.conv.filter", "6.conv.filter", "7.conv.filter")
        widths = tuple(len(weights[f"features.{layer}.bias"]) // 2 for layer in layers)
        return cls(widths, len(weights["fc1.filter.bias"]) // 2)


class VGGFace(nn.Module):
    """VGG-Face (Parkhi, Vedaldi, Zisserman 2015) up to its last hidden layer, fc7.

    Which layer the paper compares is not said: fc7 after its ReLU is an assumption, as is the chip,
    the whole crop enlarged.

    Args:
        channels: each layer's outputs, by its published name, in order.
    """

    chip = Frame(224, CROP.eye_distance, CROP.eye_line)

    def __init__(self, channels: dict[str, int]) -> None:
        super().__init__()
        self.layers = nn.ModuleDict()
        inputs = 3
        for name, outputs in channels.items():
            side = {"fc6": 7, "fc7": 1}.get(name, 3)
            padding = 0 if name.startswith("fc") else 1
            self.layers[name] = nn.Conv2d(inputs, outputs, side, padding=padding)
            inputs = outputs
        self.register_buffer("mean", torch.tensor(VGG_MEAN).view(1, 3, 1, 1), persistent=False)

    def forward(self, faces: Tensor) -> Tensor:
        """Features (B, 4096) of centre crops (B, 1 or 3, 128, 128) in [0, 1]."""
        x = 255 * cut_chip(faces.expand(-1, 3, -1, -1), self.chip) - self.mean
        for block, count in VGG_LAYERS:
            for number in range(1, count + 1):
                x = functional.relu(self.layers[f"conv{block}_{number}"](x))
            x = functional.max_pool2d(x, 2)
        x = functional.relu(self.layers["fc6"](x))
        return functional.relu(self.layers["fc7"](x)).flatten(1)

    @classmethod
    def fitting(cls, weights: dict[str, Tensor]) -> "VGGFace":
        """An empty network of the widths that these weights have; KeyError without them."""
        return cls({name: len(weights[f"layers.{name}.bias"]) for name in _vgg_names()})


ARCHITECTURES = {"light_cnn_9": LightCNN9, "vgg_face": VGGFace}


def grey(faces: Tensor) -> Tensor:
    """Luminance (B, 1, H, W) of colour; grey stays as it is."""
    if faces.shape[1] == 1:
        return faces
    return (faces * faces.new_tensor(LUMINANCE).view(1, 3, 1, 1)).sum(1, keepdim=True)


def load_recognizer(path: Path) -> nn.Module:
    """A converted network, in evaluation mode.

    Raises:
        CheckpointError: it is missing, damaged, or not converted by this module.
    """
    try:
        with safe_open(path, "pt") as file:
            architecture = (file.metadata() or {}).get("architecture")
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        network = ARCHITECTURES[architecture].fitting(weights)
        network.load_state_dict(weights)
    except (OSError, KeyError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(
            f"{path} is no converted recognition network ({error}); "
            "make it with python -m train.recognizers"
        ) from error
    return network.eval()


@torch.inference_mode()
def identity_similarity(
    recognizer: nn.Module, photos: list[np.ndarray], meshes: list[np.ndarray]
) -> float:
    """How alike a network takes two faces to be: the cosine of their features, at most 1.

    Args:
        recognizer: one of this module's.
        photos: two uint8 RGB pictures (H, W, 3) of any size.
        meshes: the face in each, (478, 2 or 3) or (68, 2), in its pixels.
    """
    crops = [
        crop(photo, CROP.matrix(mesh), CROP.side).astype(np.float32) / 255
        for photo, mesh in zip(photos, meshes, strict=True)
    ]
    first, second = recognizer(torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2))
    return functional.cosine_similarity(first, second, dim=0).item()


def convert(architecture: str, published: Path, out: Path) -> None:
    """Write the published weights of an architecture as safetensors.

    Raises:
        CheckpointError: the file is not the published one of this architecture.
    """
    try:
        weights = {"light_cnn_9": _light_cnn_weights, "vgg_face": _vgg_weights}[architecture](
            published
        )
        ARCHITECTURES[architecture].fitting(weights).load_state_dict(weights)
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, UnpicklingError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(
            f"{published} does not hold the published weights of {architecture}: {reason}"
        ) from error
    unfinished = out.with_name(f"{out.name}.part")
    save_file(weights, unfinished, {"architecture": architecture})
    unfinished.replace(out)


def _light_cnn_weights(path: Path) -> dict[str, Tensor]:
    """The authors' PyTorch checkpoint without its classifier; nothing is unpickled but tensors."""
    state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    names = {key: key.removeprefix("module.") for key in state}  # it was saved from DataParallel
    return {
        name: state[key].float().contiguous()
        for key, name in names.items()
        if not name.startswith("fc2.")
    }


def _vgg_weights(path: Path) -> dict[str, Tensor]:
    """MatConvNet's file: a struct `net`, or its fields at the top, with a list of layers."""
    from scipy.io import loadmat

    content = loadmat(path, struct_as_record=False, squeeze_me=True)
    layers = content["net"].layers if "net" in content else content["layers"]
    named = {layer.name: layer.weights for layer in layers if hasattr(layer, "weights")}
    weights, inputs = {}, 3
    for name in _vgg_names():
        filters, biases = named[name]
        biases = np.atleast_1d(biases)
        side = {"fc6": 7, "fc7": 1}.get(name, 3)
        # squeezed axes come back: (height, width, in, out) in the file, (out, in, height, width)
        filters = np.asarray(filters, np.float32).reshape(side, side, inputs, len(biases))
        weights[f"layers.{name}.weight"] = torch.from_numpy(
            np.ascontiguousarray(filters.transpose(3, 2, 0, 1))
        )
        weights[f"layers.{name}.bias"] = torch.from_numpy(np.asarray(biases, np.float32))
        inputs = len(biases)
    return weights


def _vgg_names() -> list[str]:
    convolutions = [f"conv{block}_{i + 1}" for block, count in VGG_LAYERS for i in range(count)]
    return [*convolutions, "fc6", "fc7"]


@mistakes_are_said()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("architecture", choices=sorted(ARCHITECTURES))
    parser.add_argument("published", type=Path, help="the authors' file")
    parser.add_argument("out", type=Path, help="*.safetensors")
    arguments = parser.parse_args()
    convert(arguments.architecture, arguments.published, arguments.out)


if __name__ == "__main__":
    main()
