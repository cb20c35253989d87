"""Two hundred damaged checkpoints: each is refused in words, or edits exactly as before."""

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from faces import draw_face
from safetensors.torch import load_file, save_file
from tiny import tiny_pipeline

from g2gan import G2GAN, CheckpointError
from g2gan.seal import FORMAT, seal

DAMAGES, BATCH = 200, 25


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "checkpoint"
    tiny_pipeline().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def photo_and_face():
    photo = draw_face(400)
    return photo, tiny_pipeline().detect(photo)[0]


def edited(pipe: G2GAN, photo_and_face) -> np.ndarray:
    photo, face = photo_and_face
    return np.asarray(pipe.synthesize(photo, "happiness", face=face).images[0])


@pytest.fixture(scope="module")
def expected(whole, photo_and_face) -> np.ndarray:
    return edited(G2GAN.from_pretrained(whole), photo_and_face)


def loaded(folder: Path) -> tuple[G2GAN | None, str]:
    """The pipeline, or what its refusal says."""
    try:
        return G2GAN.from_pretrained(folder), ""
    except CheckpointError as error:
        return None, str(error)


def flip_bytes(folder: Path, rng: random.Random) -> None:
    path = _any_file(folder, rng)
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 1, 8))):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def truncate(folder: Path, rng: random.Random) -> None:
    path = _any_file(folder, rng)
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content))])


def append(folder: Path, rng: random.Random) -> None:
    path = _any_file(folder, rng)
    path.write_bytes(path.read_bytes() + rng.randbytes(rng.randint(1, 100)))


def lose(folder: Path, rng: random.Random) -> None:
    _any_file(folder, rng).unlink()


def swap_files(folder: Path, rng: random.Random) -> None:
    one, other = rng.sample(sorted(folder.rglob("*.*")), 2)
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def rename_a_tensor(folder: Path, rng: random.Random) -> None:
    path, tensors = _tensors(folder, rng)
    name = rng.choice(sorted(tensors))
    tensors[name + rng.choice((".old", "2", " "))] = tensors.pop(name)
    save_file(tensors, path)


def reshape_a_tensor(folder: Path, rng: random.Random) -> None:
    path, tensors = _tensors(folder, rng)
    name = rng.choice(sorted(tensors))
    change = rng.choice((lambda t: t[None], lambda t: t.flatten()[:-1], lambda t: t.double()))
    tensors[name] = change(tensors[name]).contiguous()
    save_file(tensors, path)


def change_a_number(folder: Path, rng: random.Random) -> None:
    path, tensors = _tensors(folder, rng)
    flat = tensors[rng.choice(sorted(tensors))].view(-1)
    flat[rng.randrange(len(flat))] = rng.choice((float("nan"), float("inf"), 0.5, -1e30))
    save_file(tensors, path)


def mangle_json(folder: Path, rng: random.Random) -> None:
    path = rng.choice(sorted(folder.rglob("*.json")))
    text = path.read_text("utf-8")
    at = rng.randrange(len(text))
    mangled = (
        text[:at] + rng.choice('{}[],":0\x00é') + text[at + 1 :],
        text.replace(rng.choice("0123456789"), rng.choice("0123456789")),
        "[" * 100_000,
        rng.choice(("null", "[]", "{}", '"config"', "3", "")),
        '{"format": 1' + "0" * 5000 + "}",
    )
    path.write_text(rng.choice(mangled), "utf-8")


def change_an_entry(folder: Path, rng: random.Random) -> None:
    path = rng.choice(sorted(folder.rglob("*.json")))
    entries = json.loads(path.read_text("utf-8"))
    key = rng.choice(sorted(entries))
    value = entries.pop(key)
    odd = (None, -1, 10**9, 0.25, "", "x", [], [1, 2], {}, {"a": value}, [value], True)
    action = rng.randrange(3)
    if action == 0:
        entries[key] = rng.choice(odd)
    elif action == 1:
        entries[key + "_"] = value
    path.write_text(json.dumps(entries), "utf-8")


def _any_file(folder: Path, rng: random.Random) -> Path:
    return rng.choice(sorted(folder.rglob("*.*")))


def _tensors(folder: Path, rng: random.Random) -> tuple[Path, dict[str, torch.Tensor]]:
    path = rng.choice(sorted(folder.rglob("*.safetensors")))
    return path, load_file(path)


