"""The loop: generator step, discriminator step, moving average, state."""

import json
import math
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import torch
from accelerate import Accelerator
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from g2gan.alignment import WORKING
from g2gan.errors import CheckpointError
from g2gan.heatmaps import heatmaps
from g2gan.models.unet_generator import UNetGenerator
from g2gan.models.warp_generator import WarpGenerator, move, paint
from train.card import weights_digest
from train.config import Direction, TrainConfig
from train.data import Batch, PreparedSet, batch_at
from train.discriminators import PatchDiscriminator, with_detail
from train.files import write_text
from train.losses import (
    AdversarialLoss,
    IdentityLoss,
    cycle_loss,
    detail_l1,
    dissimilarity,
    gradient_l1,
    identity_weight,
    l1_of_each,
    log_square,
    mouth_squares,
    pixel_loss,
    pooled_l1,
    total_variation,
    weighted_l1,
)
from train.origins import ORIGINS
from train.paper_data import PaperBatch, PaperSet, paper_batch_at
from train.recognizers import CROP, cut_chip

STATE = "state.safetensors"
CURVES = "curves.jsonl"
SAVE_EVERY = 180.0  # seconds
NOTE_EVERY, SHOW_EVERY = 50, 500  # steps between points of the curves, and between sample pictures
UNET_SIDE = 128  # the paper's picture
MOUTH_SQUARE = 80  # pixels of the crop that the mouth's discriminator sees
MOUTH_JITTER = 6.0  # pixels, so that it cannot judge by place


