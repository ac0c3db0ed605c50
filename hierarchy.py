"""Labels on several levels: where does the network look for a terrier, a dog, an animal, and how well does it see each?

    python hierarchy.py --taxonomy=animals.csv --test_images_folder_path=photographs --model_path=my_model.keras
    python hierarchy.py --model_path=monuments.keras                 monument and style, from MexCulture142's names
    python hierarchy.py ... --boxes=boxes.csv --coarse_models=group.keras,kingdom.keras
    python hierarchy.py --taxonomy=inatloc/metadata --test_images_folder_path=inatloc/test ...  data/taxonomy_files.py

Takes the flags of `main.py`. One model is read on every level from its own classes up: on each, its classes are the
nodes of that level (network/node_scores.py; data/taxonomy_files.py for the file), and any method that explains a class
runs as in main.py. The class is the node over the image's label, or over the leaf that is predicted, by --class_index.
Models that `train.py --label_level` has trained on coarser labels stand beside the reading of their level. Written are

    levels/<level>/                   a run of main.py each: records, maps, curves
    levels_per_image.csv              method, level, image: prediction, width of the map, insertion, deletion, hits
    level_changes.csv                 method, image, pair of levels: IoU of the thresholded maps, rank correlation, PCC
    level_changes_summary.csv         their means
    levels.csv                        method, level: accuracy, means, MaxBoxAcc
    side_by_side_<METHOD>.png; _2, ...   the maps of every image on all levels
    granularity.png                   each measure against the number of classes

A run that is stopped goes on with the same command. Exit code: 0; 1 when an image could not be explained; 2 for a flag
or an input that stops it; 130 when interrupted.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from output.progress import print_table, printable
from pipeline import flags
from pipeline.command_line import path, run_command
from pipeline.settings import RunSettings, read_run_settings


@dataclass(frozen=True)
class HierarchySettings:
    """What hierarchy.py was asked for.

    coarse_models: paths of models trained on one level. fraction: of the pixels of a map that its threshold keeps.
    """

    run: RunSettings
    taxonomy: str | None
    coarse_models: tuple[str, ...]
    fraction: float
    masks: str | None


def build_parser() -> argparse.ArgumentParser:
    """The flags: those of main.py that matter here, and those of the levels."""
    parser = flags.build_run_parser("hierarchy.py", "Explain images on several levels of labels.")
    flags.add_faithfulness_flags(parser)
    levels = parser.add_argument_group("levels")
    levels.add_argument(
        "--taxonomy",
        type=path,
        metavar="PATH",
        help="csv with the columns leaf, or index and leaf, then one per level up; or iNatLoc500's metadata folder "
        "(default: monument and style of MexCulture142's names)",
    )
    levels.add_argument(
        "--coarse_models",
        type=lambda text: tuple(path(part.strip()) for part in text.split(",")),
        default=(),
        metavar="PATHS",
        help="models that train.py --label_level made, by commas: each stands beside its level (default: none)",
    )
    flags.add_fraction_flag(levels)
    flags.add_n_figures_flag(levels, "all", "the first N images on all levels")
    truth = levels.add_mutually_exclusive_group()
    flags.add_boxes_flag(truth, "around the objects")
    truth.add_argument(
        "--masks",
        type=path,
        metavar="PATH",
        help="folder of masks of the objects, white on black, named as the images; of several in subfolders the union "
        "(default: the parts of the embedded data)",
    )
    return parser


def read_settings(args: argparse.Namespace) -> HierarchySettings:
    """The settings of these flags; ValueError for flags that do not go together."""
    return HierarchySettings(read_run_settings(args), args.taxonomy, args.coarse_models, args.fraction, args.masks)


def run(settings: HierarchySettings) -> int:
    """One run from settings to figures; the exit code."""
    import representations
    import utils
    from data import objects, taxonomy_files

    representations.check_colormap(settings.run.colormap)
    taxonomy = taxonomy_files.open_taxonomy(settings.taxonomy) if settings.taxonomy else None
    utils.load_tensorflow(with_extras=False)

    from comparison import levels, levels_figures, levels_tables
    from pipeline import run as runs

    opened = levels.open_levels(settings.run, settings.coarse_models, taxonomy)
    masks = settings.masks or (None if settings.run.boxes else settings.run.data.part_masks)
    truth = objects.open_truth(settings.run.boxes, masks, taxonomy, settings.run.data.images, opened[0].run.samples)
    print_table({"objects": truth.note})
    failed = []
    for level in opened:
        print(f"\n{printable(level.describe())}", flush=True)
        failed += runs.examine(level.run, settings.run)
    measured = levels_tables.measure(opened, truth, settings.fraction)
    folder = settings.run.output_folder
    print(f"\n{levels_tables.write_tables(measured, folder)}\n")
    runs.print_failures(failed)
    look = settings.run.colormap, settings.run.alpha, settings.run.figures
    paths = levels_figures.write_level_pages(measured, folder, *look)
    runs.print_paths(list(paths), settings.run.show)
    return 1 if failed else 0


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a run with these arguments."""
    return run_command(build_parser(), read_settings, run, argv)


if __name__ == "__main__":
    sys.exit(main())
