"""What a checkpoint is, in words and tables: the model card and the README's results.

    python -m train.card checkpoints/g2gan-london

Every figure is taken from the checkpoint's `results.json` and `training.json`; none is typed by
hand, and results, or a picture, of other weights are refused.
"""

import argparse
import hashlib
import json
import re
from pathlib import Path

from huggingface_hub import EvalResult, ModelCardData
from PIL import Image

from g2gan.errors import CheckpointError
from train.command import mistakes_are_said
from train.files import write_text
from train.sources.london import LONDON_SPLIT

RESULTS_FILE, TRAINING_FILE = "results.json", "training.json"
EXPRESSIONS_FILE = "expressions.json"  # made by train.evaluate_expressions
PICTURE = "edits.jpg"  # made by train.figures, its comment the digest of the weights
ONNX_FOLDER, ONNX_RECORD = "onnx", "onnx.json"  # made by train.export_onnx
SHAPE = "shape_model/config.json"
ROOT = Path(__file__).resolve().parents[1]
README, EMBEDDED = ROOT / "README.md", ROOT / "checkpoints" / "g2gan-london"
BLOCK = re.compile(r"(<!-- results -->\n).*?(<!-- /results -->)", re.DOTALL)

TASKS = {
    "synthesis_told": "smile added, told the target's points",
    "synthesis_honest": 'smile added by name ("happiness")',
    "removal_told": "smile removed, told the target's points",
    "removal_honest": "smile removed, nothing told",
}
BASELINES = {"warp": "plain mesh warp", "copy": "input unchanged"}
METHODS = {"ours": "**ours**"} | BASELINES
SHARPNESS_SIDE = "256"
INFINITE_DB = 60.0  # what a face that did not change at all counts in a mean of PSNR

TEXT = """\
# {title}

Edits the expression in a portrait by its geometry: adds a smile or another expression, takes it
off, carries it from one person to another, or follows landmarks that are dragged. Two networks,
one for synthesis and one for removal, predict a flow, a coarse shading and a little paint for
mouth and lids. These are applied at the photograph's own resolution, and pixels outside the edited
region stay bit-identical. An open implementation, for photographs, of *Geometry Guided Adversarial
Facial Expression Synthesis* (Song, Lu, He, Sun, Tan; ACM MM 2018, arXiv 1712.03474).
{picture}
```python
from g2gan import G2GAN

pipe = G2GAN.from_pretrained("{name}")
pipe.synthesize("portrait.jpg", "happiness").images[0].save("smile.png")
```

## Results

{results}

Made by `python -m train.evaluate {folder} --london FOLDER` on the weights with SHA-256
`{weights}`.
{seven}
## Training

{expressions}

{people}

{training}

{photographs}## Limits

- Measured on one studio's frontal portraits in even light, without glasses. Turned heads, hard
  light, glasses and covered mouths were not measured.
{seen}- Teeth are painted, not known: a closed mouth that opens shows plausible teeth, not the
  person's.
- Children, people above the ages named, and groups that are few or absent above: how well it works
  for them is not known.

## Uses

Meant for: retouching and trying out portraits of people who agreed to it; research on faces, their
geometry and its perception; neutral faces for comparison.

Not meant for, and not to be used for: pictures of people who did not agree or would not want them;
passing an edited picture off as a photograph, in news, evidence or identity documents; deciding or
claiming what somebody feels. What an edit shows was never photographed: say so where it is
published.
"""