DAMAGE: tuple[Callable[[Path, random.Random], None], ...] = (
    flip_bytes,
    truncate,
    append,
    lose,
    swap_files,
    rename_a_tensor,
    reshape_a_tensor,
    change_a_number,
    mangle_json,
    change_an_entry,
)


@pytest.mark.parametrize("first", range(0, DAMAGES, BATCH))
def test_a_damaged_checkpoint_is_refused_or_edits_as_before(
    whole, tmp_path, photo_and_face, expected, first
):
    refused = 0
    for seed in range(first, first + BATCH):
        folder = Path(shutil.copytree(whole, tmp_path / str(seed)))
        DAMAGE[seed % len(DAMAGE)](folder, random.Random(seed))
        pipe, refusal = loaded(folder)
        if pipe is None:
            refused += 1
            assert str(folder) in refusal, seed
            assert "\n" not in refusal, seed
        else:
            assert np.array_equal(edited(pipe, photo_and_face), expected), seed
        shutil.rmtree(folder)
    assert refused > BATCH / 2


def with_a_module(folder: Path) -> None:
    (folder / "synthesis" / "warp_generator.py").write_text("raise SystemExit('this ran')")


def with_a_pickle(folder: Path) -> None:
    torch.save({}, folder / "removal" / "diffusion_pytorch_model.bin")


def with_a_pipe(folder: Path) -> None:
    weights = folder / "removal" / "diffusion_pytorch_model.safetensors"
    weights.unlink()
    os.mkfifo(weights)


def with_a_loop(folder: Path) -> None:
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to("config.json")


def with_an_endless_file(folder: Path) -> None:
    (folder / "model_index.json").unlink()
    (folder / "model_index.json").symlink_to("/dev/zero")


def with_a_link_to_nowhere(folder: Path) -> None:
    shutil.rmtree(folder / "shape_model")
    (folder / "shape_model").symlink_to(folder / "gone")


def with_a_pickle_s_name(folder: Path) -> None:
    """Contents of a pickle under the name of a safetensors file."""
    torch.save({"weight": torch.zeros(1)}, folder / "removal" / "diffusion_pytorch_model.bin")
    (folder / "removal" / "diffusion_pytorch_model.bin").replace(
        folder / "removal" / "diffusion_pytorch_model.safetensors"
    )


def of_format(number: int) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        entries = json.loads((folder / "config.json").read_text("utf-8"))
        (folder / "config.json").write_text(json.dumps(entries | {"format": number}))

    return change


def without_digests(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"format": FORMAT, "library_name": "g2gan"}))


def sealed_over_another_tensor(folder: Path) -> None:
    rename_a_tensor(folder, random.Random(0))
    seal(folder, ["removal", "shape_model", "synthesis"])


def with_custom_code(folder: Path) -> None:
    index = json.loads((folder / "model_index.json").read_text("utf-8"))
    index["_class_name"] = ["pipeline", "G2GAN"]
    (folder / "model_index.json").write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("set_trap", "said"),
    [
        (with_a_module, "holds code"),
        (with_a_pickle, "holds pickled data"),
        (with_a_pipe, "is missing"),
        (with_a_loop, "is missing"),
        (with_an_endless_file, "is missing"),
        (with_a_link_to_nowhere, "is missing"),
        (with_a_pickle_s_name, "SHA-256 differs"),
        (of_format(FORMAT + 1), "update g2gan"),
        (of_format(FORMAT - 1), "take a newer revision"),
        (without_digests, "does not list"),
        (sealed_over_another_tensor, "keys"),
        (with_custom_code, "does not describe"),
    ],
)
def test_a_trap_is_refused_by_what_it_is(whole, tmp_path, set_trap, said):
    folder = Path(shutil.copytree(whole, tmp_path / "trap"))
    set_trap(folder)
    with pytest.raises(CheckpointError, match=said):
        G2GAN.from_pretrained(folder)


def test_half_precision_is_the_networks_alone(whole, photo_and_face):
    pipe = G2GAN.from_pretrained(whole, dtype=torch.float16)
    assert pipe.synthesis.dtype == pipe.removal.dtype == torch.float16
    assert pipe.shape_model.mean.dtype == torch.float32
    with pytest.raises(TypeError, match="dtype"):
        G2GAN.from_pretrained(whole, dtype="float16")
    pipe.to(torch.bfloat16)
    assert pipe.synthesis.dtype == torch.bfloat16
    exact = G2GAN.from_pretrained(whole)
    for name, values in exact.shape_model.named_buffers():
        assert torch.equal(getattr(pipe.shape_model, name), values)
