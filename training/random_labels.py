"""The embedded network trained on the embedded data with permuted labels (Adebayo et al. 2018, section 3.2).

    images_train, their styles  ->  labels as they are, or permuted  ->  all layers from the start, no augmentation

A network of permuted labels can learn them by heart alone; one of the true labels trained in the very same way stands
beside it, and a second one of another seed, which says how much the maps of two good networks differ anyway. Training
ends when nothing is left to learn: the loss that is watched is that of the training images.

Cost: per epoch and image, two passes forward and one back, for each network.
"""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

import constants
from data.labelled_images import LabelledImages, list_classes, list_labelled, read_labelled
from network import transfer
from network.model_files import load_classifier, save_model
from scenes import demo_data
from training.loop import Data, run_stage
from training.stages import make_preparation
from training.training_settings import Stage

LEARNING_RATE = 2e-3
BATCH_SIZE = 16


def read_training_images(limit: int | None = None, folder: str | Path = constants.DEMO_FOLDER) -> LabelledImages:
    """The embedded training images with their styles, drawn if need be; limit: so many, the styles taking turns."""
    folder = demo_data.write_demo(folder, split="train", limit=limit)
    names = set(demo_data.demo_names("train")[:limit])
    samples = [sample for sample in list_labelled(folder / "images_train", "style") if sample.name in names]
    return read_labelled(samples, list_classes(samples, []), constants.DEMO_INPUT_SIZE, constants.DEMO_INPUT_SIZE)


def permute_labels(labels: np.ndarray, seed: int) -> np.ndarray:
    """The labels (N,) in another order: as many of each class, none of them told by its image."""
    return np.random.default_rng(seed).permutation(labels)


def train_from_scratch(
    images: LabelledImages,
    labels: np.ndarray,
    path: Path,
    seed: int,
    epochs: int,
    report: Callable = lambda stage, history: None,
    batch_size: int = BATCH_SIZE,
) -> Path:
    """The path of the embedded network trained on these labels (N,); a file that is there is not trained again.

    A run that was stopped goes on. report(stage, history) is called after every epoch.
    """
    if path.is_file():
        return path
    keras.utils.set_random_seed(seed)
    backbone = transfer.load_backbone(constants.MODEL_NAME_DEMO, "none")
    model = transfer.add_head(backbone, len(images.class_names), seed)
    stage = Stage(path.stem, epochs, LEARNING_RATE, patience=epochs, batch_size=batch_size, seed=seed)
    train = Data(images.images, labels, make_preparation(images.images, backbone.preprocessing, augmented=False))
    path.parent.mkdir(parents=True, exist_ok=True)
    checkpoint = path.with_suffix(".npz")
    run_stage(model, stage, train, train, checkpoint, report)
    kept = {
        "model_name": backbone.model_name,
        "class_names": images.class_names,
        "preprocessing": backbone.preprocessing,
        "input_size": backbone.input_size,
    }
    save_model(transfer.without_optimiser(model), path, kept)
    checkpoint.unlink(missing_ok=True)
    return path


def measure_accuracy(path: Path, images: np.ndarray, labels: np.ndarray) -> float:
    """The share of images (N, H, W, 3) to which the saved network gives their label (N,)."""
    classifier, _ = load_classifier(model_path=path)
    return float((classifier.predict(images.astype(np.float32)).argmax(axis=1) == labels).mean())
