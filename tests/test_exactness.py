"""Training that is killed, or spread over processes, ends where an undisturbed one does.

Five to ten seconds of each process go into its imports.
"""

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import drawn_set
import published
import pytest
import tiny_paper
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from train.paper_plan import CHECKPOINT, PREPARED
from train.recognizers import convert
from train.trainer import STATE

SCRIPT = Path(__file__).with_name("stepping.py")
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]


@pytest.fixture(scope="module")
def sets(tmp_path_factory) -> dict[str, Path]:
    """Ours and the paper's, each as arguments of the train command need them."""
    ours, papers = (tmp_path_factory.mktemp(name) for name in ("ours", "papers"))
    drawn_set.write(ours)
    return {"smoke": ours / "set", "ck": tiny_paper.prepared(papers)}


@pytest.fixture(scope="module")
def light_cnn(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("light")
    published.light_cnn(folder / "published")
    convert("light_cnn_9", folder / "published", folder / "light.safetensors")
    return folder / "light.safetensors"


def command(preset: str, data: Path, run: Path, light_cnn: Path) -> list[str]:
    arguments = [preset, "--data", data, "--run", run, "--light-cnn", light_cnn]
    return [sys.executable, str(SCRIPT), *map(str, arguments)]


def kill_at(step: int, command: list[str], late: float) -> None:
    """Start it and send SIGKILL `late` seconds after it says that it saves the step."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    for line in process.stdout:
        if line == f"step {step}\n":
            break
    with pytest.raises(subprocess.TimeoutExpired):  # it has not ended by itself
        process.wait(late)
    process.kill()
    process.communicate()
    assert process.returncode == -9


@pytest.mark.slow
@pytest.mark.parametrize(("preset", "kills"), [("smoke", 2), ("ck", 3)])
def test_training_killed_at_random_steps_ends_with_the_same_weights(
    tmp_path, sets, light_cnn, preset, kills
):
    whole, cut = (command(preset, sets[preset], tmp_path / n, light_cnn) for n in ("whole", "cut"))
    subprocess.run(whole, check=True, capture_output=True)
    rng = random.Random(3)
    for step in sorted(rng.sample(range(1, 6), kills)):
        kill_at(step, cut, rng.uniform(0, 0.02))
    subprocess.run(cut, check=True, capture_output=True)
    expected, found = (load_file(tmp_path / name / STATE) for name in ("whole", "cut"))
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        assert torch.equal(value, found[name]), name


def in_two_processes(command: list[str]) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *TORCHRUN, *command[1:2], "--", *command[2:]],
        capture_output=True,
        text=True,
    )


def everywhere(run: Path) -> list[dict[str, torch.Tensor]]:
    """Weights and statistics of every network, as each process had them at its end."""
    files = sorted(run.glob("end-*.safetensors"))
    return [load_file(file) for file in files]


@pytest.mark.slow
def test_two_processes_train_as_one_with_twice_the_batch(tmp_path, sets, light_cnn):
    one = command("warp-1", sets["smoke"], tmp_path / "one", light_cnn)
    two = command("warp-2", sets["smoke"], tmp_path / "two", light_cnn)
    assert subprocess.run(one, capture_output=True).returncode == 0
    assert in_two_processes(two).returncode == 0
    (expected,) = everywhere(tmp_path / "one")
    first, second = everywhere(tmp_path / "two")
    start = load_file(tmp_path / "one" / "start-0.safetensors")
    moved = 0.0
    for name, value in expected.items():
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(first[name], value, atol=1e-4, rtol=0)
        moved = max(moved, (value - start[name]).abs().max().item())
    assert moved > 1e-3  # so that the agreement says something
    for run in ("one", "two"):
        assert images_seen(tmp_path / run) == 12


@pytest.mark.slow
@pytest.mark.lengthy
def test_normalised_networks_stay_equal_in_two_processes(tmp_path, sets, light_cnn):
    together = command("ck", sets["ck"], tmp_path, light_cnn)
    assert in_two_processes(together).returncode == 0
    first, second = everywhere(tmp_path)
    assert any(name.endswith("running_var") for name in first)
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    assert images_seen(tmp_path) == 40
    alone = subprocess.run([*together, "--images", "80"], capture_output=True, text=True)
    assert "other settings" in alone.stderr
    alone = subprocess.run(together, capture_output=True, text=True)
    assert "a run of 2 processes; start it with as many" in alone.stderr


def images_seen(run: Path) -> int:
    with safe_open(run / STATE, "pt") as state:
        meta = state.metadata()
    return int(meta["step"]) * int(meta["processes"]) * json.loads(meta["config"])["batch"]


@pytest.mark.slow
@pytest.mark.lengthy
def test_the_paper_is_reproduced_by_two_processes(tmp_path, sets):
    """Both train, one writes."""
    shutil.copytree(sets["ck"], tmp_path / PREPARED)
    script = str(Path(__file__).with_name("reproducing.py"))
    done = in_two_processes([sys.executable, script, str(tmp_path)])
    assert done.returncode == 0, done.stderr[-2000:]
    for row in ("without_both", "without_identity"):
        record = json.loads((tmp_path / row / CHECKPOINT / "training.json").read_text("utf-8"))
        assert record["images"] == 20
