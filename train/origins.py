"""How each picture of a prepared set came about, so that what is measured can be split by it."""

import json
from pathlib import Path

from train.animated_set import animated_names
from train.morphs import Parents
from train.prepare import ANIMATED_FOLDER, MANIFEST, STATES

# A photograph; between two people's photographs; moved by the 3D face, from either of these.
REAL, MORPHED, ANIMATED = ORIGINS = "real", "morphed", "animated"


def origins(folder: Path) -> dict[str, str]:
    """Every picture of a prepared set -> one of `ORIGINS`.

    Photographs and morphs are named as in the shard ("001/smiling"), animated ones by person and
    number ("001/animated/0").
    """
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    morphs = [Parents(**couple).name for couple in manifest["morphs"]]
    found = {f"{person}/neutral": REAL for person in manifest["neutral_only"]}
    for people, origin in ((manifest["people"], REAL), (morphs, MORPHED)):
        found |= {f"{person}/{state}": origin for person in people for state in STATES}
    for person, names in animated_names(folder / ANIMATED_FOLDER).items():
        found |= {f"{person}/animated/{number}": ANIMATED for number in range(len(names))}
    return found
