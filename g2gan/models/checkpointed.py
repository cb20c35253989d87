"""Models whose checkpoints load completely, or not at all.

diffusers fills what a checkpoint lacks with random numbers, drops what it does not know, accepts
pickled weights and only writes a line to the log. A face editor must not run on half its weights.
"""

import inspect
import os
import sys
from pathlib import Path
from typing import Self

from diffusers import ConfigMixin, ModelMixin
from safetensors import SafetensorError

from g2gan.errors import CheckpointError

# What diffusers, safetensors and torch raise for folders that are missing, damaged or foreign.
LOADING_ERRORS = (
    OSError,
    ValueError,
    TypeError,
    ImportError,
    AttributeError,
    KeyError,
    RuntimeError,
    SafetensorError,
)


class CheckpointedModel(ModelMixin, ConfigMixin):
    """A model whose constructor's arguments are its saved config, and which is loaded strictly.

    `DiffusionPipeline.from_pretrained` loads its components through the same method.
    """

    def __init_subclass__(cls, **kwargs) -> None:
        super().__init_subclass__(**kwargs)
        # A pipeline asks the module in which a component's class lives how that class is loaded:
        # it looks there for the name of a loadable base, and refuses the component without it.
        sys.modules[cls.__module__].ModelMixin = ModelMixin

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | os.PathLike[str], **kwargs
    ) -> Self:
        """Load a model saved with `save_pretrained`, in evaluation mode.

        Args:
            pretrained_model_name_or_path: the folder of `config.json` and the safetensors file, or
                a Hub id.
            **kwargs: as in diffusers (`subfolder`, `dtype`, `revision`, ...), but weights are
                always safetensors, and the model alone is returned.

        Raises:
            CheckpointError: files are missing or damaged; the config is another class's, lacks an
                argument or has one too many; weights are missing, unexpected, of another shape, or
                not finite.
        """
        strict = {"output_loading_info": True, "use_safetensors": True, "use_flashpack": False}
        folder = Path(pretrained_model_name_or_path, kwargs.get("subfolder") or "")
        try:
            _refuse_shards(folder)
            cls._check_config(cls.load_config(pretrained_model_name_or_path, **kwargs))
            model, found = super().from_pretrained(
                pretrained_model_name_or_path, **{**kwargs, **strict}
            )
            _check_weights(model, found)
        except LOADING_ERRORS as error:
            reason = str(error).rstrip(".")
            raise CheckpointError(
                f"cannot load {cls.__name__} from {folder}: {reason}. Download the checkpoint "
                "again, or export it again with the installed version of g2gan"
            ) from error
        return model

    @classmethod
    def _check_config(cls, config: dict) -> None:
        """Raise ValueError unless config.json has exactly the arguments of this class."""
        if not isinstance(config, dict) or config.get("_class_name") != cls.__name__:
            raise ValueError(f"config.json does not describe a {cls.__name__}")
        given = {key for key in config if not key.startswith("_")}
        expected = set(inspect.signature(cls).parameters)
        if given != expected:
            raise ValueError(
                f"config.json lacks {_listed(expected - given)} and has unknown "
                f"{_listed(given - expected)}"
            )


def _refuse_shards(folder: Path) -> None:
    """Raise ValueError for an index of shards: we never write one, and one may name pickles."""
    if any(folder.glob("*.index.json")):
        raise ValueError("weights must be one safetensors file, not shards with an index")


def _check_weights(model: ModelMixin, found: dict[str, list]) -> None:
    """Raise ValueError unless exactly the model's weights were `found`, all of them finite."""
    problems = {kind.replace("_", " "): keys for kind, keys in found.items() if keys}
    if not problems:  # what is missing may have no values yet
        strange = [key for key, t in model.state_dict().items() if not t.isfinite().all()]
        problems = {"not finite": strange} if strange else {}
    if problems:
        raise ValueError("; ".join(f"{kind}: {_listed(keys)}" for kind, keys in problems.items()))


def _listed(keys: list | set, at_most: int = 4) -> str:
    """The first few keys, and how many more there are."""
    names = sorted(str(key) for key in keys)
    more = f" and {len(names) - at_most} more" if len(names) > at_most else ""
    return (", ".join(names[:at_most]) or "nothing") + more
