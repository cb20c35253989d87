"""A checkpoint's two generators as ONNX, for runtimes without torch.

    python -m train.export_onnx checkpoints/g2gan-london

Writes, beside the weights, `onnx/synthesis.onnx` and `onnx/removal.onnx`, which take any number of
crops at once, and `synthesis-1.onnx`, `removal-1.onnx` for one, since some runtimes want every size
fixed; and `onnx.json`, which says what they were made of. `docs/onnx.md` says what goes in and what
is done with what comes out. Needs the package `onnx`.
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from g2gan import G2GAN
from g2gan.alignment import WORKING
from g2gan.models.warp_generator import WarpFields, WarpGenerator
from train.card import ONNX_FOLDER, ONNX_RECORD, weights_digest
from train.command import mistakes_are_said

OPSET = 17
INPUTS = ("image", "base_flow", "gates", "source_landmarks", "target_landmarks")
OUTPUTS = WarpFields._fields


class _Fields(nn.Module):
    """A generator whose output is a plain tuple, as the exporter wants it."""

    def __init__(self, generator: WarpGenerator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.generator.predict(*inputs))


@mistakes_are_said()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path, help="folder; onnx/ is written into it")
    export(parser.parse_args().checkpoint)


def export(checkpoint: Path) -> None:
    """Write the folder `onnx` of a checkpoint; nothing is left of an older one."""
    pipe = G2GAN.from_pretrained(checkpoint)
    out = checkpoint / ONNX_FOLDER
    unfinished = checkpoint.with_name(f"{checkpoint.name}.onnx.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    for name in ("synthesis", "removal"):
        for suffix, dynamic in (("", True), ("-1", False)):
            export_generator(getattr(pipe, name), unfinished / f"{name}{suffix}.onnx", dynamic)
    record = {"weights": weights_digest(checkpoint), "opset": OPSET, "torch": torch.__version__}
    (unfinished / ONNX_RECORD).write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    shutil.rmtree(out, ignore_errors=True)
    unfinished.replace(out)


def export_generator(generator: WarpGenerator, path: Path, dynamic: bool) -> None:
    """Write one generator.

    Args:
        path: of the .onnx file.
        dynamic: any number of crops at once, else one.
    """
    torch.onnx.export(
        _Fields(generator.float().eval()),
        example_inputs(2 if dynamic else 1),
        str(path),
        input_names=list(INPUTS),
        output_names=list(OUTPUTS),
        dynamic_axes={name: {0: "batch"} for name in INPUTS + OUTPUTS} if dynamic else None,
        opset_version=OPSET,
        dynamo=False,
    )
    model = onnx.load(path)
    _store_in_half(model.graph)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def example_inputs(batch: int, seed: int = 0) -> tuple[Tensor, ...]:
    """Random inputs of `WarpGenerator` at the working frame's size, within their ranges."""
    generator = torch.Generator().manual_seed(seed)
    side = WORKING.side

    def uniform(*shape: int) -> Tensor:
        return torch.rand(batch, *shape, generator=generator)

    source = uniform(68, 2) * side
    return (
        uniform(3, side, side),
        uniform(2, side, side) * 16 - 8,
        uniform(2, side, side),
        source,
        source + uniform(68, 2) * 8 - 4,
    )


def _store_in_half(graph: onnx.GraphProto) -> None:
    """Keep weights that half precision holds exactly in it; a cast brings them back when loading.

    Checkpoints store their weights in half precision: the file is half as large, and no result
    changes.
    """
    casts = []
    for index, tensor in enumerate(graph.initializer):
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            halves = values.astype(np.float16)
        if values.size < 64 or not np.array_equal(halves.astype(np.float32), values):
            continue
        name = tensor.name
        graph.initializer[index].CopyFrom(numpy_helper.from_array(halves, f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


if __name__ == "__main__":
    main()
