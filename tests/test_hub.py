"""The whole circle over a Hub of our own: push, pull, edit, push again; and every refusal."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import tiny_paper
import yaml
from faces import draw_face
from hub_server import LARGE, PART, HubServer, User
from huggingface_hub import HfApi
from packaging.requirements import Requirement
from PIL import Image
from test_card import distinct_results
from tiny import save_halved

import hub_upload
from train.card import PICTURE, weights_digest

ROOT = Path(__file__).parents[1]
TOKEN, READER, WRONG = "hf_VerySecretOwner", "hf_VerySecretReader", "hf_VerySecretWrong"
MODEL, SPACE = "org/g2gan-tiny", "org/g2gan"
PULL = """
import sys
from pathlib import Path
import numpy as np
from PIL import Image
from g2gan import G2GAN, CheckpointError
name, out, *options = sys.argv[1:]
try:
    pipe = G2GAN.from_pretrained(name, **dict(option.split("=") for option in options))
except CheckpointError as error:
    sys.exit(f"CheckpointError: {error}")
pipe.synthesize(Path(out, "photo.png"), "happiness").images[0].save(Path(out, "edited.png"))
"""


@dataclass
class Desk:
    """A user's machine: a home with a cache, a Hub to talk to, commands to run."""

    home: Path
    url: str

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess:
        """A command in a process of its own, as its user would run it."""
        own = {
            "HOME": str(self.home),
            "HF_HOME": str(self.home / "hf"),
            "HF_ENDPOINT": self.url,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "PYTHONPATH": str(ROOT),
        }
        clean = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        return subprocess.run(
            [sys.executable, *command],
            env=clean | own | environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )

    def push(self, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess:
        command = [str(ROOT / "hub_upload.py"), *map(str, arguments)]
        return self.run(*command, **{"HF_TOKEN": TOKEN} | environment)

    def pull(self, name: str, *options: str, **environment: str) -> np.ndarray:
        """The edit of the drawn face by a checkpoint, in a process of its own."""
        Image.fromarray(draw_face(400)).save(self.home / "photo.png")
        done = self.run("-c", PULL, name, str(self.home), *options, **environment)
        assert done.returncode == 0, done.stderr
        return np.asarray(Image.open(self.home / "edited.png"))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """A whole narrow checkpoint: weights, results, record, picture."""
    folder = tmp_path_factory.mktemp("made") / "g2gan-tiny"
    save_halved(folder)
    weights = weights_digest(folder)
    results = {"weights": weights, **distinct_results()}
    (folder / "results.json").write_text(json.dumps(results))
    (folder / "training.json").write_text(json.dumps({"people": 12, "data": {}}))
    Image.new("RGB", (64, 32)).save(folder / PICTURE, comment=weights)
    return folder


@pytest.fixture
def damaged(checkpoint, tmp_path) -> Path:
    return Path(shutil.copytree(checkpoint, tmp_path / "g2gan-tiny"))


@pytest.fixture(scope="module")
def hub():
    users = {TOKEN: User("somebody", ("org",)), READER: User("somebody", ("org",), role="read")}
    with HubServer(users) as server:
        yield server


@pytest.fixture
def desk(hub, tmp_path) -> Desk:
    return Desk(tmp_path, hub.url)


def refused(done: subprocess.CompletedProcess) -> str:
    """The one line of a command that failed, in which no token stands."""
    assert done.returncode == 1, done.stdout + done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert "hf_VerySecret" not in done.stdout + done.stderr
    return line


@pytest.fixture(scope="module")
def published(hub, checkpoint, tmp_path_factory) -> subprocess.CompletedProcess:
    desk = Desk(tmp_path_factory.mktemp("publisher"), hub.url)
    done = desk.push(checkpoint, MODEL, "--space", SPACE)
    assert done.returncode == 0, done.stderr
    for path in desk.home.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes()
    assert TOKEN not in done.stdout + done.stderr
    return done


def test_the_model_s_repo_holds_the_folder_and_its_card(published, hub, checkpoint):
    files = hub.files("models", MODEL)
    local = {p.relative_to(checkpoint).as_posix(): p for p in checkpoint.rglob("*") if p.is_file()}
    assert files.keys() == {*local, "README.md"}
    assert all(files[name] == path.read_bytes() for name, path in local.items())
    assert f'G2GAN.from_pretrained("{MODEL}")' in files["README.md"].decode()
    assert hub.repos["models", MODEL].private
    tagged = hub.repos["models", MODEL].tags[f"weights-{weights_digest(checkpoint)[:12]}"]
    assert tagged == hub.repos["models", MODEL].head


def test_pushing_again_uploads_nothing(published, hub, desk, checkpoint):
    heads = [hub.repos[key].head for key in (("models", MODEL), ("spaces", SPACE))]
    before = len(hub.sent("POST", "/commit/"))
    again = desk.push(checkpoint, MODEL, "--space", SPACE)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("nothing new") == 2
    assert len(hub.sent("POST", "/commit/")) == before
    assert heads == [hub.repos[key].head for key in (("models", MODEL), ("spaces", SPACE))]


def test_pulled_into_an_empty_cache_by_every_way_it_edits_bit_for_bit(
    published, hub, desk, checkpoint
):
    expected = desk.pull(str(checkpoint))
    tag = next(iter(hub.repos["models", MODEL].tags))
    ways = [
        ((), {"HF_TOKEN": TOKEN}),
        ((), {"HF_HUB_OFFLINE": "1"}),
        (("local_files_only=1",), {}),
        ((f"revision={tag}", f"cache_dir={desk.home / 'other'}"), {"HF_TOKEN": TOKEN}),
    ]
    for options, environment in ways:
        assert np.array_equal(desk.pull(MODEL, *options, **environment), expected)
    assert not list((desk.home / "hf").rglob("*.jpg"))  # only what loading needs was fetched


@pytest.mark.parametrize(("kind", "channels"), [("ck", 1), ("oulu", 3)])
def test_the_paper_s_generators_go_the_whole_circle(hub, desk, tmp_path, kind, channels):
    folder, model = tmp_path / f"g2gan-{kind}", f"org/g2gan-{kind}"
    tiny_paper.pipeline(channels).save_pretrained(folder)
    figures = [0.728, 22.968, 0.767, 24.42]
    results = {"set": kind, "weights": weights_digest(folder), "table_1": {"full": figures}}
    (folder / "results.json").write_text(json.dumps(results | {"table_2": {}}))
    record = {"people": 100, "images": 5, "minutes": 0.1}
    (folder / "training.json").write_text(json.dumps(record))
    done = desk.push(folder, model)
    assert done.returncode == 0, done.stderr
    assert "22.968" in hub.files("models", model)["README.md"].decode()
    assert np.array_equal(desk.pull(model, HF_TOKEN=TOKEN), desk.pull(str(folder)))
    assert "nothing new" in desk.push(folder, model).stdout


def test_a_dry_run_shows_every_file_and_sends_nothing(hub, desk, checkpoint):
    before = len(hub.requests)
    done = desk.push(checkpoint, "org/elsewhere", "--space", "org/page", "--dry-run")
    assert done.returncode == 0, done.stderr
    for name in ("synthesis/diffusion_pytorch_model.safetensors", "README.md", "app.py"):
        assert f"  {name}\n" in done.stdout
    assert "org/elsewhere" in done.stdout
    assert len(hub.requests) == before


@pytest.mark.parametrize(
    ("environment", "model", "said"),
    [
        ({"HF_TOKEN": ""}, MODEL, "hf auth login"),
        ({"HF_TOKEN": WRONG}, MODEL, "does not know your token"),
        ({"HF_TOKEN": READER}, MODEL, "may only read"),
        ({}, "google/g2gan-tiny", "may not write to google"),
        ({"HF_HUB_OFFLINE": "1"}, MODEL, "HF_HUB_OFFLINE"),
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, MODEL, "cannot be reached"),
    ],
)
def test_a_push_that_cannot_be_fails_at_once_in_one_line(
    hub, desk, checkpoint, environment, model, said
):
    repos, begun = set(hub.repos), len(hub.requests)
    assert said in refused(desk.push(checkpoint, model, **environment))
    assert set(hub.repos) == repos
    assert {method for method, _, _ in hub.requests[begun:]} <= {"HEAD", "GET"}


