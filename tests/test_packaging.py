"""What is installed is what is used, and facts that stand in two places agree."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_the_pages_requirements_are_the_packages_own_and_its_app_extra():
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    listed = {line for line in lines if line and not line.startswith("#")}
    assert listed == {*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["app"]}


def test_the_package_imports_neither_training_nor_gradio():
    sources = {path: path.read_text("utf-8") for path in (ROOT / "g2gan").rglob("*.py")}
    assert len(sources) > 10
    for path, text in sources.items():
        for foreign in ("train", "gradio", "app", "scipy", "skimage", "accelerate"):
            assert f"import {foreign}" not in text, path
            assert f"from {foreign}" not in text, path


def test_importing_the_package_does_not_load_torch_or_mediapipe():
    check = "import sys, g2gan; assert not {'torch', 'diffusers', 'mediapipe'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True, cwd=ROOT)
