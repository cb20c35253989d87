"""How a generator of each kind edits a face in a photo: one editor for ours, one for the paper's.

An editor takes a face on its way through the networks, a `State`, and gives the next one. Shapes
are the detector's mesh, (478, 3), in pixels of the photo.
"""

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import torch
from torch import Tensor

from g2gan.alignment import PAPER, WHOLE, WORKING, crop, eye_centres, scale_of, transform
from g2gan.crows_feet import beside_eyes
from g2gan.eyes import put_eyes
from g2gan.flow import MARGIN, Edit, apply, base_flow, border_ramp, gates, seams
from g2gan.folds import folds
from g2gan.heatmaps import heatmaps
from g2gan.landmarks import LANDMARKS_68, Face, LandmarkDetector
from g2gan.lips import LINES, SHADE, resting
from g2gan.mesh import FACE_OVAL, POINTS
from g2gan.models.unet_generator import UNetGenerator
from g2gan.models.warp_generator import WarpGenerator, without_lines
from g2gan.mouth import open_mouth
from g2gan.paste import luminance, paste
from g2gan.shape import LANDMARKS, ShapeModel, nearness

HANDLES = list(LANDMARKS_68)
SOFT_EDGE = 12  # pixels of the paper's crop in which painting fades at its border
ROUND_FACE = 4  # pixels of it that painting reaches past the face oval, before it fades
SURROUNDINGS = 1.0  # widths of a face that a detector sees on each side when it looks again
# What a draft's network sees of it: where it moves by more than so many pixels, or by that share of
# the most, and so many pixels around
MOVES, OF_MOST, AROUND = 2.5, 0.1, 20


@dataclass(frozen=True)
class State:
    """A face in a photo on the way through the networks."""

    rgb: np.ndarray  # (H, W, 3) uint8
    mesh: np.ndarray  # (478, 3)
    mask: np.ndarray  # (H, W) uint8