LONDON_LICENCE = "CC BY 4.0"  # as `train.prepare` notes it; other sets have another
LONDON = """\
Photographs: the training split of DeBruine, Lisa; Jones, Benedict (2017): *Face Research Lab
London Set*, version 5, figshare, doi
[10.6084/m9.figshare.5047666.v5](https://doi.org/10.6084/m9.figshare.5047666.v5), licensed under
[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/). Landmarks: MediaPipe Face Mesh
(Google, Apache 2.0). The photographs were cropped, aligned and altered for training; none is part
of this checkpoint.
{animation}
To train and measure it again, with `LONDON` the folder of that set{others}:

```sh
python -m train.prepare --data LONDON {more}--out data/london
python -m train.train --preset london-synthesis --run runs/synthesis
python -m train.train --preset london-removal --run runs/removal
python -m train.export --run runs/synthesis --run runs/removal --out {folder}
python -m train.evaluate {folder} --london LONDON
```

"""
OTHERS = """\
Photographs: chosen by whoever trained it, and noted as "{licence}". They were cropped, aligned and
altered for training; none is part of this checkpoint. Landmarks: MediaPipe Face Mesh (Google,
Apache 2.0).

To train and measure it again, with `LONDON` the folder of the set that it is measured on:

```sh
python -m train.prepare_pairs SET --data FOLDER --out data/own
python -m train.train --preset london-synthesis --data data/own --run runs/synthesis
python -m train.train --preset london-removal --data data/own --run runs/removal
python -m train.export --run runs/synthesis --run runs/removal --data data/own --out {folder}
python -m train.evaluate {folder} --london LONDON
```

"""

EXPRESSION_TASKS = {  # each with its twin among `TASKS`
    "synthesis": ("expression added, told its points", "synthesis_told"),
    "removal": ("removed, told the neutral points", "removal_told"),
    "removal_honest": ("removed, nothing told", "removal_honest"),
}
SEVEN = """
The seven expressions, on the neutral photos of {people} test people. "Animated" are these photos
moved by a 3D face model, as those were that {animated} were learned from; "ours" are what this
checkpoint makes of the expression's name. Each of the seven has a set of
MediaPipe's blendshape scores; the table says how often the asked expression's own set rises above
the person's neutral photo, and how often it rises most of the seven.

{table}

By how the picture came about that an edit is held against (face, 128 px, PSNR / SSIM), the smile
of a photograph or the mean of the seven as animated:

{told}

Made by `python -m train.evaluate_expressions`.
"""
ANIMATION = """
Neutral photographs, animated for training: those of the same people, and {count} of DeBruine, Lisa;
Jones, Benedict: *Young Adult White Faces with Manipulated Versions*, figshare, doi
[10.6084/m9.figshare.4220517.v1](https://doi.org/10.6084/m9.figshare.4220517.v1), licensed under
[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/). Expression shapes, teeth, gums and
tongue: ICT-FaceKit (USC Institute for Creative Technologies, MIT licence).
"""
UNREAL = "Every other one follows from geometry."
ANIMATED = {
    "others": ", `CANADA` the folder of the other one and `FACEKIT` that of ICT-FaceKit",
    "more": "--canada CANADA --facekit FACEKIT ",
    "unreal": "The others\n  were learned from photographs that a 3D face model moved.",
}


@mistakes_are_said()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path, help="folder; README.md is written into it")
    checkpoint = parser.parse_args().checkpoint
    write_text(checkpoint / "README.md", card(checkpoint))
    results = read_results(checkpoint)
    if checkpoint.resolve() == EMBEDDED and "means" in results:  # the README is about this one
        table = group_table(results, "all", "128")
        write_text(README, with_results(README.read_text("utf-8"), table))


def card(checkpoint: Path, name: str | None = None) -> str:
    """The model card of a checkpoint's folder, front matter included.

    Args:
        checkpoint: folder with weights, `results.json` and `training.json`.
        name: what `from_pretrained` is told, such as a Hub id; by default its folder in a clone.

    Raises:
        CheckpointError: a file is missing or incomplete, or was made of other weights.
    """
    results = read_results(checkpoint)
    training = read_json(checkpoint / TRAINING_FILE)
    try:
        if "table_1" in results:
            from train.paper_card import paper_card  # imports torch, which hub_upload.py may not

            title, known = checkpoint.resolve().name, read_json(checkpoint / SHAPE)["expressions"]
            return paper_card(title, name or str(checkpoint), results, training, known[-1])
        return _photo_card(checkpoint, name, results, training)
    except (KeyError, TypeError) as error:
        raise CheckpointError(
            f"a figure is missing from the JSON files in {checkpoint} ({error}); "
            "export and evaluate it again"
        ) from error


