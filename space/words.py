"""What visitors read: errors in one line, names of expressions in plain words."""

import logging
import traceback

from g2gan import FaceIndexError, G2GANError, NoFaceError

NO_FACE = (
    "We could not find a face in this photo. Try one where the face is larger and looks "
    "towards the camera."
)
NOT_SO_MANY = "There are not that many faces in the photo; 1 is the largest."
UNEXPECTED = "Something went wrong on our side. Please try again, or try another photo."
NAMES = {  # in the order in which they are offered
    "neutral": "Neutral",
    "happiness/closed lips": "Closed smile",
    "happiness": "Smile",
    "laugh": "Laugh",
    "surprise": "Surprised",
    "sadness": "Sad",
    "anger": "Angry",
    "fear": "Afraid",
    "disgust": "Disgusted",
    "contempt": "Scornful",
    "surprise/lips apart": "Surprised, lips apart",
    "sadness/heavy lids": "Sad, heavy lids",
    "anger/bared teeth": "Angry, teeth bared",
    "fear/open mouth": "Afraid, mouth open",
    "disgust/closed lips": "Disgusted, lips closed",
    "contempt/pressed lips": "Scornful, lips pressed",
}

log = logging.getLogger("g2gan.space")


def label(name: str) -> str:
    """An expression, a look or a control as a visitor calls it."""
    return NAMES.get(name, name[:1].upper() + name[1:])


def in_one_line(error: Exception) -> str:
    """What to tell a visitor. A bug is logged with where it is, but without its message, which may
    hold a file's name.
    """
    if isinstance(error, NoFaceError):
        return NO_FACE
    if isinstance(error, FaceIndexError):
        return NOT_SO_MANY
    if isinstance(error, G2GANError):
        line = " ".join(str(error).split())
        return line[:1].upper() + line[1:]
    stack = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s\n%s", type(error).__name__, stack)
    return UNEXPECTED