class Trainer:
    """Trains the generators of a config's directions on a prepared set.

    Killed at any time and made again with the same arguments, it goes on from its last saved state.
    Under `torchrun` or `accelerate launch` each process takes its share of every batch, which is as
    many times larger; gradients and the statistics of batch normalisation are averaged, so that the
    weights are the same everywhere.

    Args:
        config: what to do.
        data: the prepared set, ours or the paper's (which trains U-Nets only).
        run: folder of the state and the curves; made if it is missing.
        recognizer: the network F of the identity loss, taking (B, C, 128, 128) in [0, 1].
        device: "cpu" or "cuda"; of several graphics cards each process takes its own.
        precision: "bf16" computes the networks in it; weights and optimisers stay as they are.

    Raises:
        ValueError: the config has an identity loss and there is no recognizer.
        CheckpointError: the state in `run` is another config's, of other data, or of more or fewer
            processes.
    """

    def __init__(
        self,
        config: TrainConfig,
        data: PreparedSet | PaperSet,
        run: Path,
        recognizer: nn.Module | None = None,
        device: str = "cpu",
        precision: Literal["no", "bf16"] = "no",
    ) -> None:
        if config.losses.identity and recognizer is None:
            raise ValueError("the identity loss needs a recognition network")
        self.accelerator = Accelerator(cpu=device == "cpu", mixed_precision=precision)
        self.processes = self.accelerator.num_processes
        if self.processes != int(os.environ.get("WORLD_SIZE", self.processes)):
            raise RuntimeError("the processes of this launch do not find each other")
        self.is_main = self.accelerator.is_main_process  # the one that writes
        self.device = self.accelerator.device
        torch.manual_seed(config.seed)
        self.config, self.data, self.run_folder = config, data, run
        self.generators = nn.ModuleDict({d: _generator(config) for d in config.directions})
        self.discriminators = nn.ModuleDict({d: _discriminator(config) for d in config.directions})
        self.averages = nn.ModuleDict({d: _generator(config) for d in config.directions})
        self.averages.load_state_dict(self.generators.state_dict())
        # which order is faster on a CPU depends on the network: `benchmarks/train_speed.py`
        is_warp = config.generator == "warp"
        layout = torch.channels_last if is_warp else torch.contiguous_format
        for networks in (self.generators, self.discriminators, self.averages):
            networks.to(self.device, memory_format=layout)
        self.averages.requires_grad_(False).eval()
        self.generator_optimizer = torch.optim.Adam(
            self.generators.parameters(), config.learning_rate, config.betas
        )
        self.discriminator_optimizer = torch.optim.Adam(
            self.discriminators.parameters(), config.discriminator_rate, config.discriminator_betas
        )
        self.adversarial = AdversarialLoss(config.adversarial_form)
        self.identity = IdentityLoss(recognizer.to(self.device), UNET_SIDE) if recognizer else None
        self.step = 0
        self.seconds = 0.0
        self.init = ""  # digest of the weights that it began from, where it began from some
        run.mkdir(parents=True, exist_ok=True)
        if (run / STATE).is_file():
            self._load()
        self.board = SummaryWriter(run, purge_step=self.step) if self.is_main else None

    @property
    def size(self) -> int:
        """Images of a step, of all processes together."""
        return self.config.batch * self.processes

    @property
    def steps(self) -> int:
        """Length of the whole run."""
        return self.config.images // self.size

    @property
    def images(self) -> int:
        """Seen so far, by all processes together."""
        return self.step * self.size

    @property
    def progress(self) -> float:
        """Share of the run that is done, in [0, 1]."""
        return self.step / self.steps

    def train(self, minutes: float | None = None) -> None:
        """Go on to the end of the run, or for some minutes; the state is saved on the way."""
        started = saved = time.monotonic()
        total, quiet = self.config.images, not self.is_main
        bar = tqdm(total=total, initial=self.images, unit="img", disable=quiet)
        while self.step < self.steps:
            before = time.monotonic()
            terms = self.train_step()
            now = time.monotonic()
            self.seconds += now - before
            bar.update(self.size)
            if self.step % NOTE_EVERY == 0:
                self._note(terms)
                bar.set_postfix(pixel=f"{terms[self.config.directions[0] + '/pixel']:.4f}")
            if self.step % SHOW_EVERY == 0:
                self._show()
            if now - saved > SAVE_EVERY:
                self.save()
                saved = now
            if minutes is not None and now - started > 60 * minutes:
                self.accelerator.set_trigger()
            if self.accelerator.check_trigger():  # for any process the time is up
                break
        bar.close()
        self.save()

    def train_step(self) -> dict[str, float]:
        """One step of every direction's generator and discriminator; the loss terms."""
        self._set_rates()
        with self.accelerator.autocast():
            terms, total, judged = self._generate()
        self.generator_optimizer.zero_grad()
        total.backward()
        self._share(p.grad for p in self.generators.parameters())
        if self.config.clip:
            nn.utils.clip_grad_norm_(self.generators.parameters(), self.config.clip)
        self.generator_optimizer.step()

        if judged:
            with self.accelerator.autocast():
                loss = self._judge(judged)
            self.discriminator_optimizer.zero_grad()
            loss.backward()
            self._share(p.grad for p in self.discriminators.parameters())
            self.discriminator_optimizer.step()
            terms["discriminator"] = loss.item()
        self.step += 1
        self._share(self.generators.buffers())
        self._share(self.discriminators.buffers())
        self._average()
        return terms

    def _generate(self) -> tuple[dict[str, float], Tensor, dict]:
        """Every direction's pictures: the loss terms, eq. 6, and what discriminators are to see."""
        losses = self.config.losses
        terms, total, judged = {}, torch.zeros((), device=self.device), {}
        self.discriminators.requires_grad_(False)  # gradients pass through them, none stay
        for direction in self.config.directions:
            batch = self._batch(direction, self.step)
            output, found = self._reconstruct(self.generators[direction], batch, direction)
            if losses.adversarial and self.progress >= self.config.adversarial_from:
                judged[direction] = self._judged(batch, batch.target, output, direction)
                logits = self.discriminators[direction](*judged[direction][1])
                found["adversarial"] = self.adversarial.generator(logits)
            if losses.cycle:
                other = "removal" if direction == "synthesis" else "synthesis"
                back = batch.back(output)
                restored, _ = self._reconstruct(self.generators[other], back, other)
                found["cycle"] = cycle_loss(restored, _sized(batch.source, restored))
            if losses.identity:
                faces = [self._face(each) for each in (output, _sized(batch.source, output))]
                found["identity"] = identity_weight(self.progress) * self.identity(*faces)
            total = total + sum(getattr(losses, name) * value for name, value in found.items())
            terms |= {f"{direction}/{name}": value.item() for name, value in found.items()}
            if isinstance(batch, Batch):
                terms |= _by_origin(f"{direction}/pixel", output, batch)
        return terms, total, judged

    def _judge(self, judged: dict[Direction, tuple[list[Tensor], list[Tensor]]]) -> Tensor:
        """The discriminators' loss on real and generated pictures of each direction."""
        loss = torch.zeros((), device=self.device)
        self.discriminators.requires_grad_(True)
        for direction, (real, fake) in judged.items():
            judge = self.discriminators[direction]
            fake = [x.detach() for x in fake]
            loss = loss + self.adversarial.discriminator(judge(*real), judge(*fake))
        return loss

    @torch.no_grad()
    def _share(self, tensors: Iterable[Tensor | None]) -> None:
        """Put the mean over all processes in the place of these gradients or statistics."""
        if self.processes == 1:
            return
        tensors = [x for x in tensors if x is not None and x.is_floating_point()]
        if tensors:
            together = torch.cat([x.flatten() for x in tensors])
            together = self.accelerator.reduce(together, reduction="mean")
            for x, mean in zip(tensors, together.split([x.numel() for x in tensors]), strict=True):
                x.copy_(mean.view(x.shape))

    def _set_rates(self) -> None:
        """The learning rates of this step."""
        share = 0.5 * (1 + math.cos(math.pi * self.progress))
        if self.config.schedule == "linear":
            share = min(1.0, 2 * (1 - self.progress))
            for group in self.discriminator_optimizer.param_groups:
                group["lr"] = self.config.discriminator_rate * share
        for group in self.generator_optimizer.param_groups:
            group["lr"] = self.config.learning_rate * share

    def _batch(self, direction: Direction, step: int) -> Batch | PaperBatch:
        """This process' share of a step's batch, on the device."""
        whole = (self.data, direction, self.config.seed, step, self.size)
        if isinstance(self.data, PaperSet):
            batch = paper_batch_at(*whole, part=self._part)
        else:
            batch = batch_at(*whole, cycle=self.config.losses.cycle > 0, part=self._part)
        return type(batch)(*(x if x is None else x.to(self.device) for x in batch))

    @property
    def _part(self) -> slice:
        """Which samples of a whole batch are this process' own."""
        first = self.accelerator.process_index * self.config.batch
        return slice(first, first + self.config.batch)

    def _reconstruct(
        self, network: nn.Module, batch: Batch | PaperBatch, direction: Direction
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """A generator's picture and its reconstruction terms (eq. 3 and what a warp needs)."""
        if self.config.generator == "unet":
            output = network(*_paper_inputs(batch, direction, self.config.heatmap_sigma))
            return output, {"pixel": pixel_loss(output, _sized(batch.target, output))}
        fields = network(*batch.warp_inputs())
        warped = move(batch.source, batch.base_flow, fields)
        output = paint(warped, fields)
        return output, {
            "pixel": weighted_l1(output, batch.target, batch.weight),
            "pooled": pooled_l1(output, batch.target, batch.weight),
            "gradient": gradient_l1(output, batch.target, batch.weight),
            "dissimilarity": dissimilarity(output, batch.target, batch.weight),
            "log_square": log_square(output, batch.target, batch.weight),
            "detail": detail_l1(output, batch.target, batch.weight * batch.gates[:, 1:]),
            "warped": weighted_l1(warped, batch.target, batch.weight.clamp(max=1)),
            "mask": fields.mask.mean(),
            "smooth": total_variation(fields.residual),
        }

    def _face(self, picture: Tensor) -> Tensor:
        """What the recognition network sees of a picture: the paper's crop."""
        is_crop = self.config.generator == "unet"
        return picture if is_crop else cut_chip(picture, CROP, WORKING)

    def _judged(
        self, batch: Batch | PaperBatch, real: Tensor, fake: Tensor, direction: Direction
    ) -> tuple[list[Tensor], list[Tensor]]:
        """What the discriminator sees of real and generated pictures.

        The paper's sees triplets (input, H, output); ours, for photographs, squares round mouths.
        """
        if self.config.generator == "unet":
            source, drawn = _paper_inputs(batch, direction, self.config.heatmap_sigma)
            return [source, drawn, _sized(real, fake)], [source, drawn, fake]
        centres = batch.target_landmarks[:, 48:60].mean(1)
        jitter = torch.randn(self.size, 2)[self._part]  # processes draw alike
        centres = centres + MOUTH_JITTER * jitter.to(centres)
        return tuple(
            [with_detail(mouth_squares(picture, centres, MOUTH_SQUARE, MOUTH_SQUARE))]
            for picture in (real, fake)
        )

    @torch.no_grad()
    def _average(self) -> None:
        """Moving average of the weights; young runs forget their start sooner."""
        decay = min(self.config.average, (1 + self.step) / (10 + self.step))
        pairs = zip(self.averages.parameters(), self.generators.parameters(), strict=True)
        for average, weight in pairs:
            average.lerp_(weight, 1 - decay)
        for average, buffer in zip(self.averages.buffers(), self.generators.buffers(), strict=True):
            average.copy_(buffer)

    def _note(self, terms: dict[str, float]) -> None:
        """A point of the curves; of the main process' share of the batch."""
        if not self.is_main:
            return
        line = {"step": self.step, "images": self.images, **terms}
        with (self.run_folder / CURVES).open("a", encoding="utf-8") as curves:
            curves.write(json.dumps({k: round(v, 6) for k, v in line.items()}) + "\n")
        for name, value in terms.items():
            self.board.add_scalar(name, value, self.step)

    @torch.no_grad()
    def _show(self) -> None:
        """The first batch as the averaged networks edit it: input, output, truth."""
        for direction in self.config.directions:
            batch = self._batch(direction, 0)
            output, _ = self._reconstruct(self.averages[direction], batch, direction)
            columns = [_sized(batch.source, output), output, _sized(batch.target, output)]
            rows = torch.cat(columns, 3).clamp(0, 1)
            if self.is_main:
                self.board.add_image(direction, torch.cat(list(rows), 1), self.step)

    def start_from(self, folder: Path) -> None:
        """Begin with a checkpoint's weights and fresh optimisers (`--init`)."""
        for direction in self.config.directions:
            network = type(self.generators[direction]).from_pretrained(folder / direction)
            for networks in (self.generators, self.averages):
                networks[direction].load_state_dict(network.state_dict())
        self.init = weights_digest(folder)

    def save(self) -> None:
        """Write the whole state to the run's folder, under a temporary name first."""
        if not self.is_main:
            return
        tensors = {"torch_rng": torch.get_rng_state()}
        if self.device.type == "cuda":
            tensors["cuda_rng"] = torch.cuda.get_rng_state(self.device)
        for name, networks in self._networks().items():
            tensors |= {f"{name}.{key}": value for key, value in networks.state_dict().items()}
        for name, optimizer in self._optimizers().items():
            for index, slots in optimizer.state_dict()["state"].items():
                tensors |= {f"{name}.{index}.{slot}": value for slot, value in slots.items()}
        meta = {"step": str(self.step), "seconds": str(self.seconds)}
        meta["processes"] = str(self.processes)
        meta["config"] = self.config.to_json()
        meta |= {"data": self.data.digest, "init": self.init}
        unfinished = self.run_folder / f"{STATE}.part"
        save_file({key: value.contiguous() for key, value in tensors.items()}, unfinished, meta)
        unfinished.replace(self.run_folder / STATE)

    def _load(self) -> None:
        with safe_open(self.run_folder / STATE, "pt", device=str(self.device)) as state:
            meta = state.metadata()
            tensors = {key: state.get_tensor(key) for key in state.keys()}  # noqa: SIM118
        if meta["config"] != self.config.to_json():
            raise CheckpointError(
                f"{self.run_folder} holds the state of other settings; give another --run folder, "
                "or delete it to start again"
            )
        if meta["data"] != self.data.digest:
            raise CheckpointError(
                f"{self.run_folder} holds the state of a run on other data; give another --run "
                "folder, or delete it to start again"
            )
        if (processes := int(meta.get("processes", 1))) != self.processes:
            raise CheckpointError(
                f"{self.run_folder} holds the state of a run of {processes} processes; start it "
                "with as many"
            )
        self.step, self.seconds = int(meta["step"]), float(meta["seconds"])
        self.init = meta["init"]
        self._forget_later_curves()
        torch.set_rng_state(tensors.pop("torch_rng").cpu())
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(tensors.pop("cuda_rng").cpu(), self.device)
        for name, networks in self._networks().items():
            own = {k: tensors[f"{name}.{k}"] for k in networks.state_dict()}
            networks.load_state_dict(own)
        for name, optimizer in self._optimizers().items():
            slots: dict[int, dict[str, Tensor]] = {}
            for key, value in tensors.items():
                if key.startswith(f"{name}."):
                    _, index, slot = key.split(".")
                    slots.setdefault(int(index), {})[slot] = value
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": slots, "param_groups": groups})

    def _forget_later_curves(self) -> None:
        """Drop what was noted after the saved state: it will be noted again."""
        curves = self.run_folder / CURVES
        if self.is_main and curves.is_file():
            lines = curves.read_text("utf-8").splitlines(keepends=True)
            kept = [line for line in lines if json.loads(line)["step"] <= self.step]
            write_text(curves, "".join(kept))

    def _networks(self) -> dict[str, nn.ModuleDict]:
        return {
            "generators": self.generators,
            "discriminators": self.discriminators,
            "averages": self.averages,
        }

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
        }