class Shapes(Protocol):
    """What an editor knows of shapes: `ShapeModel` on the whole mesh is one."""

    def deform(self, neutral: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        """`s_N + Φ p`."""

    def parameters_between(self, neutral: np.ndarray, expressed: np.ndarray) -> np.ndarray:
        """Parameters p that best lead from one mesh to the other."""

    def follow(self, neutral: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """The mesh whose 68 landmarks lie where (68, 2) asks for them."""


class Editor(Protocol):
    """Both directions of one kind of generator."""

    shapes: Shapes

    def remove(self, start: State, neutral: np.ndarray | None = None) -> State:
        """The face without its expression; its `neutral` mesh where it is known."""

    def synthesize(self, start: State, target: np.ndarray, draft: bool = False) -> State:
        """The neutral face with the expression that the mesh `target` shows; a draft is faster."""


def editor_of(
    synthesis: WarpGenerator | UNetGenerator,
    removal: WarpGenerator | UNetGenerator,
    shape_model: ShapeModel,
    detector: LandmarkDetector,
) -> Editor:
    """The editor that these generators are made for.

    Raises:
        ValueError: they are of two kinds, or the shape model is another kind's.
    """
    kind, points = type(synthesis), shape_model.config.points
    needed = {WarpGenerator: POINTS, UNetGenerator: LANDMARKS}[kind]
    if type(removal) is not kind or points != needed:
        raise ValueError(
            f"{kind.__name__} needs its like for removal and shapes of {needed} points, got "
            f"{type(removal).__name__} and {points} points"
        )
    if kind is WarpGenerator:
        return WarpEditor(synthesis, removal, shape_model)
    return UNetEditor(synthesis, removal, LandmarkShapes(shape_model), detector)


@dataclass(frozen=True)
class WarpEditor:
    """Ours: moves the photo from mesh to mesh and lets the network add what is missing."""

    synthesis: WarpGenerator
    removal: WarpGenerator
    shapes: ShapeModel

    def remove(self, start: State, neutral: np.ndarray | None = None) -> State:
        """Towards the neutral mesh; the shape model guesses it where it is not known."""
        if neutral is None:
            neutral = self.shapes.neutral(start.mesh)
        return self._edit(self.removal, start, neutral)

    def synthesize(self, start: State, target: np.ndarray, draft: bool = False) -> State:
        """Towards the mesh `target`."""
        return self._edit(self.synthesis, start, target, draft)

    @torch.inference_mode()
    def _edit(
        self, network: WarpGenerator, start: State, target: np.ndarray, draft: bool = False
    ) -> State:
        matrix = WORKING.matrix(start.mesh)
        source, asked = transform(matrix, start.mesh), transform(matrix, target)
        flow = base_flow(source, asked)
        inner = flow[MARGIN:-MARGIN, MARGIN:-MARGIN]
        picture = crop(start.rgb, matrix, WORKING.side).astype(np.float32) / 255
        allowed = gates(asked)
        part = _moving(inner, 2 ** len(network.config.widths)) if draft else WHOLE
        corner = [part[1].start, part[0].start]
        seen = (
            picture[part].transpose(2, 0, 1),
            inner[part].transpose(2, 0, 1),
            allowed[:, *part],
            source[HANDLES, :2] - corner,
            asked[HANDLES, :2] - corner,
        )
        device = network.device  # found anew each time: slowly
        predict = network if draft else network.predict
        fields = predict(*(_tensor(array, device) for array in seen))
        if network is self.removal:
            fields = without_lines(fields, _tensor(beside_eyes(source, asked)[None], device))
        arrays = {name: _in_crop(_array(field), part) for name, field in fields._asdict().items()}
        if network is self.synthesis:
            skin = allowed[1][part][..., None]
            if draft:
                skin = skin * border_ramp(len(skin), AROUND)[..., None]
            darker = folds(source, asked, part) - 1
            arrays["shading"][part] += skin * darker * arrays["even"][part]
        else:
            lips = resting(source, asked)[..., None]
            arrays["erased"] -= lips * (arrays["erased"] + LINES)
            arrays["colour"] *= 1 - SHADE * lips * arrays["mask"]
        fine = () if draft else seams(source, asked, inner, scale_of(matrix))
        inner += arrays["residual"]
        edit = Edit(
            flow=flow,
            shading=arrays["shading"],
            mask=arrays["mask"][..., 0],
            colour=arrays["colour"],
            erased=arrays["erased"][..., 0],
            even=arrays["even"],
            seams=fine,
            target=asked,
        )
        rgb, mask = apply(start.rgb, matrix, edit)
        laid = put_eyes(rgb, start.rgb, start.mesh, target)
        pose = self.shapes.pose(start.mesh)
        mouth = open_mouth(rgb, start.rgb, pose, start.mesh, target)
        if mouth is not None:
            laid.append(mouth)
        for part, share in laid:
            mask[part] = np.maximum(mask[part], np.ceil(share * 255).astype(np.uint8))
        return State(rgb, target, np.maximum(start.mask, mask))


@dataclass(frozen=True)
class LandmarkShapes:
    """The paper's shape model on the mesh: the 68 landmarks move, the rest goes along smoothly."""

    model: ShapeModel

    def deform(self, neutral: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        """`s_N + Φ p` (eq. 8) of the landmarks."""
        return self.follow(neutral, self.model.deform(_flat(neutral), parameters)[:, :2])

    def parameters_between(self, neutral: np.ndarray, expressed: np.ndarray) -> np.ndarray:
        """Eq. 11: least squares over the landmarks, each shape normalised by its own eyes."""
        return self.model.parameters_between(_flat(neutral), _flat(expressed))

    def follow(self, neutral: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """The mesh with its landmarks exactly where (68, 2) asks for them."""
        right, left = eye_centres(neutral)
        pull = nearness(neutral / np.hypot(*(left - right)), HANDLES)
        moved = landmarks - neutral[HANDLES, :2]
        mesh = neutral.copy()  # lips that touch are one equation twice: least squares
        mesh[:, :2] += pull @ np.linalg.lstsq(pull[HANDLES], moved, rcond=None)[0]
        mesh[HANDLES, :2] = landmarks
        return mesh


@dataclass(frozen=True)
class UNetEditor:
    """The paper's: a network paints a small crop anew, which is pasted back into the photo.

    `H` shows the expressed face's landmarks in both directions: the input's own in removal. What a
    neutral face's landmarks are is not guessed, but detected on the generated picture.
    """

    synthesis: UNetGenerator
    removal: UNetGenerator
    shapes: LandmarkShapes
    detector: LandmarkDetector

    def remove(self, start: State, neutral: np.ndarray | None = None) -> State:
        """`Î_N = G_N(I_E, H(s_E))`, its mesh detected anew where it is not known (eq. 10)."""
        rgb, mask = self._paint(self.removal, start, start.mesh)
        if neutral is None:
            neutral = self._seen_again(rgb, start.mesh)
        return State(rgb, neutral, mask)

    def synthesize(self, start: State, target: np.ndarray, draft: bool = False) -> State:
        """`Î_E = G_E(I_N, H(s_E))`; a face that shall stay as it is is not painted."""
        if np.array_equal(target[HANDLES, :2], start.mesh[HANDLES, :2]):
            return start
        rgb, mask = self._paint(self.synthesis, start, target)
        return State(rgb, target, mask)

    @torch.inference_mode()
    def _paint(
        self, network: UNetGenerator, start: State, expressed: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Photo and mask after `G(I, H)`, with H of the mesh `expressed`."""
        matrix, side = PAPER.matrix(start.mesh), PAPER.side
        picture = crop(start.rgb, matrix, side)
        if network.config.image_channels == 1:
            picture = np.rint(luminance(picture))
        before = picture.astype(np.float32) / 255
        points = _tensor(transform(matrix, expressed[HANDLES, :2]), network.device)
        drawn = heatmaps(points, side, network.config.heatmap_sigma)
        face = _tensor(before.transpose(2, 0, 1), network.device)
        after = _array(network(face.to(network.dtype), drawn.to(network.dtype)))
        share = _face_share(transform(matrix, start.mesh), transform(matrix, expressed))
        rgb, mask = paste(start.rgb, matrix, before, after, share)
        return rgb, np.maximum(start.mask, mask)

    def _seen_again(self, rgb: np.ndarray, mesh: np.ndarray) -> np.ndarray:
        """The mesh of the face that was at `mesh`; that one where none is found any more.

        The detector looks at the surroundings alone, in the photo's own pixels.
        """
        x0, y0, x1, y1 = Face(mesh, rgb.shape[1::-1]).box
        reach = SURROUNDINGS * (x1 - x0)
        left, top, right, bottom = (
            max(0, int(end)) for end in (x0 - reach, y0 - reach, x1 + reach, y1 + reach)
        )
        part = rgb[top:bottom, left:right]
        if not part.size:
            return mesh
        eyes, corner = np.array(eye_centres(mesh)), np.array([left, top, 0])

        def away(other: np.ndarray) -> float:
            return float(np.abs(np.array(eye_centres(other)) - eyes).max())

        seen = [face.mesh + corner for face in self.detector.detect(part)]
        near = [other for other in seen if away(other) < reach / 4]
        return min(near, key=away, default=mesh)


def _moving(flow: np.ndarray, cell: int) -> tuple[slice, slice]:
    """Rows and columns of the square of a crop in which a flow (side, side, 2) moves it much.

    Its side is a whole number of `cell` pixels.
    """
    size = np.maximum(*np.abs(flow).transpose(2, 0, 1))
    moves = size > max(MOVES, OF_MOST * float(size.max()))
    if not moves.any():
        return slice(0, cell), slice(0, cell)
    ends = [np.flatnonzero(moves.any(axis))[[0, -1]] + [-AROUND, AROUND + 1] for axis in (1, 0)]
    longest = max(high - low for low, high in ends)
    side = min(WORKING.side, cell * int(np.ceil(longest / cell)))
    starts = (int(np.clip((low + high - side) // 2, 0, WORKING.side - side)) for low, high in ends)
    rows, columns = (slice(start, start + side) for start in starts)
    return rows, columns


def _in_crop(field: np.ndarray, part: tuple[slice, slice]) -> np.ndarray:
    """A field (h, w, C) of a part of the crop as (side, side, C), with nothing around it."""
    if part == WHOLE:
        return field
    whole = np.zeros((WORKING.side, WORKING.side, field.shape[2]), np.float32)
    whole[part] = field
    return whole


def _face_share(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Where the paper's crop is painted, (128, 128) in [0, 1]: both faces' ovals, with a soft edge.

    Args:
        source, target: (478, 3) meshes in crop pixels.
    """
    oval = np.zeros((PAPER.side, PAPER.side), np.uint8)
    for mesh in (source, target):
        outline = np.rint(mesh[list(FACE_OVAL), :2] * 16).astype(np.int32)
        cv2.fillPoly(oval, [outline], 255, shift=4)
    reach = 2 * ROUND_FACE + 1
    wide = cv2.dilate(oval, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    soft = cv2.GaussianBlur(wide, (0, 0), ROUND_FACE / 2).astype(np.float32) / 255
    return soft * border_ramp(PAPER.side, SOFT_EDGE)


def _flat(mesh: np.ndarray) -> np.ndarray:
    """The mesh's 68 landmarks with z = 0, (68, 3)."""
    return np.column_stack([mesh[HANDLES, :2], np.zeros(LANDMARKS)])


def _tensor(array: np.ndarray, device: torch.device) -> Tensor:
    """(1, ...) float32 where the network is."""
    array = np.ascontiguousarray(array, np.float32)
    return torch.from_numpy(array)[None].to(device)


def _array(field: Tensor) -> np.ndarray:
    """(1, C, H, W) as float32 (H, W, C)."""
    return field[0].float().permute(1, 2, 0).cpu().numpy()
