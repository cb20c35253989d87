"""Publish a checkpoint on the Hub, and the page as a Space: what was measured, and nothing else.

    python hub_upload.py checkpoints/g2gan-london ORG/g2gan-london --space ORG/g2gan

The token is that of `hf auth login`, or the environment variable HF_TOKEN. An upload that was cut
off goes on where it was when the command is run again; run once more, it uploads nothing.
"""

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import yaml
from httpx2 import HTTPError
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_session
from huggingface_hub import logging as hub_logging
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import validate_repo_id

from g2gan.errors import CheckpointError, G2GANError
from train.card import (
    EXPRESSIONS_FILE,
    ONNX_FOLDER,
    ONNX_RECORD,
    PICTURE,
    RESULTS_FILE,
    TRAINING_FILE,
    card,
    read_json,
    read_results,
)

ROOT = Path(__file__).resolve().parent
Files = dict[str, Path | bytes]  # path in the repo -> where it lies, or what it holds

LOADED = (  # by `G2GAN.from_pretrained`
    "config.json",
    "model_index.json",
    "*/config.json",
    "*/diffusion_pytorch_model.safetensors",
)
NEEDED = (*LOADED, RESULTS_FILE, TRAINING_FILE)
WELCOME = (
    "README.md",
    PICTURE,
    EXPRESSIONS_FILE,
    f"{ONNX_FOLDER}/*.onnx",
    f"{ONNX_FOLDER}/{ONNX_RECORD}",
)
ONNX_PAGE = ROOT / "docs" / "onnx.md"
ONNX_TEXT = f"""
## Other runtimes

`{ONNX_FOLDER}/` holds both generators as ONNX, made of these weights;
[its page]({ONNX_FOLDER}/README.md) says what goes in, and what is done with what comes out.
"""
LARGEST = 1_000_000_000  # bytes of a checkpoint; the paper's two U-Nets in single precision: 340 MB

SPACE_FILES = ("app.py", "requirements.txt", "packages.txt", "LICENSE")
SPACE_FOLDERS = ("g2gan", "space", "examples")
SPACE_KINDS = (".py", ".json", ".html", ".css", ".js", ".svg", ".jpg", ".png", ".md")  # no caches
PIN = "model.json"  # which model the page loads, at which revision; read by app.py
SPACE_CARD = {
    "title": "G2-GAN: expressions by geometry",
    "emoji": "🙂",
    "colorFrom": "indigo",
    "colorTo": "pink",
    "sdk": "gradio",
    "sdk_version": "6.31.0",
    "python_version": "3.12",
    "app_file": "app.py",
    "suggested_hardware": "zero-a10g",
    "license": "mit",
    "short_description": "Change the expression in a portrait, and only that",
}
SPACE_TEXT = """\
The page of [g2gan](https://huggingface.co/{model}): takes a smile off a portrait, puts one on,
swaps the expressions of two people. It runs the model at revision `{revision}`.

Only edit photos of people who agreed to it. The example portraits are composites of several people
each; see `examples/README.md` for their licence.
"""
PATIENCE = 10  # seconds for the Hub's first answer; its client would wait for ever