def _photo_card(checkpoint: Path, name: str | None, results: dict, training: dict) -> str:
    title = checkpoint.resolve().name
    folder = f"checkpoints/{title}"  # in a clone; where it lies here is nobody's business
    data = ModelCardData(
        license="mit" if _of_london(training) else "other",
        library_name="g2gan",
        pipeline_tag="image-to-image",
        tags=["diffusers", "face", "facial-expression", "landmarks"],
        model_name=title,
        eval_results=list(eval_results(results)),
    )
    text = TEXT.format(
        title=title,
        name=name or folder,
        folder=folder,
        results=results_table(results),
        weights=results["weights"],
        training=record_list(training),
        picture=picture_line(checkpoint, results["weights"]),
        expressions=expressions_line(checkpoint, training),
        seven=expressions_table(checkpoint, training, results["weights"]),
        **data_lines(training, folder),
    )
    return f"---\n{data.to_yaml()}\n---\n\n{text}"


def read_results(checkpoint: Path) -> dict:
    """The checkpoint's `results.json`, if it belongs to the weights beside it.

    Raises:
        CheckpointError: it is missing or unreadable, or the weights have changed since.
    """
    results = read_json(checkpoint / RESULTS_FILE)
    if results.get("weights") != weights_digest(checkpoint):
        raise CheckpointError(
            f"{checkpoint / RESULTS_FILE} was measured on other weights than those beside it; "
            f"run python -m train.evaluate {checkpoint}"
        )
    return results


def read_json(path: Path) -> dict:
    """A JSON file of a checkpoint; `CheckpointError` where there is none."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds no named figures; make it again")
    return content


def weights_digest(checkpoint: Path) -> str:
    """SHA-256 over path and bytes of every `*.safetensors`, in the order of their paths."""
    weights = {path.relative_to(checkpoint).as_posix(): path for path in checkpoint.rglob("*")}
    weights = {name: path for name, path in weights.items() if name.endswith(".safetensors")}
    if not weights:
        raise CheckpointError(f"{checkpoint} holds no *.safetensors; name a checkpoint's folder")
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].read_bytes())
    return digest.hexdigest()


def picture_line(checkpoint: Path, weights: str) -> str:
    """The picture of edits as Markdown, empty where none was made.

    Raises:
        CheckpointError: it shows what other weights do.
    """
    path = checkpoint / PICTURE
    if not path.is_file():
        return ""
    with Image.open(path) as image:
        if image.info.get("comment") != weights.encode():
            raise CheckpointError(
                f"{path} was made with other weights; run python -m train.figures {checkpoint}"
            )
    return (
        f"\n![a composite portrait; with a smile put on; a smiling one; with its smile taken off]"
        f"({PICTURE})\n\n<sub>The portraits are composites of several people each.</sub>\n"
    )


def expressions_line(checkpoint: Path, training: dict) -> str:
    """Which named expressions were learned from photographs, and which from animated ones.

    The training record names the latter in `data.animated`. Looks and controls are the 3D face
    model's alone.
    """
    known = read_json(checkpoint / SHAPE)
    names, others = known["expressions"], [*known.get("looks", []), *known.get("controls", [])]
    animated = training.get("data", {}).get("animated", [])
    seen = [name for name in names if name not in animated]
    lines = [f"Expressions learned from photographs of them: {', '.join(seen)}."]
    if animated or others:
        lines.append(
            "Learned from neutral photographs that a 3D face model animated, and never seen in a "
            f"photograph: {', '.join([*animated, *others])}."
        )
    if animated:
        lines.append(f"The networks saw animated {' and '.join(seen[1:])} beside the real one.")
    if pictures := training.get("data", {}).get("pictures"):
        counts = ", ".join(f"{count} {origin}" for origin, count in pictures.items())
        lines.append(f"Pictures in the prepared set: {counts}; more are animated while training.")
    return " ".join(lines)


def _of_london(training: dict) -> bool:
    return training.get("data", {}).get("licence", LONDON_LICENCE) == LONDON_LICENCE


def data_lines(training: dict, folder: str) -> dict[str, str]:
    """What the card says of the photographs and the people in them: London's, or others."""
    data = training.get("data", {})
    if not _of_london(training):
        return {
            "people": f"{training['people']} people; who they are, whoever trained it knows.",
            "photographs": OTHERS.format(licence=data["licence"], folder=folder),
            "seen": "",
        }
    lines = {"animation": "", "others": "", "more": "", "unreal": UNREAL}
    if data.get("animated"):
        lines = {"animation": ANIMATION.format(count=data["neutral_only"])} | ANIMATED
    seen = f"- The only real expression it has seen is the smile. {lines.pop('unreal')}\n"
    photographs = LONDON.format(folder=folder, **lines)
    return {"people": people_line(), "photographs": photographs, "seen": seen}