def test_a_hub_that_is_not_there_or_never_answers_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it tries again and again"))
    monkeypatch.setattr(hub_upload, "PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for url in (f"http://127.0.0.1:{silent.getsockname()[1]}", "http://127.0.0.1:9"):
            with (
                pytest.raises(hub_upload.UploadError, match="cannot be reached"),
                hub_upload.in_one_line(),
            ):
                hub_upload.check_rights(HfApi(url, token=TOKEN), [MODEL])


@pytest.mark.parametrize("environment", [{}, {"HF_TOKEN": WRONG}])
def test_a_private_checkpoint_is_refused_to_strangers_in_one_line(published, desk, environment):
    line = refused(desk.run("-c", PULL, MODEL, str(desk.home), **environment))
    assert line.startswith(f"CheckpointError: cannot load the checkpoint {MODEL}")


def test_a_revision_that_is_none_is_refused_in_one_line(published, desk):
    done = desk.run("-c", PULL, MODEL, str(desk.home), "revision=v99", HF_TOKEN=TOKEN)
    assert "Revision Not Found" in refused(done)


@pytest.fixture
def revised(published, hub):
    """Makes a revision with other files, by no branch; the id of its commit."""
    repo = hub.repos["models", MODEL]
    made = []

    def revise(files: dict[str, bytes]) -> str:
        made.append(repo.commit(repo.commits[repo.head] | files))
        return made[-1]

    yield revise
    for sha in made:
        del repo.commits[sha]


@pytest.mark.parametrize("name", ["synthesis/warp_generator.py", "weights.bin"])
def test_a_repo_with_code_is_refused_and_the_code_never_fetched(revised, desk, name):
    sha = revised({name: b"raise SystemExit('this ran')"})
    line = refused(desk.run("-c", PULL, MODEL, str(desk.home), f"revision={sha}", HF_TOKEN=TOKEN))
    assert f"{name}, which no checkpoint of ours does" in line
    assert not list(desk.home.rglob(Path(name).name))


def test_a_file_that_was_changed_on_the_way_is_refused(revised, hub, desk):
    name = "synthesis/diffusion_pytorch_model.safetensors"
    weights = bytearray(hub.files("models", MODEL)[name])
    weights[-1] ^= 1  # still a number, still finite
    sha = revised({name: bytes(weights)})
    line = refused(desk.run("-c", PULL, MODEL, str(desk.home), f"revision={sha}", HF_TOKEN=TOKEN))
    assert f"{name} is not the file that was saved" in line


def spoil_results(folder: Path) -> None:
    results = json.loads((folder / "results.json").read_text())
    (folder / "results.json").write_text(json.dumps(results | {"weights": "0" * 64}))


def spoil_picture(folder: Path) -> None:
    Image.new("RGB", (64, 32)).save(folder / PICTURE, comment="0" * 64)


def link_a_file(folder: Path) -> None:
    (folder / "training.json").unlink()
    (folder / "training.json").symlink_to("/etc/passwd")


def spoil_onnx(folder: Path) -> None:
    (folder / "onnx").mkdir()
    (folder / "onnx" / "synthesis.onnx").write_bytes(b"made of other weights")
    (folder / "onnx" / "onnx.json").write_text(json.dumps({"weights": "0" * 64}))


def bloat_onnx(folder: Path) -> None:
    (folder / "onnx").mkdir()
    (folder / "onnx" / "onnx.json").write_text(json.dumps({"weights": weights_digest(folder)}))
    with (folder / "onnx" / "synthesis.onnx").open("wb") as file:
        file.truncate(2 * hub_upload.LARGEST)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_results, "measured on other weights"),
        (spoil_picture, "made with other weights"),
        (spoil_onnx, "made of other weights"),
        (link_a_file, "is a link"),
        (lambda folder: (folder / "results.json").unlink(), "results.json cannot be read"),
        (lambda folder: (folder / "model_index.json").unlink(), "has no model_index.json"),
        (lambda folder: (folder / "training.json").write_text(""), "is empty"),
        (lambda folder: (folder / "run.py").write_text("print()"), "no part of a checkpoint"),
        (lambda folder: (folder / ".env").write_text("secret"), "no part of a checkpoint"),
        (lambda folder: (folder / "removal" / "a.pt").write_text("x"), "no part of a checkpoint"),
        (bloat_onnx, "no checkpoint of ours is so large"),
    ],
)
def test_a_folder_that_is_not_what_was_measured_is_not_uploaded(damaged, spoil, said):
    hub_upload.checkpoint_files(damaged, MODEL)
    spoil(damaged)
    with pytest.raises(hub_upload.CheckpointError, match=said):
        hub_upload.checkpoint_files(damaged, MODEL)


