"""`reproduce` on a set that is prepared already, with a narrow network: one of several processes.

python tests/reproducing.py OUT
"""

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from train.config import PRESETS
from train.paper_plan import Plan
from train.reproduce import reproduce

if __name__ == "__main__":
    narrow = replace(
        PRESETS["ck"],
        generator_arguments={"image_channels": 1, "width": 2},
        discriminator_width=2,
        images=20,
    )
    out = Path(sys.argv[1])
    reproduce(Plan("ck", out / "nowhere", out, narrow, recognizers={}))
