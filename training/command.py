"""One training run, from its settings to a model file and what lies beside it, for `train.py` and `attention_mil.py`.

    images -> backbone without its head -> stages (stages.py) -> the model file -> its predictions of the validation
           images -> curves, tables, figures (training_files.py)

Says on the screen what was chosen, a line per epoch, and what was written.
"""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import keras
import numpy as np

import constants
import utils
from data import dataset, labelled_images, multi_labels
from data.dataset import Sample
from network import model_files, transfer
from network.attention_layers import Bags
from output.progress import print_table, printable, show_count
from pipeline.samples import describe_files
from scenes import demo_data
from training import stages, training_files
from training.loop import History, best_epoch
from training.training_settings import Stage, TrainingSettings


def train_model(settings: TrainingSettings, bags: Bags | None = None) -> Path:
    """The path of the model, once it is trained and written. bags: how images become bags of patches; None: not.

    A run that was stopped goes on, and one that is done is not done again. Raises ValueError for what cannot be
    trained, or a path where something else is.
    """
    model_path = find_model_path(settings, bags)
    folders = find_folders(settings)
    samples, class_names, table, table_words = list_labelled_images(settings, folders)
    if settings.image_folders:
        print_files(folders, samples)
    keras.utils.set_random_seed(settings.seed)
    backbone = transfer.load_backbone(settings.model_name, settings.weights, settings.input_size)
    from_scratch = settings.weights == "none"
    first_layer = None if from_scratch else transfer.choose_first_layer(backbone, settings.fine_tune_from)
    train, val = (
        labelled_images.read_labelled(part, class_names, *backbone.input_size, table and table.rows) for part in samples
    )
    if table:
        multi_labels.check_learnable(train, table.path)
    kept = {
        "model_name": backbone.model_name,
        # One sigmoid answers for two classes, the last of which is the one it was trained on.
        "class_names": [f"not {class_names[0]}", *class_names] if len(class_names) == 1 else class_names,
        "preprocessing": backbone.preprocessing,
        "input_size": backbone.input_size,
    }
    described = {
        **kept,
        **(bags.settings(backbone) if bags else {}),
        "weights": settings.weights,
        "multi_label": table_words,
        "images": [f"{len(part)} in {folder}" for folder, part in zip(folders, (train, val))],
        "stages": [vars(stage) for stage in settings.stages],
        "fine_tune_from": first_layer or "the first layer",
        **({} if settings.reading.turn else {"exif": "keep"}),
    }
    opened, is_done = training_files.open_training(model_path, described, settings.overwrite)
    folder = opened.path
    left_out = train.left_out + val.left_out
    print_choices(described, left_out)
    for note in dict.fromkeys(filter(None, (train.note, val.note))):
        print(f"{note}: they are read from their files in every epoch", file=sys.stderr)
    if is_done:
        print(f"{printable(str(model_path))} has been trained with these settings; --overwrite trains it again")
        return model_path
    model = (bags or transfer).add_head(backbone, len(class_names), settings.seed, "sigmoid" if table else "softmax")
    histories = stages.train_stages(
        model, backbone, train, val, settings.stages, first_layer, folder, print_epoch, has_bags=bags is not None
    )
    model_files.save_model(transfer.without_optimiser(model), model_path, kept)
    paths = training_files.write_history(folder, histories)
    classifier, _ = model_files.load_classifier(model_path=model_path)  # the model that main.py will see is measured
    size = classifier.batch_size  # images that stay in their files are never in memory at once
    parts = [classifier.predict(images) for images in utils.in_batches(val.images, size)]
    probabilities = np.concatenate(parts)[:, -len(class_names) :]
    paths += training_files.write_evaluation(folder, val, probabilities)
    measured = training_files.measure(val, probabilities)
    opened.update(**measured, left_out=left_out)
    for stage in settings.stages:
        (folder / f"{stage.name}.npz").unlink(missing_ok=True)
    lines = [*training_files.describe(measured, len(val)), model_path, *paths]
    print(*(printable(str(line)) for line in lines), sep="\n")
    return model_path


def find_model_path(settings: TrainingSettings, bags: Bags | None = None) -> Path:
    """Where the model is written; a bag model without a path of its own does not replace that of `train.py`."""
    name = settings.model_name or Path(settings.weights).stem
    return settings.model_path or model_files.trained_model_path(f"{name}_attention_mil" if bags else name)


def find_folders(settings: TrainingSettings) -> tuple[str | Path, str | Path]:
    """The folders of training and validation images; those of the embedded data are drawn if need be."""
    if settings.image_folders:
        for flag, folder in zip(("--train_images_folder_path", "--val_images_folder_path"), settings.image_folders):
            if not Path(folder).is_dir():
                raise ValueError(f"{flag}: a folder was wanted; there is none called '{folder}'")
        return settings.image_folders
    folder = demo_data.write_demo(constants.DEMO_FOLDER, progress=partial(show_count, "drawing the embedded data"))
    return folder / "images_train", folder / "images_val"


def list_labelled_images(settings: TrainingSettings, folders: Sequence[str | Path]) -> tuple:
    """The samples of each folder, the class names and, for several classes an image, the table and, in words, its rows.

    Raises ValueError for images without a class, or classes that cannot be learnt.
    """
    if settings.multi_label is None:
        how = settings.label_level, settings.taxonomy, settings.reading
        samples = [labelled_images.list_labelled(folder, *how) for folder in folders]
        return samples, labelled_images.list_classes(*samples), None, None
    table = multi_labels.read_labels(settings.multi_label)
    samples = [dataset.load_dataset(folder, reading=settings.reading) for folder in folders]
    rows = multi_labels.match_labels(table, *samples)
    table, absent = multi_labels.leave_out_absent(table, samples[0])
    rows += f"; {len(absent)} classes that no training image shows, left out: {', '.join(absent)}" if absent else ""
    return samples, table.class_names, table, f"{table.path} (checksum {table.checksum}): {rows}"


# --- what is said ----------------------------------------------------------------------------------------
def print_files(folders: Sequence[str | Path], samples: Sequence[Sequence[Sample]]) -> None:
    """Says which files of the folders are no images that are read, and how images are read where that matters."""
    for folder, of_folder in zip(folders, samples):
        for note in describe_files(of_folder, folder, None, of_folder):
            print(printable(f"{folder}: {note}"), flush=True)


def print_choices(described: dict, left_out: Sequence[str]) -> None:
    """Says what was chosen, and which images could not be read."""
    for name, value in described.items():
        if name == "multi_label" and value is None:
            continue
        if name == "stages":
            value = ", ".join(f"{stage['name']} (at most {stage['epochs']} epochs)" for stage in value)
        elif isinstance(value, (list, tuple)):
            more = f", ... ({len(value)} in all)" if len(value) > 10 else ""
            value = ", ".join(map(str, value[:10])) + more
        print_table({name: value})
    for reason in left_out:
        print(f"left out: {printable(reason)}", file=sys.stderr)
    sys.stdout.flush()


def print_epoch(stage: Stage, history: History) -> None:
    """One line per epoch."""
    n, last = len(history["loss"]), {name: values[-1] for name, values in history.items()}
    best = "  best" if best_epoch(history) == n - 1 else ""
    print(
        f"{stage.name} {n:>3}/{stage.epochs}  loss {last['loss']:.3f}  accuracy {last['accuracy']:.3f}  "
        f"validation: loss {last['val_loss']:.3f}  accuracy {last['val_accuracy']:.3f}{best}",
        flush=True,
    )
