"""Trains a classifier of bags of patches, which weighs each patch by attention, for main.py to explain.

    python attention_mil.py                                                   on the embedded data, from the start
    python attention_mil.py --gated --weights=my_model.keras --train_images_folder_path=images_train \\
                            --val_images_folder_path=images_val
    python main.py --explanation_method=ATTENTION,GRADCAM --model_path=models/ResNetDemo_attention_mil.keras

An image is a bag of patches and its label belongs to the bag (network/attention_layers.py; Ilse, Tomczak and Welling,
ICML 2018). Takes the flags of train.py, of which it is the twin: backbone, stages, early stopping, augmentation, the
files beside the model and what a run does that was stopped are the same. Beside the model stands further

    <model>_training/attention.png      attention next to Grad-CAM of the same model, validation images of each class
    <model>_training/part_energy.csv    for the embedded data: both measured on the masks of the style's parts

Exit code: 0; 2 for a flag or an input that stops the run; 130 when interrupted.
"""

import argparse
import sys
from collections.abc import Sequence

import constants
from pipeline.flags import forgive_names, in_range, run_script
from training.training_settings import add_training_flags, read_training_settings


def build_parser() -> argparse.ArgumentParser:
    """The flags: those of train.py and those of the bags."""
    parser = argparse.ArgumentParser(
        description="Train a classifier of bags of patches with attention.", allow_abbrev=False
    )
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
        help=f"side of a patch in pixels of the input (default: {constants.MIL_POSITIONS} positions of the backbone's "
        "last map)",
    )
    bags.add_argument(
        "--patch_stride",
        type=in_range(int, 1),
        help="pixels from patch to patch, a divisor of the input's sides (default: the largest up to half a patch)",
    )
    bags.add_argument(
        "--attention_units",
        type=in_range(int, 1),
        default=constants.MIL_ATTENTION_UNITS,
        help="rows of V and U (default: %(default)s)",
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """One run from flags to a model and its figure; the exit code."""
    settings = read_training_settings(args)

    import utils

    utils.silence_tensorflow()

    from network.attention_layers import Bags
    from training import attention_report, command

    bags = Bags(args.patch_size, args.patch_stride, args.gated, args.attention_units)
    model_path = command.train_model(settings, bags)
    paths, measured = attention_report.report_attention(model_path, command.find_folders(settings)[1])
    print(*filter(None, [measured, *paths]), sep="\n")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a run with these arguments."""
    return run_script("attention_mil.py", run, build_parser().parse_args(argv))


if __name__ == "__main__":
    forgive_names()
    sys.exit(main())
