"""A checkpoint's folder as a pipeline: saved with its seal, loaded completely or not at all."""

import contextlib
import json
import os
from pathlib import Path
from typing import Self

import torch
from diffusers import DiffusionPipeline
from httpx2 import HTTPError
from huggingface_hub import get_cached_repo_tree, snapshot_download
from huggingface_hub.errors import CachedRepoTreeNotFoundError

from g2gan.errors import CheckpointError
from g2gan.models.checkpointed import LOADING_ERRORS
from g2gan.seal import INDEX, check_seal, refuse_code, seal

# Classes by the paths under which checkpoints record them: they stay where they are.
GENERATORS = (
    ("g2gan.models.warp_generator", "WarpGenerator"),
    ("g2gan.models.unet_generator", "UNetGenerator"),
)
SHAPE_MODEL = ("g2gan.shape", "ShapeModel")
COMPONENTS = ("synthesis", "removal", "shape_model")
FILES = ("config.json", "model_index.json", "*/config.json", "*/*.safetensors")


class CheckpointedPipeline(DiffusionPipeline):
    """What `G2GAN` is made of, two generators of one kind and a shape model, on disk and Hub."""

    def save_pretrained(
        self,
        save_directory: str | os.PathLike[str],
        safe_serialization: bool = True,
        variant: str | None = None,
        push_to_hub: bool = False,
        **kwargs,
    ) -> None:
        """Write the checkpoint folder: safetensors and JSON, with format and digests.

        Args:
            save_directory: the folder; made if need be.
            safe_serialization: nothing else than `True`.
            variant: nothing else than `None`.
            push_to_hub: upload it as well, as `push_to_hub` does with `repo_id` (by default the
                folder's name), `private`, `token`, `commit_message` and `create_pr`.

        Raises:
            ValueError: something else than safetensors under their usual names is asked for.
        """
        if not safe_serialization or variant is not None:
            raise ValueError("checkpoints are safetensors without variants; leave both out")
        super().save_pretrained(save_directory)
        folder = Path(save_directory)
        for config in (
            folder / INDEX,
            *(folder / c / "config.json" for c in COMPONENTS),
        ):
            entries = json.loads(config.read_text("utf-8"))
            entries.pop("_name_or_path", None)  # where it was loaded from is nobody's business
            config.write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n", "utf-8")
        seal(folder, list(COMPONENTS))
        if push_to_hub:
            self.push_to_hub(kwargs.pop("repo_id", folder.name), **kwargs)

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | os.PathLike[str], **kwargs
    ) -> Self:
        """Load a checkpoint from a folder or the Hub, completely or not at all.

        Args:
            pretrained_model_name_or_path: a folder, or a Hub id such as "org/g2gan-london".
            **kwargs: as in diffusers: `revision`, `cache_dir`, `local_files_only`, `token`,
                `dtype`, ... A `dtype` is the networks'; the shape model stays in single precision.

        Raises:
            CheckpointError: it is missing, damaged, foreign, or of a newer format. Pickled weights
                and code are never loaded.
            TypeError: `dtype` is none of torch's.
        """
        name = os.fspath(pretrained_model_name_or_path)
        wanted = {"cache_dir", "force_download", "local_files_only", "token", "revision"}
        hub = {key: kwargs.pop(key) for key in wanted & kwargs.keys()}
        if dtype := kwargs.pop("dtype", None) or kwargs.pop("torch_dtype", None):
            if not isinstance(dtype, torch.dtype):
                raise TypeError(
                    f"dtype must be one of torch's, such as torch.float16, not {dtype!r}"
                )
            kwargs["dtype"] = {"default": dtype, "shape_model": torch.float32}
        kwargs |= {"use_safetensors": True, "trust_remote_code": False}
        if "device_map" not in kwargs:  # else diffusers advises everybody to install accelerate
            kwargs.setdefault("low_cpu_mem_usage", False)
        try:
            folder = Path(name)
            if not folder.is_dir():
                if folder.is_absolute() or len(folder.parts) > 2:  # no Hub id looks like this
                    raise FileNotFoundError("there is no such folder")
                folder = Path(cls.download(name, **hub))
            _check_folder(folder)
            return super().from_pretrained(str(folder), **kwargs)
        except (*LOADING_ERRORS, CheckpointError, HTTPError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise CheckpointError(
                f"cannot load the checkpoint {name}: {reason.rstrip('.')}. Give a folder made by "
                "train.export or train.reproduce, or the id of a G2-GAN checkpoint on the Hub"
            ) from error

    @classmethod
    def download(cls, pretrained_model_name: str, **kwargs) -> str:
        """Fetch a checkpoint's weights and configs from the Hub; the folder they lie in.

        Nothing else of the repository is fetched, code least of all.

        Raises:
            ValueError: the repository holds code or pickles.
        """
        folder = snapshot_download(pretrained_model_name, allow_patterns=list(FILES), **kwargs)
        where = {"revision": Path(folder).name, "cache_dir": kwargs.get("cache_dir")}
        with contextlib.suppress(CachedRepoTreeNotFoundError):  # fetched by an older client
            files = get_cached_repo_tree(pretrained_model_name, **where)
            refuse_code([file.path for file in files])
        return folder


def _check_folder(folder: Path) -> None:
    """Raise ValueError unless the folder is a whole G2-GAN checkpoint of a known format."""
    check_seal(folder, list(COMPONENTS))
    refuse_code([path.relative_to(folder).as_posix() for path in folder.rglob("*")])
    index = json.loads((folder / INDEX).read_text("utf-8"))
    if not isinstance(index, dict):
        index = {}
    found = {key: tuple(value) for key, value in index.items() if isinstance(value, list)}
    known = [dict(zip(COMPONENTS, (kind, kind, SHAPE_MODEL), strict=True)) for kind in GENERATORS]
    if index.get("_class_name") != "G2GAN" or found not in known:
        raise ValueError(f"{INDEX} does not describe a G2-GAN checkpoint")
