"""What a bag model looks at: its attention next to its Grad-CAM, shown, and for the embedded data measured.

    <folder>/attention.png     image, attention, Grad-CAM of the image's class: validation images of each class in turn
    <folder>/part_energy.csv   image, method, share of the map's energy in the style's parts, share of the area that
                               the parts are, and the ratio of the two; for the embedded data, which has their masks

Energy is that of `localisation.energy_pointing_game`. A map by chance has the ratio 1.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

import constants
import utils
from data import dataset
from data import objects as object_truth
from data.dataset import Sample
from data.images import UPRIGHT, Reading
from explainers.registry import METHODS
from metrics import localisation
from metrics.common import Undefined
from network import model_files
from network.classifier import Classifier
from output.files import figure_saver, write_whole
from output.tables import write_table
from plots.pages import figure_side_by_side
from plots.panels import ExplainedImage
from scenes import demo_data

COMPARED = ("ATTENTION", "GRADCAM")


def report_attention(model_path: Path, images_folder: str | Path, reading: Reading) -> tuple[list[Path], str]:
    """As `write_attention_report`, for the model of that file, beside it."""
    classifier, _ = model_files.load_classifier(model_path=model_path)
    return write_attention_report(
        classifier, images_folder, model_path.with_name(f"{model_path.stem}_training"), reading
    )


def write_attention_report(
    classifier: Classifier, images_folder: str | Path, folder: Path, reading: Reading = UPRIGHT
) -> tuple[list[Path], str]:
    """The paths written into `folder` for the images of a folder, and in words what was measured, or ''."""
    names = classifier.class_names, classifier.class_ids
    samples = dataset.label_samples(dataset.load_dataset(images_folder, reading=reading), *names)
    shown = dataset.take_in_turn(samples, constants.ROWS_PER_PAGE)
    rows = [list(explained.values()) for sample in shown if (explained := explain(classifier, sample))]
    title = f"attention and Grad-CAM, {classifier.describe()['model_name']}"
    figure = figure_side_by_side(rows, COMPARED, title)
    paths = [write_whole(folder / "attention.png", figure_saver(figure))]
    if not demo_data.is_demo(images_folder):
        return paths, ""
    table = measure_parts(classifier, samples, Path(images_folder).parent / "part_masks")
    paths.append(write_table(folder / "part_energy.csv", table))
    return paths, describe_energy(table)


def explain(classifier: Classifier, sample: Sample) -> dict[str, ExplainedImage] | None:
    """One image under each of COMPARED, for its class or else the predicted one; None if it cannot be read."""
    try:
        image = sample.read()
    except ValueError:  # named, and left out of training, already
        return None
    pixels = utils.fit_image(image, classifier.input_height, classifier.input_width)
    probabilities = classifier.predict(pixels[None])[0]
    top = int(probabilities.argmax())
    target = top if sample.class_index is None else sample.class_index
    return {
        name: ExplainedImage(
            name=Path(sample.name).name,
            image=image,
            saliency_map=METHODS[name].load()(classifier, None, image, target).compute_saliency_map(),
            label=sample.label or "",
            target=classifier.class_names[target] if name == "GRADCAM" else "",
            top_classes=[(classifier.class_names[top], float(probabilities[top]))],
        )
        for name in COMPARED
    }


def measure_parts(classifier: Classifier, samples: Sequence[Sample], masks_folder: Path) -> list[dict]:
    """A row per image that has masks and method: energy in the parts, their area, the ratio; '' if undefined."""
    truth = object_truth.Truth({}, object_truth.find_masks(masks_folder, samples), "")
    rows = []
    for sample in samples:
        objects, explained = truth.read(sample), explain(classifier, sample)
        for name, row in (explained or {}).items() if objects else ():
            saliency_map, area = utils.resize_map(row.saliency_map, *row.size), float(objects.mask.mean())
            try:
                energy = localisation.energy_pointing_game(saliency_map, objects.mask)
            except Undefined:  # a constant map
                energy = float("nan")
            values = {"energy": energy, "area": area, "ratio": energy / area}
            texts = {key: "" if np.isnan(value) else f"{value:.6f}" for key, value in values.items()}
            rows.append({"image": sample.name, "method": name, **texts})
    return rows


def describe_energy(table: Sequence[dict]) -> str:
    """The mean ratio of each method of `measure_parts`, in words."""
    ratios = {name: [] for name in COMPARED}
    for row in table:
        ratios[row["method"]] += [float(row["ratio"])] if row["ratio"] else []
    means = ", ".join(
        f"{name} {np.mean(values):.2f} times ({len(values)} images)" if values else f"{name} undefined"
        for name, values in ratios.items()
    )
    return f"energy inside the style's parts, compared with their share of the area: {means}"
