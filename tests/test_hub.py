"""The whole circle over a Hub of our own: push, pull, edit, push again; and every refusal."""

import json
import math
import shutil
import socket
import subprocess
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import tiny_paper
import yaml
from desk import MODEL, PULL, READER, ROOT, SPACE, TOKEN, USERS, WRONG, Desk, save_measured
from hub_server import REQUEST, HubServer
from huggingface_hub import HfApi
from packaging.requirements import Requirement
from PIL import Image

import hub_upload
from train.card import PICTURE, weights_digest


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "g2gan-tiny"
    save_measured(folder)
    return folder


@pytest.fixture
def damaged(checkpoint, tmp_path) -> Path:
    return Path(shutil.copytree(checkpoint, tmp_path / "g2gan-tiny"))


@pytest.fixture(scope="module")
def hub():
    with HubServer(USERS) as server:
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
    rows = {"full": [0.5, 20.0, 0.5, 20.0], "without_both": figures}
    results = {"set": kind, "row": "without_both", "weights": weights_digest(folder)}
    results |= {"table_1": rows, "table_2": {}}
    (folder / "results.json").write_text(json.dumps(results))
    record = {"people": 100, "images": 5, "minutes": 0.1}
    (folder / "training.json").write_text(json.dumps(record))
    done = desk.push(folder, model)
    assert done.returncode == 0, done.stderr
    _, front, text = hub.files("models", model)["README.md"].decode().split("---\n", 2)
    (measured,) = yaml.safe_load(front)["model-index"][0]["results"]
    assert [each["value"] for each in measured["metrics"]] == figures
    assert "22.968" in text
    assert np.array_equal(desk.pull(model, HF_TOKEN=TOKEN), desk.pull(str(folder)))
    assert "nothing new" in desk.push(folder, model).stdout


def test_what_a_pipeline_pushes_by_itself_is_sealed(hub, desk, checkpoint, tmp_path):
    push = (
        "import sys; from g2gan import G2GAN; source, folder, model = sys.argv[1:]; "
        "G2GAN.from_pretrained(source).save_pretrained(folder, push_to_hub=True, repo_id=model)"
    )
    model = "org/g2gan-pushed"
    done = desk.run("-c", push, str(checkpoint), str(tmp_path / "own"), model, HF_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    pushed = hub.files("models", model)
    assert pushed.pop("README.md")
    own = [path for path in (tmp_path / "own").rglob("*") if path.is_file()]
    assert pushed == {p.relative_to(tmp_path / "own").as_posix(): p.read_bytes() for p in own}
    assert "sha256" in json.loads(pushed["config.json"])


@pytest.mark.parametrize("asked", [{"variant": "fp16"}, {"safe_serialization": False}])
def test_a_pipeline_is_not_saved_as_what_could_not_be_loaded(asked, tmp_path):
    with pytest.raises(ValueError, match="safetensors"):
        tiny_paper.pipeline(1).save_pretrained(tmp_path / "made", **asked)
    assert not (tmp_path / "made").exists()


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
        ({"HF_TOKEN": WRONG + "ä"}, MODEL, "a character that no token has"),
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


def test_onnx_files_go_along_with_the_page_that_says_how_to_use_them(damaged):
    (damaged / "onnx").mkdir()
    (damaged / "onnx" / "removal.onnx").write_bytes(b"a graph")
    (damaged / "onnx" / "onnx.json").write_text(json.dumps({"weights": weights_digest(damaged)}))
    files = hub_upload.checkpoint_files(damaged, MODEL)
    assert files["onnx/removal.onnx"] == damaged / "onnx" / "removal.onnx"
    assert "paste-back" in files["onnx/README.md"].read_text("utf-8").lower()
    assert "(onnx/README.md)" in files["README.md"].decode()


@pytest.mark.parametrize("name", ["g2gan", "org/", "a/b/c", "org/a name", "org/" + "x" * 99])
def test_a_name_that_no_repo_can_have_is_refused_before_anything_else(capsys, name):
    with pytest.raises(SystemExit):
        hub_upload.main(["nowhere", name])
    assert "error: argument model:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_results, "measured on other weights"),
        (spoil_picture, "made with other weights"),
        (spoil_onnx, "made of other weights"),
        (link_a_file, "is a link"),
        (lambda folder: (folder / "results.json").write_text("[]"), "results.json"),
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


@pytest.fixture
def paper_sized(tmp_path, monkeypatch) -> dict[str, Path]:
    """Two files as large as the paper's generators in half precision."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    files = {name: tmp_path / name for name in ("synthesis.bin", "removal.bin")}
    for name, path in files.items():
        with path.open("wb") as file:
            file.write(name.encode())
            file.truncate(170_000_000)
    return files


def test_large_files_go_in_parts_and_a_broken_upload_goes_on(paper_sized):
    parts = math.ceil(170_000_000 / REQUEST)  # of a file
    with HubServer(USERS) as hub:
        api = HfApi(hub.url, token=TOKEN)
        hub.capacity = 1
        with (
            pytest.raises(hub_upload.UploadError, match="need not be sent again"),
            hub_upload.in_one_line(),
        ):
            hub_upload.upload(api, "model", "org/large", paper_sized, public=False)
        assert len(hub.sent("PUT", "/lfs/")) == 2 * parts
        hub.capacity = 2
        revision = hub_upload.upload(api, "model", "org/large", paper_sized, public=False)
        assert len(hub.sent("PUT", "/lfs/")) == 3 * parts  # one of the two was there
        assert revision == hub_upload.upload(api, "model", "org/large", paper_sized, public=False)
        assert len(hub.sent("PUT", "/lfs/")) == 3 * parts
        assert max(size for _, _, size in hub.requests) <= REQUEST
        for name, content in hub.files("models", "org/large").items():
            assert content == paper_sized[name].read_bytes()


def test_a_file_that_would_go_in_one_request_is_refused_in_one_line(paper_sized):
    with HubServer(USERS) as hub:
        hub.large, api = math.inf, HfApi(hub.url, token=TOKEN)
        with (
            pytest.raises(hub_upload.UploadError, match="a file is too large"),
            hub_upload.in_one_line(),
        ):
            hub_upload.upload(api, "model", "org/large", paper_sized, public=False)


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


def test_the_space_holds_all_that_is_kept_of_its_folders(published, hub):
    """And nothing else that lies about there."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone, so nobody knows which files belong to it")
    kept = subprocess.run(
        ["git", "ls-files", "--", *hub_upload.SPACE_FILES, *hub_upload.SPACE_FOLDERS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    made = {"README.md", hub_upload.PIN}
    assert hub.files("spaces", SPACE).keys() == made | set(kept.stdout.splitlines())


SERVE = """
import os, sys, urllib.request
sys.path.insert(0, "")
import app, g2gan
pipe = app.load()
assert all(module.__file__.startswith(sys.argv[1]) for module in (app, g2gan))
_, url, _ = app.build(pipe).launch(prevent_thread_lock=True, quiet=True, **app.LAUNCH)
print(urllib.request.urlopen(url).status, pipe.name_or_path, flush=True)
os._exit(0)  # a server is ended from outside; what warms up in its threads is not waited for
"""


def test_a_space_of_exactly_the_uploaded_files_starts(published, hub, tmp_path):
    pytest.importorskip("gradio")
    for name, content in hub.files("spaces", SPACE).items():
        path = tmp_path / "space" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    desk = Desk(tmp_path / "space", hub.url, sources="")
    done = desk.run("-c", SERVE, str(desk.home), HF_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    status, folder = done.stdout.split()[-2:]
    assert status == "200"
    assert folder.endswith(hub.repos["models", MODEL].head)