class UploadError(G2GANError):
    """The Hub cannot be reached, or does not let us."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path, help="folder, measured by train.evaluate")
    parser.add_argument("model", type=_repo_id, help="where the model goes: OWNER/NAME")
    parser.add_argument("--space", type=_repo_id, metavar="OWNER/NAME", help="where the page goes")
    parser.add_argument("--public", action="store_true", help="for everyone to see")
    parser.add_argument("--dry-run", action="store_true", help="only check, and show the files")
    asked = parser.parse_args(arguments)
    hub_logging.set_verbosity_error()  # "nothing new" is said in our own words
    try:
        files = checkpoint_files(asked.checkpoint, asked.model)
        visibility = "public" if asked.public else "private"
        _show(f"model {asked.model}, {visibility}", files)
        if asked.space:
            _show(f"Space {asked.space}, {visibility}", space_files(asked.model, "main", files))
        if asked.dry_run:
            load(asked.checkpoint)
            print("nothing was uploaded (--dry-run)")
            return
        with in_one_line():
            api = HfApi()
            check_rights(api, [name for name in (asked.model, asked.space) if name])
            load(asked.checkpoint)
            revision = upload(api, "model", asked.model, files, asked.public)
            tag(api, asked.model, revision, read_results(asked.checkpoint)["weights"])
            if asked.space:
                page = space_files(asked.model, revision, files)
                upload(api, "space", asked.space, page, asked.public)
                if not asked.public:
                    print("a private model: give the Space a secret HF_TOKEN that may read it")
    except (CheckpointError, UploadError) as error:
        sys.exit(" ".join(str(error).split()))


def _repo_id(text: str) -> str:
    try:
        validate_repo_id(text)
    except HFValidationError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if "/" not in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form OWNER/NAME")
    return text


def checkpoint_files(folder: Path, model: str) -> Files:
    """The files to upload as the model's repo, the card among them.

    Raises:
        CheckpointError: the folder lacks a file, holds one that is none of a checkpoint's (a link,
            code, a pickle, anything else), is too large, or its results, picture or ONNX files
            were not made with these very weights.
    """
    results = read_results(folder)
    files: Files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise CheckpointError(f"{path} is a link; put the file itself there")
        if path.is_dir():
            continue
        if not path.is_file() or not _is_one_of(name, NEEDED + WELCOME):
            raise CheckpointError(f"{path} is no part of a checkpoint; move it elsewhere")
        if path.stat().st_size == 0:
            raise CheckpointError(f"{path} is empty; export the checkpoint again")
        files[name] = path
    for known in NEEDED:
        if not any(fnmatch(name, known) for name in files):
            raise CheckpointError(f"{folder} has no {known}; export and evaluate it again")
    size = sum(_size(content) for content in files.values())
    if size > LARGEST:
        raise CheckpointError(f"{folder} has {_megabytes(size)}; no checkpoint of ours is so large")
    text = card(folder, model)
    if any(name.startswith(f"{ONNX_FOLDER}/") for name in files):
        record = read_json(folder / ONNX_FOLDER / ONNX_RECORD)
        if record.get("weights") != results["weights"]:
            raise CheckpointError(
                f"{folder / ONNX_FOLDER} was made of other weights; run python -m train.export_onnx"
            )
        files[f"{ONNX_FOLDER}/README.md"] = ONNX_PAGE
        text += ONNX_TEXT
    files["README.md"] = text.encode()
    return files


def load(folder: Path) -> None:
    """Load the checkpoint as a user would, strictly; `CheckpointError` if it does not."""
    from diffusers.utils import logging  # with torch: slow, and most refusals need none

    from g2gan import G2GAN

    logging.disable_progress_bar()
    G2GAN.from_pretrained(folder)


def space_files(model: str, revision: str, model_files: Files) -> Files:
    """The files to upload as the Space's repo.

    Args:
        model: the model's repo.
        revision: its commit that the page loads.
        model_files: what the model's repo holds.
    """
    files: Files = {name: ROOT / name for name in SPACE_FILES}
    for folder in SPACE_FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in SPACE_KINDS:
                files[path.relative_to(ROOT).as_posix()] = path
    loaded = sorted(name for name in model_files if _is_one_of(name, LOADED))
    front = SPACE_CARD | {
        "models": [model],
        "preload_from_hub": [f"{model} {','.join(loaded)} {revision}"],
    }
    header = yaml.safe_dump(front, allow_unicode=True, sort_keys=False, width=1000)
    text = SPACE_TEXT.format(model=model, revision=revision)
    files["README.md"] = f"---\n{header}---\n\n# {front['title']}\n\n{text}".encode()
    files[PIN] = (json.dumps({"model": model, "revision": revision}, indent=1) + "\n").encode()
    return files


def check_rights(api: HfApi, repos: list[str]) -> None:
    """Raise `UploadError` unless the token's owner may write to all these repos."""
    get_session().head(f"{api.endpoint}/api/whoami-v2", timeout=PATIENCE)  # is anybody there?
    who = api.whoami()
    own = {who["name"], *(organization["name"] for organization in who.get("orgs", []))}
    for repo in repos:
        if (owner := repo.split("/")[0]) not in own:
            raise UploadError(
                f"you are {who['name']} on the Hub and may not write to {owner}; "
                f"upload to one of: {', '.join(sorted(own))}"
            )
    if who.get("auth", {}).get("accessToken", {}).get("role") == "read":
        raise UploadError("your token may only read; make one that may write and log in with it")


