"""`G2GAN`: remove, synthesise, transfer and interpolate the expression of a face in a photo."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from diffusers.utils import BaseOutput
from PIL import Image

from g2gan.checkpoint import CheckpointedPipeline
from g2gan.editors import Editor, State, editor_of
from g2gan.errors import FaceIndexError, IntensityError, LandmarksError, NoFaceError, PartError
from g2gan.images import Photo, open_photo
from g2gan.landmarks import LANDMARKS_68, Face, LandmarkDetector
from g2gan.mesh import LEFT_EYE, LEFT_IRIS, POINTS, RIGHT_EYE, RIGHT_IRIS
from g2gan.models.unet_generator import UNetGenerator
from g2gan.models.warp_generator import WarpGenerator
from g2gan.shape import PARTS, STRONGEST, ShapeModel

PhotoLike = str | Path | Image.Image | np.ndarray


@dataclass
class G2GANOutput(BaseOutput):
    """What the methods of `G2GAN` return, one entry for each edited photo.

    Args:
        images: the edited photos, of the photo's size (upright) and mode.
        faces: the edited face in each, its mesh as asked: edit on from there without detecting.
        masks: mode "L", 0 where the photo is untouched bit for bit, else 1 to 255 for a share of 0
            to 1 that is painted rather than moved.
    """

    images: list[Image.Image]
    faces: list[Face]
    masks: list[Image.Image]


class G2GAN(CheckpointedPipeline):
    """Edits the expression of a face by its geometry.

    Made with `G2GAN.from_pretrained(folder or Hub id)`. Photos are paths, PIL images or uint8
    arrays (H, W, 3); faces are values: pass `face=` to detect nothing twice. Safe for concurrent
    use.

    Args:
        synthesis: paints an expression on a neutral face, `G_E`.
        removal: takes an expression off, `G_N`.
        shape_model: the geometry of expressions.

    Example:
        >>> pipe = G2GAN.from_pretrained("checkpoints/g2gan-london")  # doctest: +SKIP
        >>> smile = pipe.synthesize("portrait.jpg", "happiness").images[0]  # doctest: +SKIP
    """

    def __init__(
        self,
        synthesis: WarpGenerator | UNetGenerator,
        removal: WarpGenerator | UNetGenerator,
        shape_model: ShapeModel,
    ) -> None:
        super().__init__()
        self.register_modules(synthesis=synthesis, removal=removal, shape_model=shape_model)
        self.detector = LandmarkDetector()
        editor_of(synthesis, removal, shape_model, self.detector)  # refuses what does not fit

    @property
    def expressions(self) -> tuple[str, ...]:
        """The expressions that `synthesize` and `interpolate` take, "neutral" first."""
        return self.shape_model.expressions

    @property
    def looks(self) -> tuple[str, ...]:
        """Variants and combinations ("laugh", "wink left"), usable wherever an expression is.

        "look at camera" and "open eyes" are among them: they end where the face's own eyes ask for.
        """
        return self.shape_model.looks

    @property
    def controls(self) -> tuple[str, ...]:
        """Single movements ("open jaw", "smile left"), to be mixed by hand; usable likewise."""
        return self.shape_model.controls

    def detect(self, photo: PhotoLike) -> list[Face]:
        """The faces in a photo, largest first; `[]` where there is none.

        Raises:
            ImageError: the photo cannot be opened.
            DetectorError: the landmark detector cannot start.
        """
        return self.detector.detect(open_photo(photo).rgb)

    def remove(
        self,
        photo: PhotoLike,
        *,
        landmarks: np.ndarray | None = None,
        parts: Collection[str] = tuple(PARTS),
        face: int | Face = 0,
    ) -> G2GANOutput:
        """Takes the expression off a face: `Î_N = G_N(I_E, H)`.

        Args:
            photo: path, PIL image or uint8 array (H, W, 3).
            landmarks: the neutral shape where it is known, (68, 2), (468, 2), (478, 2) or, with
                depth, (478, 3) in pixels of the photo. Where not, the shape model guesses it; with
                the paper's generators, which are not told it either way, it is detected on the
                result.
            parts: of "mouth", "eyes" and "brows", those that become neutral, where no landmarks
                are given; "eyes" alone turns them to the camera, and opens closed ones.
            face: which face, largest first, or a `Face` that `detect` or an edit returned.

        Raises:
            ImageError, NoFaceError, FaceIndexError, LandmarksError, DetectorError.
            PartError: a part has another name, or the checkpoint is the paper's and edits whole
                faces.
        """
        opened, start = self._begin(photo, face)
        if landmarks is None:
            neutral = self._neutral_in(start, parts)
        else:
            neutral = self._asked_mesh(start.mesh, landmarks)
        return _output(opened, [self._editor.remove(start, neutral)])

    def synthesize(
        self,
        photo: PhotoLike,
        expression: str | dict[str, float] | None = None,
        *,
        landmarks: np.ndarray | None = None,
        intensity: float = 1.0,
        face: int | Face = 0,
        from_neutral: bool = False,
        draft: bool = False,
    ) -> G2GANOutput:
        """Paints an expression on a face: `Î_E = G_E(I_N, H)`; its own is removed first.

        Args:
            photo: path, PIL image or uint8 array (H, W, 3).
            expression: one of `expressions`, `looks` or `controls`, or a blend {name: share} of
                them. Or give `landmarks`.
            landmarks: the shape to take, (68, 2), (468, 2), (478, 2) or, with depth, (478, 3) in
                pixels of the photo.
            intensity: 0 gives the neutral face, 1 the expression, up to 2 exaggerates.
            face: which face, largest first, or a `Face` that `detect` or an edit returned.
            from_neutral: the face is neutral already; nothing is removed.
            draft: nearly the same picture in about half the time, for a small preview: the network
                looks only at what moves.

        Raises:
            ValueError: both or neither of `expression` and `landmarks` are given.
            UnknownExpressionError, IntensityError, LandmarksError, ImageError, NoFaceError,
            FaceIndexError, DetectorError.
        """
        intensity = _checked_intensity(intensity)
        opened, start, target = self._towards(photo, expression, landmarks, face, from_neutral)
        mesh = start.mesh + intensity * (target - start.mesh)
        return _output(opened, [self._editor.synthesize(start, mesh, draft)])

    def transfer(
        self,
        photo_a: PhotoLike,
        photo_b: PhotoLike,
        *,
        parts: Collection[str] = tuple(PARTS),
        face_a: int | Face = 0,
        face_b: int | Face = 0,
    ) -> G2GANOutput:
        """Exchanges two people's expressions (eq. 9 to 12): `images` are A's on B, then B's on A.

        Both expressions are removed; each person's parameters are what leads from their neutral
        shape to the one in the photo, and move the other's neutral face.

        Args:
            photo_a, photo_b: as in `remove`.
            parts: of "mouth", "eyes" and "brows", those that are exchanged; the others stay.
            face_a, face_b: which face of each photo.

        Raises:
            ImageError, NoFaceError, FaceIndexError, DetectorError.
            PartError: as in `remove`.
        """
        opened_a, start_a = self._begin(photo_a, face_a)
        opened_b, start_b = self._begin(photo_b, face_b)
        neutral_a, neutral_b = (
            self._editor.remove(start, self._neutral_in(start, parts))
            for start in (start_a, start_b)
        )
        a_on_b = self._with_expression_of(start_a, neutral_a, neutral_b)
        b_on_a = self._with_expression_of(start_b, neutral_b, neutral_a)
        first, second = _output(opened_b, [a_on_b]), _output(opened_a, [b_on_a])
        return G2GANOutput(
            images=first.images + second.images,
            faces=first.faces + second.faces,
            masks=first.masks + second.masks,
        )

    def interpolate(
        self,
        photo: PhotoLike,
        expression: str | dict[str, float] | None = None,
        *,
        landmarks: np.ndarray | None = None,
        steps: int = 8,
        intensity: float = 1.0,
        face: int | Face = 0,
        from_neutral: bool = False,
    ) -> G2GANOutput:
        """An expression growing from nothing: `s = s_N + Φ (t p)`, t from 0 to `intensity`.

        Args:
            steps: number of images, at least 2; the first is the neutral face.
            intensity: of the last image, as in `synthesize`.

        The other arguments and errors are those of `synthesize`.

        Raises:
            ValueError: `steps` is below 2.
        """
        if steps < 2:
            raise ValueError(f"steps must be at least 2, got {steps}")
        intensity = _checked_intensity(intensity)
        opened, start, target = self._towards(photo, expression, landmarks, face, from_neutral)
        meshes = (start.mesh + t * (target - start.mesh) for t in np.linspace(0, intensity, steps))
        return _output(opened, [self._editor.synthesize(start, mesh) for mesh in meshes])

    @property
    def _editor(self) -> Editor:
        return editor_of(self.synthesis, self.removal, self.shape_model, self.detector)

    def _begin(self, photo: PhotoLike, face: int | Face) -> tuple[Photo, State]:
        """The opened photo and the chosen face in it."""
        opened = open_photo(photo)
        if not isinstance(face, Face):
            faces = self.detector.detect(opened.rgb)
            if not faces:
                raise NoFaceError(
                    "no face found; the face should be at least 4% of the photo's width and turned "
                    "towards the camera"
                )
            if not 0 <= face < len(faces):
                raise FaceIndexError(
                    f"there is no face {face}: the photo has {len(faces)}, counted from 0, "
                    "largest first"
                )
            face = faces[face]
        elif face.image_size != opened.size:
            raise LandmarksError(
                f"this face was found in a photo of {face.image_size} pixels, this one has "
                f"{opened.size}; detect it again"
            )
        untouched = np.zeros(opened.rgb.shape[:2], np.uint8)
        return opened, State(opened.rgb, face.mesh, untouched)

    def _neutral_in(self, start: State, parts: Collection[str]) -> np.ndarray | None:
        """The mesh (478, 3) with some parts neutral; None for all, which editors find themselves.

        Raises:
            PartError: see `remove`.
        """
        if set(parts) == set(PARTS):
            return None
        if not isinstance(self._editor.shapes, ShapeModel):
            raise PartError("the paper's generators edit whole faces; leave out parts")
        share = self.shape_model.part_share(parts)[:, None]
        mesh = start.mesh + share * (self.shape_model.neutral(start.mesh) - start.mesh)
        if set(parts) == {"eyes"}:
            mesh = self.shape_model.look_at_camera(self.shape_model.open_eyes(mesh))
        return mesh

    def _towards(
        self,
        photo: PhotoLike,
        expression: str | dict[str, float] | None,
        landmarks: np.ndarray | None,
        face: int | Face,
        from_neutral: bool,
    ) -> tuple[Photo, State, np.ndarray]:
        """The photo, its neutral face, and the mesh (478, 3) at intensity 1."""
        if (expression is None) == (landmarks is None):
            raise ValueError("give either an expression or landmarks")
        weights = {expression: 1.0} if isinstance(expression, str) else expression
        if weights is not None:  # a wrong name or share fails at once
            weights = {name: _checked_intensity(share) for name, share in weights.items()}
            parameters = self.shape_model.parameters_of(weights)
        opened, start = self._begin(photo, face)
        if not from_neutral:
            start = self._editor.remove(start)
        if landmarks is None:
            mesh = self._editor.shapes.deform(start.mesh, parameters)
            return opened, start, mesh + self.shape_model.aimed(start.mesh, weights)
        return opened, start, self._asked_mesh(start.mesh, landmarks)

    def _with_expression_of(self, expressed: State, neutral: State, other: State) -> State:
        """`other`, a neutral face, with the expression that leads from `neutral` to `expressed`."""
        editor = self._editor
        parameters = editor.shapes.parameters_between(neutral.mesh, expressed.mesh)
        return editor.synthesize(other, editor.shapes.deform(other.mesh, parameters))

    def _asked_mesh(self, mesh: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """The mesh (478, 3) for landmarks or mesh points, with or without depth, asked for."""
        try:
            points = np.asarray(landmarks, np.float64)
        except (TypeError, ValueError) as error:
            raise LandmarksError(f"landmarks must be numbers: {error}") from error
        if points.shape not in ((len(LANDMARKS_68), 2), (468, 2), (POINTS, 2), (POINTS, 3)):
            raise LandmarksError(
                "landmarks must be (68, 2), (468, 2), (478, 2) or (478, 3) in pixels, "
                f"got {points.shape}"
            )
        reach = np.ptp(mesh[:, :2], axis=0).max()
        low, high = mesh[:, :2].min(0) - reach, mesh[:, :2].max(0) + reach
        flat = points[:, :2]
        if not (np.isfinite(points).all() and (flat > low).all() and (flat < high).all()):
            raise LandmarksError(
                "landmarks must be finite and near the face, in pixels of the photo"
            )
        if len(points) == len(LANDMARKS_68):
            return self._editor.shapes.follow(mesh, points)
        asked = mesh.copy()
        asked[: len(points), : points.shape[1]] = points
        if len(points) < POINTS:  # without irises: they go with their lids
            for iris, lids in ((RIGHT_IRIS, RIGHT_EYE), (LEFT_IRIS, LEFT_EYE)):
                moved = (asked - mesh)[list(lids)].mean(0)
                asked[iris : iris + 5] += moved
        return asked


def _checked_intensity(intensity: float) -> float:
    try:
        value = float(intensity)
    except (TypeError, ValueError) as error:
        raise IntensityError(f"intensity must be a number, got {intensity!r}") from error
    if not 0 <= value <= STRONGEST:
        raise IntensityError(f"intensity must be from 0 to {STRONGEST:g}, got {intensity!r}")
    return value


def _output(opened: Photo, states: list[State]) -> G2GANOutput:
    return G2GANOutput(
        images=[opened.to_pil(state.rgb) for state in states],
        faces=[Face(mesh=state.mesh, image_size=opened.size) for state in states],
        masks=[Image.fromarray(state.mask) for state in states],
    )
