"""In empty environments, outside the source tree: the package edits, and so does a Space.

Slow: pip installs everything anew, torch among it; run with `pytest -m installs` before a release.
Pythons that are not on the PATH are skipped.
"""

import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from desk import MODEL, ROOT, SPACE, TOKEN, USERS, Desk, save_measured
from faces import draw_face
from hub_server import HubServer
from PIL import Image

pytestmark = [pytest.mark.slow, pytest.mark.installs]

THIS = f"{sys.version_info.major}.{sys.version_info.minor}"
ROUNDING = 1  # of 255, by which another release of torch may differ
EDIT = """
import sys
from gradio_client import Client, handle_file
client = Client(sys.argv[1], verbose=False)
photo = handle_file("photo.png")
print(client.predict(photo=photo, expression="happiness", api_name="/synthesize"))
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "g2gan-tiny"
    save_measured(folder)
    return folder


@pytest.fixture(params=["3.11", "3.12"])
def python(request) -> str:
    """A Python of that version."""
    found = sys.executable if request.param == THIS else shutil.which(f"python{request.param}")
    if not found or subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip(f"there is no python{request.param} here")
    return found


def installed(python: str, folder: Path, *wanted: str | Path) -> Path:
    """The Python of a new environment in which pip installed this, and no requirement is broken."""
    subprocess.run([python, "-m", "venv", folder], check=True)
    own = folder / "bin" / "python"
    for command in (["install", "--quiet", *wanted], ["check"]):
        done = subprocess.run(
            [own, "-m", "pip", *command], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return own


def test_the_package_alone_edits_as_in_its_source_tree(python, checkpoint, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(ROOT / "g2gan", source / "g2gan")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    own = installed(python, tmp_path / "venv", source)
    shutil.rmtree(source)
    (tmp_path / "home").mkdir()
    nowhere = "http://127.0.0.1:9"
    edited = Desk(tmp_path / "home", nowhere, own, sources="").pull(str(checkpoint))
    expected = Desk(tmp_path / "home", nowhere).pull(str(checkpoint)).astype(int)
    assert np.abs(expected - draw_face(400)).max() > 20
    assert np.abs(expected - edited).max() <= ROUNDING


def test_a_space_of_exactly_the_uploaded_files_edits(python, checkpoint, tmp_path):
    with HubServer(USERS) as hub:
        (tmp_path / "home").mkdir()
        pushed = Desk(tmp_path / "home", hub.url).push(checkpoint, MODEL, "--space", SPACE)
        assert pushed.returncode == 0, pushed.stderr
        expected = Desk(tmp_path / "home", hub.url).pull(str(checkpoint)).astype(int)
        for name, content in hub.files("spaces", SPACE).items():
            path = tmp_path / "space" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        own = installed(python, tmp_path / "venv", "-r", tmp_path / "space" / "requirements.txt")
        desk = Desk(tmp_path / "space", hub.url, own, sources="")
        shutil.copy(tmp_path / "home" / "photo.png", desk.home)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        environment = desk.environment(HF_TOKEN=TOKEN, GRADIO_SERVER_PORT=str(port))
        with (tmp_path / "log").open("w") as log:
            page = subprocess.Popen(
                [own, "app.py"], cwd=desk.home, env=environment, stdout=log, stderr=log
            )
        try:
            wait_for(port, page)
            done = desk.run("-c", EDIT, f"http://127.0.0.1:{port}")
        finally:
            page.terminate()
            page.wait()
    said = (tmp_path / "log").read_text()
    assert done.returncode == 0, said + done.stderr
    assert TOKEN not in said
    edited = np.asarray(Image.open(done.stdout.strip().splitlines()[-1]).convert("RGB"))
    assert np.abs(expected - draw_face(400)).max() > 20
    assert np.abs(expected - edited).max() <= ROUNDING


def wait_for(port: int, page: subprocess.Popen, patience: float = 400) -> None:
    """Return once the page listens, or has ended."""
    begun = time.monotonic()
    while page.poll() is None and time.monotonic() - begun < patience:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.5)