def upload(api: HfApi, kind: str, repo: str, files: Files, public: bool) -> str:
    """Make the repo hold exactly these files, in one commit; its id, old or new.

    Args:
        kind: "model" or "space".
    """
    try:
        info = api.repo_info(repo, repo_type=kind)
    except RepositoryNotFoundError:
        sdk = {"space_sdk": "gradio"} if kind == "space" else {}
        api.create_repo(repo, repo_type=kind, private=not public, **sdk)
        info = api.repo_info(repo, repo_type=kind)
    if public and info.private:
        api.update_repo_settings(repo, repo_type=kind, private=False)
    if not public and not info.private:
        raise UploadError(f"{repo} is public; say --public to publish there")
    gone = {file.rfilename for file in info.siblings} - files.keys() - {".gitattributes"}
    changes = [CommitOperationAdd(name, content) for name, content in files.items()]
    changes += [CommitOperationDelete(name) for name in sorted(gone)]
    commit = api.create_commit(
        repo,
        changes,
        commit_message="Upload with hub_upload.py",
        repo_type=kind,
        parent_commit=info.sha,
    )
    news = "nothing new" if commit.oid == info.sha else "uploaded"
    print(f"{kind} {repo}: {news}, revision {commit.oid}")
    return commit.oid


def tag(api: HfApi, model: str, revision: str, weights: str) -> None:
    """Name the revision after its weights; a tag that stands stays with the first such revision."""
    name = f"weights-{weights[:12]}"
    if name not in {known.name for known in api.list_repo_refs(model).tags}:
        api.create_tag(model, tag=name, revision=revision)
    print(f'G2GAN.from_pretrained("{model}", revision="{name}")')


@contextlib.contextmanager
def in_one_line() -> Iterator[None]:
    """Turns what the Hub's client raises into an `UploadError` that says what to do.

    Its own messages are not passed on: they have several lines, and hold what a server says.
    """
    try:
        yield
    except OfflineModeIsEnabled as error:
        raise UploadError("HF_HUB_OFFLINE is set; unset it to upload") from error
    except LocalTokenNotFoundError as error:
        raise UploadError(
            "there is no token; run `hf auth login`, or set HF_TOKEN to one that may write"
        ) from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        advice = {
            401: "it does not know your token; run `hf auth login`, or set HF_TOKEN anew",
            402: "your account's plan does not include this",
            403: "your token may not do this; make one that may write to this repo",
            409: "somebody else is changing this repo; run this again",
            412: "somebody else has changed this repo meanwhile; run this again",
            413: "a file is too large for it",
            429: "it asks for a pause; run this again in an hour",
        }.get(status, "run this again later: what was uploaded need not be sent again")
        raise UploadError(f"the Hub refused (HTTP {status}): {advice}") from error
    except (HTTPError, OSError, RuntimeError) as error:  # the last one is hf_xet's
        raise UploadError(
            f"the Hub cannot be reached ({type(error).__name__}); check the connection and run "
            "this again: what was uploaded need not be sent again"
        ) from error
    except UnicodeError as error:  # raised while it writes the header
        raise UploadError("your token holds a character that no token has; set it anew") from error
    except ValueError as error:  # how the client reports front matter that the Hub refuses
        raise UploadError(f"the Hub refused what was to be uploaded: {error}") from error


def _show(title: str, files: Files) -> None:
    print(f"{title}: {len(files)} files, {_megabytes(sum(map(_size, files.values())))}")
    for name, content in files.items():
        print(f"  {_megabytes(_size(content)):>10}  {name}")


def _is_one_of(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _size(content: Path | bytes) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.2f} MB"


if __name__ == "__main__":
    main()
