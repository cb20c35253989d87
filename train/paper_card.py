"""The model card of a checkpoint that `train.reproduce` made: the paper's tables, ours beside."""

from huggingface_hub import EvalResult, ModelCardData

from train.paper_evaluate import ROWS, tables

# Where the photographs come from, and what may be done with what was trained on them.
SETS = {
    "ck": (
        "the Extended Cohn-Kanade set (CK+; Lucey et al. 2010)",
        "CK+ is given to researchers on signing an agreement and may not be passed on. Ask its "
        "owners before using this checkpoint for anything but research.",
        "other",
    ),
    "oulu": (
        "Oulu-CASIA NIR&VIS (Zhao et al. 2011), its strong visible light",
        "Oulu-CASIA is given to researchers on signing an agreement and may not be passed on. Ask "
        "its owners before using this checkpoint for anything but research.",
        "other",
    ),
    "crema": (
        "CREMA-D (Cao et al. 2014)",
        "CREMA-D is licensed under the Open Database License, its contents under the Database "
        "Contents License.",
        "odbl",
    ),
    "london-paper": (
        "the Face Research Lab London Set (DeBruine, Jones 2017; doi 10.6084/m9.figshare.5047666)",
        "The London set is licensed under CC BY 4.0.",
        "cc-by-4.0",
    ),
    "own": ("a folder of the trainer's own", "Ask whoever trained it.", "other"),
}
TEXT = """\
# {title}

*Geometry Guided Adversarial Facial Expression Synthesis* (Song, Lu, He, Sun, Tan; ACM MM 2018,
arXiv 1712.03474), trained as the paper says on {source}. Two U-Nets, one that paints an expression
on a neutral face and one that takes it off, see the picture and heatmaps of 68 landmarks. They work
at 128 x 128 pixels; what they paint is laid into the photograph with a soft edge. For photographs,
the project's own generator is the better one: this checkpoint is for comparison with the paper.

```python
from g2gan import G2GAN

pipe = G2GAN.from_pretrained("{name}")
pipe.synthesize("portrait.jpg", "{expression}").images[0].save("edited.png")
```

## Results

This checkpoint is "{row}" of the tables.

{tables}
Made by `python -m train.reproduce {set} --data FOLDER` on the weights with SHA-256 `{weights}`.

## Training

{images} images, {minutes} minutes, {people} people. What the paper leaves open is assumed as
`docs/paper.md` of the project says.

## Licence of the data

{licence} None of the photographs is part of this checkpoint.

## Uses

Meant for: research on facial expressions, and comparison with the paper. Not meant for, and not to
be used for: pictures of people who did not agree; passing an edited picture off as a photograph;
deciding or claiming what somebody feels.
"""


def paper_card(title: str, name: str, results: dict, training: dict, expression: str) -> str:
    """The card, front matter included.

    Args:
        title: of the model.
        name: what `from_pretrained` is told.
        results: `set`, `row` of the tables, `weights`, `table_1`, `table_2`.
        training: `images`, `minutes`, `people`.
        expression: one that the model knows.
    """
    source, licence, identifier = SETS[results["set"]]
    figures = results["table_1"][results["row"]]
    columns = [f"{metric} of {task}" for task in ("synthesis", "removal") for metric in METRICS]
    data = ModelCardData(
        license=identifier,
        library_name="g2gan",
        pipeline_tag="image-to-image",
        tags=["diffusers", "face", "facial-expression", "landmarks"],
        model_name=title,
        eval_results=[
            EvalResult(
                task_type="image-to-image",
                dataset_type=results["set"],
                dataset_name=source,
                metric_type=column.split()[0].lower(),
                metric_name=column,
                metric_value=value,
            )
            for column, value in zip(columns, figures, strict=True)
        ],
    )
    text = TEXT.format(
        title=title,
        name=name,
        source=source,
        expression=expression,
        set=results["set"],
        row=ROWS[results["row"]],
        tables=tables(results["set"], results),
        weights=results["weights"],
        licence=licence,
        **{key: training[key] for key in ("images", "minutes", "people")},
    )
    return f"---\n{data.to_yaml()}\n---\n\n{text}"


METRICS = ("SSIM", "PSNR")
