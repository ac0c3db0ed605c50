"""How far the class probability falls when named boxes of an image are muted: `main.py --boxes=boxes.csv`.

    fall = f(x) - f(x with the box filled)        f: probability of the explained class, filled with --occlusion_fill

Zeiler and Fergus 2014, section 4.2, with boxes that somebody drew - a head, a wheel, the other animal - in the place of
the sliding window. boxes.csv is read as data/boxes.py says, and its column `name` besides. The table is muted.csv.

Cost per image: one forward pass per box, and two for the image itself.
"""

from collections.abc import Mapping, Sequence

from data.boxes import Box, turn_upright
from data.dataset import Sample
from explainers.registry import METHODS
from output.tables import align, write_table
from pipeline.run import Run

NUMBERS = ("probability", "probability_muted", "fall")
MUTED_COLUMNS = ("image", "class", "box", "x0", "y0", "x1", "y1", *NUMBERS, "undefined")


def write_muted(run: Run, boxes: Mapping[str, Sequence[Box]], seed: int) -> str:
    """The table as text, once muted.csv is written. run: examined; boxes: name of a sample -> its boxes."""
    with_boxes = [sample for sample in run.samples if sample.name in boxes]
    rows = [row for sample in with_boxes for row in mute(run, sample, boxes[sample.name], seed)]
    write_table(run.results.folder / "muted.csv", rows, MUTED_COLUMNS)
    lines = [["image", "class", "muted box", "probability", "muted", "fall"]]
    for row in rows:
        numbers = [f"{row[name]:.3f}" for name in NUMBERS] if "fall" in row else ["-", "-", row["undefined"]]
        lines.append([row["image"], row["class"], row["box"], *numbers])
    return align(lines)


def mute(run: Run, sample: Sample, boxes: Sequence[Box], seed: int) -> list[dict]:
    """The row of each box of a sample; one without numbers says why in `undefined`."""
    occlusion = METHODS["OCCLUSION"]
    record = run.record(occlusion.name, sample)
    rows = [
        dict(zip(MUTED_COLUMNS, (sample.name, record.class_name, box.name or f"line {box.line}", *box[:4])))
        for box in boxes
    ]
    if record.failed:
        return [{**row, "undefined": record.status} for row in rows]
    options = {**run.methods[occlusion], "seed": seed}
    explainer = occlusion.load()(run.classifier, None, sample.read(), record.class_index, **options)
    upright = {}
    for row, box in zip(rows, boxes):
        try:
            corners = turn_upright(sample.path, box, sample.reading)
            explainer.box_window(row["box"], corners)
            upright[box.line] = corners
        except ValueError as error:  # smaller than a pixel at the input size: the other boxes still have numbers
            row["undefined"] = str(error)
    probability = float(run.classifier.predict(explainer.images)[0, record.class_index])
    [falls] = explainer.mute_boxes(upright) if upright else [{}]
    for row, box in zip(rows, boxes):
        if box.line in falls:
            fall = falls[box.line]
            row |= dict(zip(NUMBERS, (probability, probability - fall, fall)))
    return rows
