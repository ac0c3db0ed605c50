"""Trains a classifier for main.py to explain: transfer learning in two stages (lab 1; Yosinski et al. 2014).

    python train.py                                             the embedded network on the embedded data
    python train.py --model_name=ResNet --train_images_folder_path=images_train --val_images_folder_path=images_val
    python train.py --output_model_path=network/demo_resnet.keras --overwrite   how the repository's network was made
    python train.py ... --multi_label=labels.csv                several classes an image, or none (data/multi_labels.py)
    python train.py ... --taxonomy=animals.csv --label_level=group   on coarser labels (data/taxonomy.py)

    images -> backbone without its head -> pooled features, computed once -> stage 'head': one dense layer
           -> stage 'fine_tuning': the last block too, augmented images, a low learning rate

With --weights=none there is one stage, 'all_layers'. Written are the model, with its class names, preprocessing and
input size in the file, and beside it a folder <model>_training (training/training_files.py). A run that is stopped
goes on with the same command. Exit code: 0; 2 for a flag or an input that stops the run; 130 when interrupted.
"""

import argparse
import sys
from collections.abc import Sequence

from pipeline.command_line import CommandParser, run_command
from training.training_settings import TrainingSettings, add_training_flags, read_training_settings


def build_parser() -> argparse.ArgumentParser:
    """The flags; None stands for a default that depends on other flags, which the help says."""
    parser = CommandParser("train.py", "Train an image classifier for main.py to explain.")
    add_training_flags(parser, default_path="models/<model_name>.keras")
    return parser


def run(settings: TrainingSettings) -> int:
    """One run from settings to a model; the exit code."""
    import utils

    utils.load_tensorflow()

    from training import command

    command.train_model(settings)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a run with these arguments."""
    return run_command(build_parser(), read_training_settings, run, argv)


if __name__ == "__main__":
    sys.exit(main())
