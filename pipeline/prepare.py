"""From samples to images that are ready to be explained: at the input size, predicted, their class chosen.

A file that cannot be read, a label that the model does not have, probabilities that are no numbers: the image's place
is taken by the reason.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

import constants
from data.ahead import Picture, read_picture
from data.dataset import Sample
from network.classifier import Classifier
from pipeline.records import Record

FirstPass = Callable[[np.ndarray, np.ndarray], np.ndarray]  # images and classes -> probabilities, see `prepare_images`


@dataclass
class PreparedImage:
    """One image on its way through a run: at the model's input size, and what is asked about it."""

    sample: Sample
    size: tuple[int, int]  # (height, width) of the image as it is
    pixels: np.ndarray  # float32 (H, W, 3) at the input size
    class_index: int
    record: Record  # what the records of all methods have in common
    probability: float | None = None  # of the class; None: asked for where it is needed
    density_map: np.ndarray | None = None  # once a metric has asked for it


def prepare_images(
    classifier: Classifier,
    samples: Sequence[Sample],
    class_rule: str,
    pictures: dict[str, Picture | str] | None = None,
    first_pass: FirstPass | None = None,
) -> dict[str, PreparedImage | str]:
    """File stem -> the image of a sample with its class and what the network says of it, or why there is none.

    pictures: of each, if they have been read (`data.ahead.read_picture`). first_pass: images (n, H, W, 3) and classes
    (n,), -1 for the most probable -> probabilities (n, C); None: the classifier's own.
    """
    if pictures is None:
        size = classifier.input_height, classifier.input_width
        pictures = {sample.stem: read_picture(sample, *size) for sample in samples}
    prepared = {stem: picture for stem, picture in pictures.items() if isinstance(picture, str)}
    classes = {}
    for sample in samples:
        if sample.stem not in prepared:
            try:
                classes[sample.stem] = read_class(class_rule, sample, classifier)
            except ValueError as error:
                prepared[sample.stem] = str(error)
    images = {stem: pictures[stem] for stem in classes}
    if not images:
        return prepared
    pixels = np.stack([picture.pixels for picture in images.values()])
    if first_pass is None:
        probabilities = classifier.predict(pixels)
    else:
        asked = [-1 if chosen is None else chosen for chosen in classes.values()]
        probabilities = first_pass(pixels, np.array(asked, np.int32))
    found = dict(zip(images, probabilities))
    for sample in samples:
        if sample.stem in images:
            try:
                prepared[sample.stem] = prepare_image(
                    classifier, sample, images[sample.stem], found[sample.stem], class_rule
                )
            except ValueError as error:
                prepared[sample.stem] = str(error)
    return prepared


def prepare_image(
    classifier: Classifier, sample: Sample, picture: Picture, probabilities: np.ndarray, class_rule: str
) -> PreparedImage:
    """A picture at the input size and its probabilities (C,), with the class chosen."""
    names = classifier.class_names
    if not np.isfinite(probabilities).all():
        raise ValueError(f"the model gives NaN or infinite probabilities for '{sample.name}'")
    top = np.argsort(-probabilities, kind="stable")[: constants.TOP_CLASSES]
    class_index = choose_class(class_rule, sample, int(top[0]), classifier)
    record = Record(
        method="",
        image=sample.name,
        stem=sample.stem,
        checksum=sample.checksum,
        label=sample.label or "",
        predicted=names[top[0]],
        probability=float(probabilities[top[0]]),
        class_index=class_index,
        class_name=names[class_index],
        top_classes=[(names[index], round(float(probabilities[index]), 6)) for index in top],
    )
    return PreparedImage(sample, picture.size, picture.pixels, class_index, record, float(probabilities[class_index]))


def choose_class(class_rule: str, sample: Sample, predicted: int, classifier: Classifier) -> int:
    """The class to explain: 'auto' (the label where the model has it, else the prediction), 'label',
    'predicted', or a class by index or name. ValueError where the rule cannot be kept."""
    class_index = read_class(class_rule, sample, classifier)
    return predicted if class_index is None else class_index


def read_class(class_rule: str, sample: Sample, classifier: Classifier) -> int | None:
    """The class that `choose_class` takes whatever the prediction; None: that it takes the prediction."""
    if class_rule == "predicted" or (class_rule == "auto" and sample.class_index is None):
        return None
    if class_rule in ("auto", "label"):
        if sample.class_index is None:
            label = f"the model has no class {sample.label!r}" if sample.label else "the data has no label"
            raise ValueError(f"{label} for '{sample.name}'; --class_index=predicted explains the prediction")
        return sample.class_index
    return classifier.class_index_of(class_rule)