def test_weights_that_do_not_load_are_not_uploaded(hub, desk, damaged):
    config = json.loads((damaged / "removal" / "config.json").read_text())
    (damaged / "removal" / "config.json").write_text(json.dumps(config | {"landmarks": 67}))
    line = refused(desk.push(damaged, "org/damaged"))
    assert "removal/config.json is not the file that was saved" in line
    assert ("models", "org/damaged") not in hub.repos


def test_a_large_file_goes_in_parts_and_a_broken_upload_goes_on(hub, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    rng = np.random.default_rng(0)
    files = {}
    for name in ("a.bin", "b.bin"):
        files[name] = tmp_path / name
        files[name].write_bytes(rng.bytes(8 * LARGE + 1))
    api = HfApi(hub.url, token=TOKEN)
    hub.capacity = len(hub.stored) + 1
    with (
        pytest.raises(hub_upload.UploadError, match="need not be sent again"),
        hub_upload.in_one_line(),
    ):
        hub_upload.upload(api, "model", "org/large", files, public=False)
    hub.capacity = 1000
    del hub.requests[:]
    hub_upload.upload(api, "model", "org/large", files, public=False)
    assert hub.files("models", "org/large") == {n: p.read_bytes() for n, p in files.items()}
    assert len(hub.sent("PUT", "/lfs/")) == 9  # of eighteen parts, the first file's were there
    assert max(size for _, _, size in hub.requests) <= PART


def test_files_that_are_gone_from_the_folder_go_from_the_repo(hub, tmp_path):
    api = HfApi(hub.url, token=TOKEN)
    hub_upload.upload(api, "model", "org/changing", {"a.md": b"a", "b.md": b"b"}, public=False)
    hub_upload.upload(api, "model", "org/changing", {"b.md": b"new"}, public=False)
    assert hub.files("models", "org/changing") == {"b.md": b"new"}


def test_nothing_goes_into_a_public_repo_by_accident(hub):
    api = HfApi(hub.url, token=TOKEN)
    hub_upload.upload(api, "model", "org/open", {"a.md": b"a"}, public=False)
    hub_upload.upload(api, "model", "org/open", {"a.md": b"a"}, public=True)
    assert not hub.repos["models", "org/open"].private
    with pytest.raises(hub_upload.UploadError, match="--public"):
        hub_upload.upload(api, "model", "org/open", {"a.md": b"b"}, public=False)


def test_the_space_is_pinned_and_says_what_it_loads(published, hub):
    files, model = hub.files("spaces", SPACE), hub.repos["models", MODEL]
    front = yaml.safe_load(files["README.md"].decode().split("---\n")[1])
    assert front["python_version"] == "3.12"
    assert front["models"] == [MODEL]
    parts_of_the_page = {path.name for path in (ROOT / "space").iterdir() if path.is_file()}
    assert {f"space/{name}" for name in parts_of_the_page} <= files.keys()
    name, loaded, revision = front["preload_from_hub"][0].split(" ")
    assert (name, revision) == (MODEL, model.head)
    weights = "diffusion_pytorch_model.safetensors"
    parts = ("removal", "shape_model", "synthesis")
    assert set(loaded.split(",")) == {
        "config.json",
        "model_index.json",
        *(f"{part}/{file}" for part in parts for file in ("config.json", weights)),
    }
    assert json.loads(files["model.json"]) == {"model": MODEL, "revision": model.head}
    (gradio,) = [
        Requirement(line)
        for line in files["requirements.txt"].decode().splitlines()
        if line.startswith("gradio")
    ]
    assert front["sdk_version"] in gradio.specifier
    assert version("gradio") in gradio.specifier


SERVE = """
import sys, urllib.request
sys.path.insert(0, "")
import app, g2gan
pipe = app.load()
assert all(module.__file__.startswith(sys.argv[1]) for module in (app, g2gan))
_, url, _ = app.build(pipe).launch(prevent_thread_lock=True, quiet=True, **app.LAUNCH)
print(urllib.request.urlopen(url).status, pipe.name_or_path)
"""


def test_a_space_of_exactly_the_uploaded_files_starts(published, hub, tmp_path):
    pytest.importorskip("gradio")
    for name, content in hub.files("spaces", SPACE).items():
        path = tmp_path / "space" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    desk = Desk(tmp_path / "space", hub.url)
    done = desk.run("-c", SERVE, str(desk.home), HF_TOKEN=TOKEN, PYTHONPATH="")
    assert done.returncode == 0, done.stderr
    status, folder = done.stdout.split()[-2:]
    assert status == "200"
    assert folder.endswith(hub.repos["models", MODEL].head)
