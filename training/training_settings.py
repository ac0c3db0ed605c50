"""The flags of `train.py` and `attention_mil.py`, and what they mean: `TrainingSettings`, all checked and chosen.

Imports no TensorFlow: a wrong flag is refused before it is loaded.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import constants
from pipeline import flags
from pipeline.command_line import in_range, output_file, path
from pipeline.settings import choose_reading
from utils import find_model_name

if TYPE_CHECKING:
    from data.images import Reading
    from data.taxonomy import Taxonomy


STAGES = {  # stage -> (epochs at most, highest learning rate, epochs without progress that end it)
    "head": (100, 1e-3, 10),
    "fine_tuning": (20, 1e-4, 10),
    "all_layers": (120, 2e-3, 60),
}
BATCH_SIZE = 16  # images per step


@dataclass(frozen=True)
class Stage:
    """How one stage trains; epochs: at most; patience: epochs without a lower validation loss that end it."""

    name: str
    epochs: int
    learning_rate: float
    patience: int
    batch_size: int = BATCH_SIZE
    seed: int = constants.SEED


@dataclass(frozen=True)
class TrainingSettings:
    """What is trained, on which labels of which images, how, and where it goes.

    image_folders: of training and validation, None: the embedded data. taxonomy: None: the levels are those of
    MexCulture142's names. reading: how photographs are read. multi_label: a file of several classes an image.
    model_name: None with a saved model as weights, which may hold it. input_size: side of the network's images in
    pixels, None: the network's own. fine_tune_from: a layer, None: that of the
    last block. stages: in their order. model_path: the .keras file to write, None: named after the network.
    """

    image_folders: tuple[str, str] | None
    reading: "Reading"
    label_level: str
    taxonomy: "Taxonomy | None"
    multi_label: str | None
    model_name: str | None
    weights: str
    input_size: int | None
    fine_tune_from: str | None
    stages: tuple[Stage, ...]
    seed: int
    model_path: Path | None
    overwrite: bool


def add_training_flags(parser: argparse.ArgumentParser, default_path: str) -> None:
    """The flags of images, network, training and output; default_path: of the model, in words."""
    _add_image_flags(parser.add_argument_group("images"))
    _add_network_flags(parser.add_argument_group("model"))
    _add_stage_flags(parser.add_argument_group("training"))
    output = parser.add_argument_group("output")
    output.add_argument(
        "--output_model_path",
        "--model_path",
        type=output_file,
        metavar="PATH",
        help=f"the .keras file to write (default: {default_path})",
    )
    output.add_argument(
        "--overwrite", action="store_true", help="train from the start, replacing what is there (default: no)"
    )


def _add_image_flags(data: argparse._ArgumentGroup) -> None:
    kinds = "images named as in MexCulture142, or class folders (default: the embedded data)"
    data.add_argument("--train_images_folder_path", type=path, metavar="PATH", help=f"training: {kinds}")
    data.add_argument("--val_images_folder_path", type=path, metavar="PATH", help=f"validation: {kinds}")
    flags.add_reading_flags(data)
    data.add_argument(
        "--label_level",
        metavar="NAME",
        help=f"{' or '.join(constants.LABEL_LEVELS)} of a MexCulture142 name, or a level of --taxonomy "
        f"(default: {constants.LABEL_LEVELS[0]}, or the taxonomy's leaves)",
    )
    data.add_argument(
        "--taxonomy",
        type=path,
        metavar="PATH",
        help="labels on several levels: a csv file with the columns leaf, or index and leaf, and one per "
        "level up; or iNatLoc500's metadata folder (default: none)",
    )
    data.add_argument(
        "--multi_label",
        type=path,
        metavar="FILE",
        help="several classes an image, or none: a csv file with the columns file, then one of 0 and 1 per class, for "
        "the images of both folders, or COCO's instances.json, two by a comma; outputs are sigmoids, measured by "
        "average precision (default: one class an image)",
    )


def _add_network_flags(model: argparse._ArgumentGroup) -> None:
    demo = constants.MODEL_NAME_DEMO
    names = f"of keras.applications, as {', '.join(list(constants.ZOO)[:3])}, ..., or {demo}"
    model.add_argument("--model_name", metavar="NAME", help=f"{names} (default: ResNet; {demo} for the embedded data)")
    model.add_argument(
        "--weights",
        type=path,
        metavar="WEIGHTS",
        help="imagenet; none, to train all layers from the start; a weights file; or a saved model, whose head is "
        f"cut off (default: imagenet; none for {demo})",
    )
    model.add_argument(
        "--input_size",
        type=in_range(int, 1),
        metavar="PIXELS",
        help="side of the images the network is built for: smaller ones are learnt faster (default: the network's own, "
        f"224 for most, {constants.DEMO_INPUT_SIZE} for {demo})",
    )
    model.add_argument(
        "--fine_tune_from", metavar="LAYER", help="first layer to fine-tune (default: that of the last block)"
    )


def _add_stage_flags(training: argparse._ArgumentGroup) -> None:
    scratch = STAGES["all_layers"]
    for stage, alone in (("head", ""), ("fine_tuning", "; {} with --weights=none, for all layers")):
        epochs, rate, _ = STAGES[stage]
        training.add_argument(
            f"--epochs_{stage}",
            type=in_range(int, 0),
            metavar="N",
            help=f"epochs of the stage at most (default: {epochs}{alone.format(scratch[0])})",
        )
        training.add_argument(
            f"--learning_rate_{stage}",
            type=in_range(float, 0, 10),
            metavar="RATE",
            help=f"the highest of the stage (default: {rate}{alone.format(scratch[1])})",
        )
    usual = ", ".join(f"{patience} in {stage}" for stage, (_, _, patience) in STAGES.items())
    training.add_argument(
        "--patience",
        type=in_range(int, 1),
        metavar="N",
        help=f"epochs without a lower validation loss that end a stage (default: {usual})",
    )
    training.add_argument(
        "--batch_size", type=in_range(int, 1), default=BATCH_SIZE, help="images per step (default: %(default)s)"
    )
    flags.add_seed_flag(training, largest=2**31 - 1)


def read_training_settings(args: argparse.Namespace) -> TrainingSettings:
    """The settings of the flags of `add_training_flags`; ValueError for flags that do not go together."""
    folders = args.train_images_folder_path, args.val_images_folder_path
    if any(folders) and not all(folders):
        raise ValueError("--train_images_folder_path and --val_images_folder_path must be given together")
    label_level, taxonomy = _choose_level(args)
    model_name, weights = _choose_model(args)
    path = Path(args.output_model_path) if args.output_model_path else None
    if path and (path.suffix != ".keras" or path.is_dir()):
        raise ValueError(f"--output_model_path should be a file that ends in .keras; got '{path}'")
    return TrainingSettings(
        image_folders=folders if all(folders) else None,
        reading=choose_reading(args.exif, args.max_megapixels),
        label_level=label_level,
        taxonomy=taxonomy,
        multi_label=args.multi_label,
        model_name=model_name,
        weights=weights,
        input_size=_check_input_size(args.input_size, weights),
        fine_tune_from=args.fine_tune_from,
        stages=_choose_stages(args, weights),
        seed=args.seed,
        model_path=path,
        overwrite=args.overwrite,
    )


def _choose_level(args: argparse.Namespace) -> "tuple[str, Taxonomy | None]":
    """The level whose labels are learnt, and its taxonomy; ValueError for no level of it."""
    from data import taxonomy_files

    if args.multi_label:
        for flag in ("taxonomy", "label_level"):
            if getattr(args, flag):
                raise ValueError(f"--{flag} is for one label an image, --multi_label for several: give one of them")
    taxonomy = taxonomy_files.open_taxonomy(args.taxonomy) if args.taxonomy else None
    levels = taxonomy.levels if taxonomy else constants.LABEL_LEVELS
    level = args.label_level or levels[0]
    if level not in levels:
        raise ValueError(f"--label_level should be one of {', '.join(levels)}; got '{level}'")
    return level, taxonomy


def _choose_model(args: argparse.Namespace) -> tuple[str | None, str]:
    """The name of the network and its weights; the name of a saved model may be None."""
    model_name, weights = args.model_name and find_model_name(args.model_name), args.weights
    if model_name is None and weights in (None, "imagenet", "none"):
        model_name = "ResNet" if args.train_images_folder_path else constants.MODEL_NAME_DEMO
    return model_name, weights or ("none" if model_name == constants.MODEL_NAME_DEMO else "imagenet")


def _check_input_size(input_size: int | None, weights: str) -> int | None:
    """The side as it was given; ValueError where a file has fixed it."""
    if input_size is not None and weights not in ("imagenet", "none"):
        raise ValueError(f"--input_size has no effect with --weights={weights}: the file tells the size of its images")
    return input_size


def _choose_stages(args: argparse.Namespace, weights: str) -> tuple[Stage, ...]:
    """The stages that have something to train, in their order; ValueError for none, or flags of another stage."""
    from_scratch = weights == "none"
    if from_scratch:
        for flag in ("fine_tune_from", "epochs_head", "learning_rate_head"):
            if getattr(args, flag) is not None:
                raise ValueError(
                    f"--{flag} has no effect with --weights=none: all layers are trained, in one stage, which "
                    "--epochs_fine_tuning and --learning_rate_fine_tuning set"
                )
    stages = []
    for name in ["all_layers"] if from_scratch else ["head", "fine_tuning"]:
        flag = "head" if name == "head" else "fine_tuning"
        given = getattr(args, f"epochs_{flag}"), getattr(args, f"learning_rate_{flag}"), args.patience
        numbers = [usual if value is None else value for value, usual in zip(given, STAGES[name])]
        if numbers[0] > 0:
            stages.append(Stage(name, *numbers, args.batch_size, args.seed))
    if not stages:
        raise ValueError("nothing to train: the epochs of every stage are 0")
    return tuple(stages)
