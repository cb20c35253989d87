"""`docs/london_tables.md` from `docs/london_tables.json`: the page of `train.london_tables`."""

from train.london_edits import Made
from train.paper_evaluate import ROWS

FULL = "full"
MEASURES = (("SSIM", 3), ("PSNR, dB", 2))


def page(results: dict) -> str:
    """`docs/london_tables.md`."""
    people, images = results["people"], results["ours"][FULL]["images"]
    judges = list(results["ours"][FULL]["table_2"])
    minutes = [row["minutes"] for kind in ("paper", "ours") for row in results[kind].values()]
    lines = [
        "# The paper's tables on the London set",
        "",
        "Written by `python -m train.london_tables` from `docs/london_tables.json`.",
        "",
        f"Each configuration was trained once, from nothing, on {images} images of "
        f"{people['train']} people in each direction, on one core ({results['machine']}) beside "
        f"other work, which took {min(minutes):.0f} to {max(minutes):.0f} minutes on the clock: "
        "minutes say more of that work than of a configuration. It is what the time allowed and "
        "very little: the paper's U-Net has to learn to paint a whole face, ours starts as a "
        "warp of the photo. So this says which generator is of use after so short a training, "
        "and nothing of what either comes to after a long one. Not measured: a long training, "
        "and anything on a graphics card.",
        "",
        f"Measured on {people['test']} other people, at 128 px, the whole of the paper's centre "
        "crop (which holds hair and background, and mostly measures the pose of the head), "
        "against the real photo aligned by its own eyes. Both generators are told the expressed "
        "face's landmarks, neither knows the neutral shape in removal; in the last two columns "
        "ours and the plain warp are told it too. The paper's own tables are of CK+ and "
        "Oulu-CASIA; its figures cannot be compared with these and are not repeated here.",
        "",
        f"F of the identity loss is {results['face_network']} here, in place of Light CNN-9; the "
        "weights of ours are to its pixel loss as the paper's are to its own (cycle 0.5, "
        "identity 0.1 times 0.1 to 0.5, adversarial 0.1).",
        "",
        "## Table 1",
        "",
    ]
    titles = [f"{task.replace('_', ', ')} {m}" for task in Made._fields for m, _ in MEASURES]
    lines += _head(["", "images", "minutes", *titles, "weights"])
    for title, row in _rows(results):
        cells = [_number(row.get("images"), 0), _number(row.get("minutes"), 0)]
        for task in Made._fields:
            values = row.get(task, (None, None))
            cells += [_number(v, digits) for v, (_, digits) in zip(values, MEASURES, strict=True)]
        weights = f"`{row['weights'][:8]}`" if "weights" in row else ""
        lines.append(f"| {title} | {' | '.join(cells)} | {weights} |")
    lines += [
        "",
        "## Table 2",
        "",
        f"Gallery: the neutral photos; probes: the smiling ones, after removal. "
        f"{people['test']} people give {people['test'] * (people['test'] - 1)} impostor pairs: "
        "enough for a false accept rate of 1%, not of 0.1%. Neither network is the paper's: "
        f"{', '.join(judges)} stand in (`train/stand_ins.py` says whence, and under which "
        f"licences). {results['face_network']} is also F of the loss, as Light CNN-9 is in the "
        "paper; the other had no part in training.",
        "",
    ]
    columns = [f"{judge}: {c}" for judge in judges for c in ("rank-1", "TAR@FAR=1%")]
    lines += _head(["", *columns])
    for title, row in _rows(results):
        if title == "plain warp, told":
            continue
        values = [v for judge in judges for v in row["table_2"][judge][:2]]
        title = "original pictures" if title == "input as it is" else title
        lines.append(f"| {title} | {' | '.join(_number(v, 1) for v in values)} |")
    lines += [
        "",
        "## Which of the paper's losses help ours",
        "",
        "Against ours without cycle and identity loss, the same people: mean difference and its "
        "95% interval when the people are drawn again. An interval that holds 0 shows nothing; one "
        "that does not may still be the luck of a single run.",
        "",
    ]
    lines += _head(["", *titles])
    for row, found in results["ours"].items():
        if found["less"]:
            cells = [
                f"{mean:+.{digits + 1}f} ({low:+.{digits + 1}f} to {high:+.{digits + 1}f})"
                for task in Made._fields
                for (mean, low, high), (_, digits) in zip(
                    found["less"][task], MEASURES, strict=True
                )
            ]
            lines.append(f"| {ROWS[row]} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _rows(results: dict) -> list[tuple[str, dict]]:
    """Title and figures of every row, from the input to the embedded checkpoint."""
    rows = [
        ("input as it is", results["baselines"]["copy"]),
        ("plain warp, told", results["baselines"]["warp"]),
    ]
    for kind, name in (("paper", "U-Net (paper)"), ("ours", "ours")):
        rows += [(f"{name}, {ROWS[row]}", found) for row, found in results[kind].items()]
    return [*rows, ("ours, the embedded checkpoint", results["embedded"])]


def _head(cells: list[str]) -> list[str]:
    return [f"| {' | '.join(cells)} |", f"|{' --- |' * len(cells)}"]


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