def expressions_table(checkpoint: Path, training: dict, weights: str) -> str:
    """How well the seven expressions come out, as Markdown; empty where that was not measured.

    Raises:
        CheckpointError: it was measured on other weights.
    """
    if not (checkpoint / EXPRESSIONS_FILE).is_file():
        return ""
    found, results = read_json(checkpoint / EXPRESSIONS_FILE), read_json(checkpoint / RESULTS_FILE)
    if found["weights"] != weights:
        raise CheckpointError(
            f"{checkpoint / EXPRESSIONS_FILE} was measured on other weights; run python -m "
            f"train.evaluate_expressions {checkpoint}"
        )
    names = list(found["animated"]["table"])
    lines = [["", *names], ["---"] * (len(names) + 1)]
    for kind, title in (("animated", "animated"), ("ours", "ours")):
        for figure, meaning in (("rises", "own score rises"), ("largest", "rises most")):
            shares = (f"{100 * found[kind][figure][name]:.0f}%" for name in names)
            lines.append([f"{title}: {meaning}", *shares])
    lines.append(["rank correlation with intensity", *(f"{found['strips'][n]:.2f}" for n in names)])
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    animated = training["data"]["animated"]
    return SEVEN.format(
        people=found["people"],
        table=table,
        animated=", ".join(animated),
        told=origins_table(results, found),
    )


def origins_table(results: dict, found: dict) -> str:
    """Edits against real photographs and against animated ones, a line each, as Markdown."""
    lines = [["", "held against", *METHODS.values()], ["---"] * (2 + len(METHODS))]
    for task, (title, of_smiles) in EXPRESSION_TASKS.items():
        smiles = results["means"]["all"][of_smiles]
        real = {method: both(sides["128"], "_face") for method, sides in smiles.items()}
        moved = {method: both(means, "") for method, means in found["told"][task].items()}
        for origin, cells in (("real", real), ("animated", moved)):
            lines.append([title, origin, *(cells.get(method, "") for method in METHODS)])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def people_line() -> str:
    """Who the people of the training photographs are, as they describe themselves."""
    described = json.loads(LONDON_SPLIT.read_text("utf-8"))["train_described"]
    groups = [
        f"{sum(described[sex].values())} {sex} ("
        + ", ".join(f"{count} {origin}" for origin, count in described[sex].items())
        + ")"
        for sex in ("women", "men")
    ]
    youngest, oldest = described["ages"]
    return (
        f"The London set's training people: {' and '.join(groups)}, by their own words, from "
        f"{youngest} to {oldest} years old. None is of another origin, none wears glasses."
    )


def record_list(record: dict, path: tuple[str, ...] = ()) -> str:
    """The single values of nested dicts as a Markdown list; lists, such as curves, are left out."""
    lines = []
    for key, value in record.items():
        if isinstance(value, dict):
            lines.append(record_list(value, (*path, key)))
        elif not isinstance(value, list):
            lines.append(f"- {', '.join((*path, key)).replace('_', ' ')}: {value}")
    return "\n".join(lines)


