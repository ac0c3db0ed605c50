"""Trains a classifier of bags of patches, which weighs each patch by attention, for main.py to explain.

    python attention_mil.py                                                   on the embedded data, from the start
    python attention_mil.py --gated --weights=my_model.keras --train_images_folder_path=images_train \\
                            --val_images_folder_path=images_val
    python main.py --explanation_method=ATTENTION,GRADCAM --model_path=models/ResNetDemo_attention_mil.keras

An image is a bag of patches and its label belongs to the bag (network/attention_layers.py; Ilse, Tomczak and Welling,
ICML 2018). Takes the flags of train.py: backbone, stages, early stopping, augmentation, the files beside the
model and how a stopped run goes on are the same. Beside the model stands further

    <model>_training/attention.png      attention next to Grad-CAM of the same model, validation images of each class
    <model>_training/part_energy.csv    for the embedded data: both measured on the masks of the style's parts

Exit code: 0; 2 for a flag or an input that stops the run; 130 when interrupted.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import constants
from output.progress import printable
from pipeline.command_line import CommandParser, in_range, run_command
from training.training_settings import TrainingSettings, add_training_flags, read_training_settings


@dataclass(frozen=True)
class AttentionSettings:
    """What attention_mil.py was asked for: the training, and the fields of `network.attention_layers.Bags`."""

    training: TrainingSettings
    patch_size: int | None
    patch_stride: int | None
    gated: bool
    units: int


def build_parser() -> argparse.ArgumentParser:
    """The flags: those of train.py and those of the bags."""
    parser = CommandParser("attention_mil.py", "Train a classifier of bags of patches with attention.")
    add_training_flags(parser, default_path="models/<model_name>_attention_mil.keras")
    bags = parser.add_argument_group("bags")
    bags.add_argument(
        "--gated",
        action="store_true",
        help="attention with a gate, tanh(V h) times sigmoid(U h) (default: without, tanh(V h))",
    )
    bags.add_argument(
        "--patch_size",
        type=in_range(int, 1),
        metavar="PIXELS",
        help=f"side of a patch, of the input (default: {constants.MIL_POSITIONS} positions of the backbone's last map)",
    )
    bags.add_argument(
        "--patch_stride",
        type=in_range(int, 1),
        metavar="PIXELS",
        help="from patch to patch, a divisor of the input's sides (default: the largest up to half a patch)",
    )
    bags.add_argument(
        "--attention_units",
        type=in_range(int, 1),
        default=constants.MIL_ATTENTION_UNITS,
        metavar="N",
        help="rows of V and U (default: %(default)s)",
    )
    return parser


def read_settings(args: argparse.Namespace) -> AttentionSettings:
    """The settings of these flags; ValueError for flags that do not go together."""
    training = read_training_settings(args)
    return AttentionSettings(training, args.patch_size, args.patch_stride, args.gated, args.attention_units)


def run(settings: AttentionSettings) -> int:
    """One run from settings to a model and its figure; the exit code."""
    import utils

    utils.load_tensorflow()

    from network.attention_layers import Bags
    from training import attention_report, command

    bags = Bags(settings.patch_size, settings.patch_stride, settings.gated, settings.units)
    model_path = command.train_model(settings.training, bags)
    images = command.find_folders(settings.training)[1]
    paths, measured = attention_report.report_attention(model_path, images, settings.training.reading)
    print(*(printable(str(line)) for line in [measured, *paths] if line), sep="\n")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a run with these arguments."""
    return run_command(build_parser(), read_settings, run, argv)


if __name__ == "__main__":
    sys.exit(main())