def _generator(config: TrainConfig) -> nn.Module:
    if config.generator == "unet":
        return UNetGenerator(**config.generator_arguments, heatmap_sigma=config.heatmap_sigma)
    return WarpGenerator(**config.generator_arguments)


def _discriminator(config: TrainConfig) -> PatchDiscriminator:
    if config.generator == "unet":
        channels = config.generator_arguments.get("image_channels", 3)
        return PatchDiscriminator(channels + 68 + channels, config.discriminator_width)
    return PatchDiscriminator(6, config.discriminator_width, layers=2, norm=False)


@torch.no_grad()
def _by_origin(name: str, output: Tensor, batch: Batch) -> dict[str, float]:
    """The pixel term of a batch's real, morphed and animated pairs, each by itself."""
    target, weight = (_sized(x, output) for x in (batch.target, batch.weight))
    each = l1_of_each(output, target, weight)
    return {
        f"{name}/{origin}": each[batch.origin == number].mean().item()
        for number, origin in enumerate(ORIGINS)
        if (batch.origin == number).any()
    }


def _paper_inputs(
    batch: Batch | PaperBatch, direction: Direction, sigma: float
) -> tuple[Tensor, Tensor]:
    """The source picture and H, as the paper's networks see them.

    H is the expressed face's: in synthesis the output's, in removal the input's.
    """
    expressed = batch.target_landmarks if direction == "synthesis" else batch.source_landmarks
    shrink = batch.source.shape[-1] // UNET_SIDE
    drawn = heatmaps((expressed + 0.5) / shrink - 0.5, UNET_SIDE, sigma)
    return functional.avg_pool2d(batch.source, shrink), drawn


def _sized(picture: Tensor, like: Tensor) -> Tensor:
    """The picture averaged down to the side of another."""
    return functional.adaptive_avg_pool2d(picture, like.shape[-1])
