"""What can go wrong in a user's hands: one small family of exceptions, each saying what to do."""


class G2GANError(Exception):
    """Base of every error that the package raises on purpose."""


class NoFaceError(G2GANError):
    """No face was found in the photo."""


class FaceIndexError(G2GANError, IndexError):
    """A face was asked for by an index that the photo does not have."""


class ImageError(G2GANError, ValueError):
    """The file or array is not a photo that can be edited."""


class LandmarksError(G2GANError, ValueError):
    """Landmarks of a wrong shape, not finite, or far outside the photo."""


class IntensityError(G2GANError, ValueError):
    """An intensity that is no finite number, or out of range."""


class UnknownExpressionError(G2GANError, KeyError):
    """A name that is none of the pipeline's expressions."""

    def __str__(self) -> str:
        return Exception.__str__(self)  # KeyError would print the message's repr


class PartError(G2GANError, ValueError):
    """A name that is no part of the face, none at all, or a checkpoint that edits whole faces."""


class PresetError(G2GANError, ValueError):
    """A preset that cannot be read: no preset, of a newer format, or with impossible values."""


class CheckpointError(G2GANError):
    """The checkpoint cannot be loaded: missing, damaged, foreign or too new."""


class DetectorError(G2GANError):
    """The landmark detector cannot start: MediaPipe or its model file is missing or damaged."""
