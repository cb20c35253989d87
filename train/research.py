"""What was tried, what was expected and what came out: `docs/research.md`, from measured results.

    python -m train.research docs/experiments.json --add NAME checkpoints/g2gan-london

`docs/experiments.json` holds the words of each experiment (change, expected, verdict); `--add` puts
the figures of a checkpoint's `results.json` beside them. The page is written anew each time.
"""

import argparse
from pathlib import Path

from train.card import SHARPNESS_SIDE, read_json, read_results
from train.command import mistakes_are_said
from train.files import write_json, write_text

TABLED = ("synthesis_told", "removal_honest", "removal_told")
FIGURES = ("psnr_face", "ssim_face", "psnr_mouth", "ssim_mouth")
TITLE = """\
# Research

Every row is one change to the row that it names. {people} test people of the London set, face mask
at 128 px: PSNR (dB) / SSIM, in brackets the mouth box; then sharpness of face and mouth at
{side} px, the real photo being 1. Written by `python -m train.research` from
`docs/experiments.json`, which names the weights of each row.

| experiment | smile added, told | smile removed, nothing told | smile removed, told |
| --- | --- | --- | --- |
"""


@mistakes_are_said()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiments", type=Path, help="docs/experiments.json")
    parser.add_argument(
        "--add", nargs=2, metavar=("NAME", "CHECKPOINT"), help="figures of a measured checkpoint"
    )
    arguments = parser.parse_args()
    experiments = read_json(arguments.experiments)
    if arguments.add:
        name, checkpoint = arguments.add
        if name not in experiments:
            parser.error(f"{arguments.experiments} has no words on {name!r}; write them first")
        experiments[name]["results"] = figures(read_results(Path(checkpoint)))
        write_json(arguments.experiments, experiments)
    write_text(arguments.experiments.with_name("research.md"), page(experiments))


def figures(results: dict) -> dict:
    """What the page shows of a checkpoint's results, with the digest of its weights."""
    means = results["means"]["all"]
    return {
        "weights": results["weights"],
        "people": len(results["groups"]["all"]),
        "tasks": {
            task: {
                **{name: means[task]["ours"]["128"][name] for name in FIGURES},
                "sharp": means[task]["ours"][SHARPNESS_SIDE]["sharp"],
                "sharp_mouth": means[task]["ours"][SHARPNESS_SIDE]["sharp_mouth"],
            }
            for task in TABLED
        },
    }


def page(experiments: dict[str, dict]) -> str:
    """The page: a table of figures, then what each experiment was about.

    Args:
        experiments: name → `change`, `expected`, `verdict`, and `results` where it was measured.
    """
    measured = {name: e["results"] for name, e in experiments.items() if "results" in e}
    people = {results["people"] for results in measured.values()}
    table = TITLE.format(people=", ".join(map(str, sorted(people))), side=SHARPNESS_SIDE)
    for name, results in measured.items():
        cells = (cell(results["tasks"][task]) for task in TABLED)
        table += f"| {name} (`{results['weights'][:8]}`) | {' | '.join(cells)} |\n"
    words = [
        f"## {name}\n\n**Change.** {e['change']}\n\n**Expected.** {e['expected']}\n\n"
        f"**Verdict.** {e['verdict']}\n"
        for name, e in experiments.items()
    ]
    return "\n".join([table, *words])


def cell(task: dict[str, float]) -> str:
    """A task's figures in one cell of the table."""
    return (
        f"{task['psnr_face']:.2f} / {task['ssim_face']:.3f} "
        f"({task['psnr_mouth']:.2f} / {task['ssim_mouth']:.3f}), "
        f"{task['sharp']:.2f} {task['sharp_mouth']:.2f}"
    )


if __name__ == "__main__":
    main()