def results_table(results: dict) -> str:
    """The results as Markdown: what card and terminal show; the README has the first table."""
    people, strong = (len(results["groups"][group]) for group in ("all", "strong"))
    fidelity = results["fidelity"]
    lips = "; ".join(
        f"{TASKS[task]}: {row['ours']:.2f} (mesh warp {row['warp']:.2f}, the real photo "
        f"{row['truth']:.2f})"
        for task, row in results["lips"].items()
    )
    return "\n\n".join(
        [
            f"{people} test people of the London set, never trained on. PSNR (dB, luminance) / "
            "SSIM against the person's real photo, both in the evaluation frame (eyes aligned). "
            "Differences: ours minus that line, with the 95% interval of a paired bootstrap over "
            "people. Sharpness: the real photo is 1.",
            group_table(results, "all", "128"),
            group_table(results, "all", "256"),
            f"The {strong} strongest smiles (those that widen the mouth most):",
            group_table(results, "strong", "128"),
            f"Lip landmarks found on the result against those asked, as a share of the unedited "
            f"photo's distance: {lips}.",
            "Photographs from outside a studio, played by altering both photos of each test pair: "
            "what the networks add to the plain mesh warp (dB, face, 128 px, told).",
            elsewhere_table(results),
            f"A photo that is neutral already keeps {fidelity['remove']:.1f} dB (face, 128 px) "
            f"when an expression is removed, {fidelity['synthesize']:.1f} dB at intensity 0 "
            f"(a face without any change counts {INFINITE_DB:.0f} dB).",
        ]
    )


def group_table(results: dict, group: str, side: str) -> str:
    """One group's means at one side of the frame: a line for each task and method."""
    columns = [f"{side} px", "face", "mouth", "full frame", "face: ours minus this"]
    if side == SHARPNESS_SIDE:
        columns.append("sharpness of face, mouth, eyes")
    lines = [columns, ["---"] * len(columns)]
    for task, title in TASKS.items():
        lines.append([f"*{title}*"] + [""] * (len(columns) - 1))
        for method, name in METHODS.items():
            means = results["means"][group][task][method][side]
            cells = [name, *(both(means, area) for area in ("_face", "_mouth", "")), ""]
            if method in BASELINES:
                gains = results["differences"][group][task][method][side]
                psnr, ssim = interval(gains["psnr_face"], 2), interval(gains["ssim_face"], 3)
                cells[-1] = f"{psnr} dB, {ssim}"
            if side == SHARPNESS_SIDE:
                sharp = (means[figure] for figure in ("sharp", "sharp_mouth", "sharp_eyes"))
                cells.append(", ".join(f"{value:.2f}" for value in sharp))
            lines.append(cells)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def elsewhere_table(results: dict) -> str:
    """The networks' gain over the plain warp on altered photos, the unaltered ones first."""
    tasks = ("synthesis_told", "removal_told")
    gains = results["differences"]["all"]
    clean = {task: gains[task]["warp"]["128"]["psnr_face"][0] for task in tasks}
    lines = [["photos", "smile added", "smile removed"], ["---"] * 3]
    for name, row in {"as they are": clean, **results["elsewhere"]}.items():
        lines.append([name, *(f"{row[task]:+.2f}" for task in tasks)])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def both(means: dict, area: str) -> str:
    """PSNR / SSIM of an area."""
    return f"{means['psnr' + area]:.2f} / {means['ssim' + area]:.3f}"


def interval(difference: list[float], digits: int) -> str:
    """A difference with its 95% interval."""
    mean, low, high = (f"{value:+.{digits}f}" for value in difference)
    return f"{mean} [{low}, {high}]"


def eval_results(results: dict):
    """The main figures, face at 128 px, as the Hub reads them."""
    for task, title in TASKS.items():
        for figure in ("psnr", "ssim"):
            yield EvalResult(
                task_type="image-to-image",
                dataset_type="face-research-lab-london-set",
                dataset_name="Face Research Lab London Set, test people",
                metric_type=figure,
                metric_name=f"{figure.upper()} of {title} (face, 128 px)",
                metric_value=results["means"]["all"][task]["ours"]["128"][f"{figure}_face"],
            )


def with_results(readme: str, table: str) -> str:
    """The README's text with the block between its two results marks replaced."""
    return BLOCK.sub(lambda block: f"{block[1]}\n{table}\n\n{block[2]}", readme)


if __name__ == "__main__":
    main()
